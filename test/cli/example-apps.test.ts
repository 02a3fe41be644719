// The chat and the counter of config/examples in a real browser, behind the running program: their backends are drained under them, and
// every user has every entry once, in both modes.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { startExamples } from '../../lib/cli/examples.ts';
import { Leaseway } from '../support/leaseway.ts';
import { ROOT } from '../support/readme.ts';
import { launchChromium } from '../support/sdk-page.ts';

const examples = await startExamples([0, 0, 0]);
const ports = /ports (\d+), (\d+), (\d+)/.exec(examples.lines([], null).join('\n'))!.slice(1);
const browser = await launchChromium();
t.teardown(async () => {
  await browser.close();
  await examples[Symbol.asyncDispose]();
});

/** The example's own routes and cluster, on ports that are free. */
async function serve(t: Test, name: string): Promise<Leaseway> {
  const text = readFileSync(join(ROOT, 'config/examples', `${name}.yaml`), 'utf8');
  const { clusters, routes } = parse(text.replace(/:900([123])/g, (_, n) => `:${ports[n - 1]}`));
  const leaseway = await Leaseway.start({ config: { workers: 1, routes }, clusters });
  t.teardown(() => leaseway[Symbol.asyncDispose]());
  return leaseway;
}

const text = (page: Page, id: string): Promise<string> => page.locator(`#${id}`).textContent().then(String);

/** Drains the backend that has the page and waits until another has it; which one. */
async function drainUnder(leaseway: Leaseway, page: Page): Promise<void> {
  const before = await text(page, 'backend');
  const url = `/v1/backends/web/${encodeURIComponent(`127.0.0.1:${ports[Number(before.at(-1)) - 1]}`)}`;
  await leaseway.admin(`${url}/drain`, 'POST', { force: true });
  await leaseway.until(async () => (await text(page, 'backend')) !== before);
  await leaseway.admin(`${url}/undrain`, 'POST');
}

for (const [app, mode] of [
  ['chat', 'ws'],
  ['chat', 'sdk'],
  ['counter', 'ws'],
  ['counter', 'sdk'],
] as const)
  t.test(`${app}, ${mode}: nobody is disconnected, every entry comes once`, { timeout: 60_000 }, async t => {
    const leaseway = await serve(t, app);
    const errors: string[] = [];
    const open = async (how: string): Promise<Page> => {
      const page = await browser.newPage();
      page.on('pageerror', error => errors.push(error.message));
      await page.goto(`${leaseway.url()}/${app}${how === 'sdk' ? '?mode=sdk' : ''}`);
      await leaseway.until(async () => (await text(page, 'backend')) !== '…');
      return page;
    };
    // Both kinds of clients meet in one room.
    const [one, other] = [await open(mode), await open(mode === 'ws' ? 'sdk' : 'ws')];
    let said = 0;
    const say = async (page: Page): Promise<void> => {
      if (app === 'chat') {
        await page.locator('#text').fill(`message ${said}`);
        await page.getByRole('button', { name: 'Send' }).click();
      } else await page.getByRole('button', { name: '+1' }).click();
      said += 1;
    };
    const before = Number(app === 'counter' ? await text(one, 'total') : 0);
    for (let round = 0; round < 3; round++) {
      await say(one);
      const moving = drainUnder(leaseway, one);
      for (let i = 0; i < 5; i++) await say(i % 2 === 0 ? one : other);
      await moving;
    }
    for (const page of [one, other]) {
      await leaseway.until(async () => Number(await text(page, 'entries')) >= said);
      t.equal(await text(page, 'missing'), '0');
      t.equal(await text(page, 'doubled'), '0');
      t.equal(await text(page, 'disconnects'), '0');
      if (app === 'counter') t.equal(Number(await text(page, 'total')), before + said);
    }
    t.ok(Number(await text(one, 'moves')) >= 3, `${await text(one, 'moves')} moves`);
    t.same(errors, []);
    await one.close();
    await other.close();
  });
