// Minutes ahead, through the running program: a cluster that has two weeks behind it has its network trained in a thread of its own.

import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Json, Leaseway, type LeasewayOptions } from '../support/leaseway.ts';
import { livedOutlook, rememberOutlook } from '../support/outlook-past.ts';
import { parsePrometheus } from '../support/prometheus.ts';
import { runCli } from '../support/run-cli.ts';

const backend = createServer((_, response) => void response.end('ok'));
await once(backend.listen(0, '127.0.0.1'), 'listening');
const url = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
t.teardown(() => void backend.close().closeAllConnections());

const past = livedOutlook('web', 14, Date.now() - 120_000);

async function options(t: Test, training: unknown): Promise<LeasewayOptions> {
  const dir = join(t.testdir(), 'state');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  await rememberOutlook(dir, past);
  return {
    config: { state: { dir }, workers: 1, training },
    clusters: { web: { backends: [url], capacity: { concurrency: 10 } } },
    hooked: true,
  };
}

const page = async (leaseway: Leaseway): Promise<Json> => (await leaseway.admin('/v1/forecasts')).body;
const serves = async (leaseway: Leaseway): Promise<boolean> => (await fetch(leaseway.url())).status === 200;

/** Nice values of the process's threads. */
const priorities = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`).map(id =>
    Number(readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8').split(') ')[1]!.split(' ')[16]),
  );

t.test('a network is trained, seen, and remembered over a restart', async t => {
  const start = await options(t, { cpu: '100%' });
  let trainedMs = 0;
  {
    await using leaseway = await Leaseway.start(start);
    await leaseway.until(() => serves(leaseway));
    const { training, items } = await leaseway.until(async () => {
      const found = await page(leaseway);
      return found.training.done === 1 && found.items[0].outlook !== null && found;
    });
    const { outlook } = items[0];
    t.match(training, { state: 'idle', failed: 0, failure: null });
    t.ok(training.cpuMs > 100, `${training.cpuMs} ms`);
    trainedMs = outlook.trainedMs;
    t.ok(Date.now() - trainedMs < 600_000);
    t.equal(outlook.backends, 1);
    t.same(
      outlook.horizons.map(({ horizonMs }: Json) => horizonMs),
      [300_000, 900_000, 3_600_000],
    );
    // It was judged by nothing yet: the others decide.
    for (const { quality, models } of outlook.horizons) {
      t.equal(quality.standing, 'on_trial');
      t.ok(quality.simple < 0.9 && quality.mase < 0.9, 'what was measured before the start counts');
      t.equal(models.find(({ name }: Json) => name === 'network').weight, 0);
    }
    t.ok(leaseway.log.some(line => /a network was trained on \d{4,} minutes/.test(line)));
    const { text } = await leaseway.admin('/metrics');
    const done = parsePrometheus(text).get('leaseway_outlook_trainings_total')!.samples;
    t.equal(done.find(({ labels }) => labels.result === 'done')!.value, 1);
  }
  await using leaseway = await Leaseway.start(start);
  await leaseway.until(() => serves(leaseway));
  const again = await leaseway.until(async () => {
    const found = await page(leaseway);
    return found.items[0].outlook !== null && found;
  });
  t.equal(again.items[0].outlook.trainedMs, trainedMs);
  t.equal(again.training.done, 0, 'there was no need to');
  const { out } = await runCli([
    'forecast',
    'web',
    '--admin',
    `http://127.0.0.1:${leaseway.serving.admin.port}`,
  ]);
  t.match(out, /all together: work for 0\.\d\d of 1 backends now; 14d/);
  t.match(out, /1h .* the network is on trial/);
});

t.test(
  'a trainer that dies harms nothing, and another begins',
  { skip: process.platform !== 'linux' },
  async t => {
    // A second of work takes minutes at this share: it is alive for as long as the test needs it.
    await using leaseway = await Leaseway.start(await options(t, { cpu: '1%' }));
    await leaseway.until(() => serves(leaseway));
    const trains = async (): Promise<boolean> => (await page(leaseway)).training.state === 'training';
    await leaseway.until(trains);
    await leaseway.until(() => priorities(leaseway.pid).includes(19));
    t.equal(priorities(leaseway.pid).filter(nice => nice === 19).length, 1, 'it alone gives way');
    leaseway.hook('trainer', 'terminate');
    const { training } = await leaseway.until(async () => {
      const found = await page(leaseway);
      return found.training.failed === 1 && found;
    });
    t.match(training, { state: 'waiting', done: 0, failure: /exit/ });
    t.ok(await serves(leaseway));
    t.match((await leaseway.status()).workers, [{ row: 0 }]);
    t.notOk(leaseway.log.some(line => /(worker|control thread) died/.test(line)));
    await leaseway.until(trains);
    // With its control thread it ends, and the next begins another.
    leaseway.hook('control', 'exit');
    await leaseway.until(() => leaseway.log.some(line => /control thread died/.test(line)));
    t.ok(await serves(leaseway));
    await leaseway.until(async () => trains().catch(() => false));
    await leaseway.until(() => priorities(leaseway.pid).filter(nice => nice === 19).length === 1);
    await leaseway.stop();
    t.equal(leaseway.child.exitCode, 0, 'nor does it hold up the end');
  },
);
