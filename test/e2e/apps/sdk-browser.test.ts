// The SDK in a real browser, through the running proxy: moved again and again, cut, from a page of the same and of another origin, over HTTP/1.1 and HTTP/2.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { makeAuthority } from '../../support/certs.ts';
import { launchChromium, SDK_PAGE, type SdkPage, sdkScript, type Talk } from '../../support/sdk-page.ts';
import { listed, sdkStage } from '../../support/sdk-stage.ts';

const MOVES = 6;
/** Who is cut again and again waits longer each time. */
const CUTS = 3;
const SOCKETS = 4;

const folder = mkdtempSync(join(tmpdir(), 'leaseway-browser-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const { cert, key } = makeAuthority().issue(['localhost', '127.0.0.1']);
writeFileSync(join(folder, 'cert.pem'), cert);
writeFileSync(join(folder, 'key.pem'), key);
const script = await sdkScript();
const browser = await launchChromium();
t.teardown(() => browser.close());

const fixed = (path: string, type: string, body: string) => ({
  match: { path: { exact: path } },
  // A dollar is the configuration's own.
  respond: { status: 200, body: body.replaceAll('$', () => '$$'), headers: { 'Content-Type': type } },
});
const certificates = [{ cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }];

for (const [name, enveloped, pageAt, socketAt] of [
  ['plain', false, 0, 0],
  ['in the envelope, with cuts', true, 0, 0],
  ['plain, from a page of another origin', false, 1, 0],
  ['in the envelope, with cuts, over TLS and HTTP/2', true, 2, 2],
] as const)
  t.test(`${SOCKETS} sockets, moved ${MOVES} times each: ${name}`, { timeout: 90_000 }, async t => {
    const stage = await sdkStage(t, {
      lateMs: 5,
      config: {
        listeners: [
          { address: '127.0.0.1:0' },
          { address: '127.0.0.1:0' },
          { address: '127.0.0.1:0', tls: { certificates } },
        ],
        routes: [
          fixed('/', 'text/html', SDK_PAGE),
          fixed('/page.js', 'text/javascript', script),
          { name: 'chat', cluster: 'web' },
        ],
      },
    });
    const { leaseway, backends } = stage;
    const origin = (at: number): string => `http${at === 2 ? 's' : ''}://localhost:${leaseway.port(at)}`;
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
    const errors: string[] = [];
    page.on('pageerror', error => errors.push(error.message));
    await page.goto(`${origin(pageAt)}/`);
    await page.waitForFunction(() => 'talk' in globalThis);
    const talks = Array.from({ length: SOCKETS }, (_, i): Talk => {
      const url = `${origin(socketAt)}/${enveloped ? 'enveloped' : 'plain'}?client=c${i}`;
      return { url, enveloped, moves: MOVES };
    });
    let over = false;
    const talking = page
      .evaluate(talks => Promise.all(talks.map((globalThis as unknown as SdkPage).talk)), talks)
      .finally(() => {
        over = true;
      });
    let rounds = 0;
    while (!over) {
      const movable = (await listed(stage)).filter(one => one.movable);
      await Promise.all(
        movable.map(({ id }) => leaseway.admin(`/v1/connections/${id}/move`, 'POST', {}).catch(() => {})),
      );
      rounds += 1;
      // Without an envelope a cut may cost messages, which is no surprise.
      if (enveloped && rounds % 4 === 0 && rounds <= 4 * CUTS)
        for (const backend of backends) backend.cutAll();
      await new Promise(resolve => setTimeout(resolve, 30));
    }
    const all = await talking;
    for (const [i, { sent, got, states, migrated, protocol }] of all.entries()) {
      const numbers = Array.from({ length: sent }, (_, n) => String(n));
      t.equal(protocol, 'chat');
      t.same(
        got.map(text => text.replace(/^b\d /, '')),
        numbers,
        'every answer, once and in order',
      );
      const heard = backends.flatMap(backend => backend.heard.get(`c${i}`) ?? []);
      t.same(
        heard.toSorted((a, b) => Number(a) - Number(b)),
        numbers,
        'every message was heard once',
      );
      t.ok(migrated.length >= MOVES);
      if (enveloped) continue;
      t.ok(migrated.every(clean => clean));
      t.notOk(states.includes('reconnecting'));
    }
    const count = (of: (one: (typeof all)[number]) => number): number =>
      all.reduce((sum, one) => sum + of(one), 0);
    const cuts = count(({ states }) => states.filter(state => state === 'reconnecting').length);
    t.comment(
      `${count(({ sent }) => sent)} messages, ${count(({ migrated }) => migrated.length)} moves, ${cuts} cuts`,
    );
    t.same(errors, []);
    await page.close();
  });
