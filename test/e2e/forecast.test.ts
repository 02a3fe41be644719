// An announced job through the running program: its forecast rises, work leaves before it begins, and comes back after (B2, F5).

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { type Json, Leaseway } from '../support/leaseway.ts';
import { runCli } from '../support/run-cli.ts';

const IDS = ['one', 'two', 'three'];
const USUAL_MS = 30;
const SLOWED_MS = 200;
/** Long enough that the horizon sees the job well before it begins, short enough for a test. */
const JOB_IN_MS = 8_000;
const JOB_FOR_MS = 4_000;
const CLIENTS = 12;

interface Job {
  startMs: number;
  endMs: number;
}

/** A backend of its own, really slowed while its job runs; it notes when requests came. */
class JobBackend {
  readonly arrivals: number[] = [];
  job: Job | null = null;
  readonly server = http.createServer((_, response) => {
    const nowMs = Date.now();
    this.arrivals.push(nowMs);
    const slowed = this.job !== null && nowMs >= this.job.startMs && nowMs < this.job.endMs;
    setTimeout(() => response.end('ok'), slowed ? SLOWED_MS : USUAL_MS);
  });

  async listen(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  arrivalsBetween(fromMs: number, toMs: number): number {
    return this.arrivals.filter(ms => ms >= fromMs && ms < toMs).length;
  }
}

const backends = IDS.map(() => new JobBackend());
const urls = await Promise.all(backends.map(backend => backend.listen()));
const clusters = {
  web: {
    backends: IDS.map((id, i) => ({ id, url: urls[i] })),
    capacity: { concurrency: 14 },
    balance: { gate: { horizon: '5s' } },
    forecast: { horizons: ['1s', '5s', '30s'] },
  },
};
const leaseway = await Leaseway.start({ clusters });
const agent = new http.Agent({ keepAlive: true });
let asking = true;
t.teardown(async () => {
  asking = false;
  await leaseway[Symbol.asyncDispose]();
  agent.destroy();
  for (const { server } of backends) server.close();
});

/** As many requests at once as there are clients, one after the other. */
async function client(): Promise<void> {
  while (asking) {
    await new Promise<void>(resolve => {
      const request = http.get({ host: '127.0.0.1', port: leaseway.port(), agent }, response => {
        response.resume();
        response.on('end', resolve);
      });
      request.on('error', () => setTimeout(resolve, 20));
    });
  }
}

const cli = (...args: string[]) =>
  runCli([
    ...args,
    '--admin',
    `http://127.0.0.1:${leaseway.serving.admin.port}`,
    '--token-file',
    join(leaseway.folder, 'state/admin-token'),
  ]);
const forecastOf = async (id: string): Promise<Json> =>
  (await leaseway.admin(`/v1/forecasts/web/${id}`)).body.forecast;

for (let i = 0; i < CLIENTS; i++) void client();

t.test('work leaves a backend before its announced job and comes back after', async t => {
  await leaseway.until(async () => {
    const found = await forecastOf('two');
    return found?.predicted > 0.1 && found.seconds.length >= 6 && found.gate === 'open';
  });
  const calm = await forecastOf('two');
  const announced = await cli(
    'announce',
    'web/two',
    '--factor',
    '4',
    '--in',
    `${JOB_IN_MS}ms`,
    '--for',
    `${JOB_FOR_MS}ms`,
    '--name',
    'reindex',
    '--json',
  );
  t.equal(announced.code, 0, announced.err);
  const { event } = JSON.parse(announced.out);
  backends[1]!.job = { startMs: event.startMs, endMs: event.endMs };
  const rising = await leaseway.until(async () => {
    const found = await forecastOf('two');
    return found.gate === 'shut' && found;
  });
  const shutMs = Date.now();
  t.ok(shutMs < event.startMs, `shut ${event.startMs - shutMs} ms before the job`);
  t.ok(rising.predicted > 2 * calm.predicted, `${calm.predicted} → ${rising.predicted}`);
  t.match(rising.gateReason, /^predicted load \d/);
  t.strictSame(rising.events, ['reindex']);
  t.match(
    (await cli('forecast', 'web')).out,
    /web\/two .* shut .*event reindex\n[\s\S]*quality 5s ahead: MASE/,
  );
  t.match(
    (await cli('explain', 'web')).out,
    /two .* shut .*predicted load [\s\S]*foreseen\n[\s\S]* two: load .*; by .* %; event reindex \(4 × the load\) begins in \d/,
    'explain shows why',
  );
  t.match((await cli('status')).out, /web\/two .* new work goes elsewhere: predicted load/);
  t.match(
    (await leaseway.admin('/metrics')).text,
    /leaseway_backend_gate\{cluster="web",backend="two"\} 2\n/,
  );

  await leaseway.until(() => Date.now() > event.startMs + 2_000);
  t.match((await cli('explain', 'web')).out, / two: .*event reindex \(4 × the load\) holds for \d/);
  const lead = { fromMs: shutMs + 500, toMs: event.startMs + 2_000 };
  const others = backends[0]!.arrivalsBetween(lead.fromMs, lead.toMs);
  t.equal(
    backends[1]!.arrivalsBetween(lead.fromMs, lead.toMs),
    0,
    'nothing is sent to it from before the start',
  );
  t.ok(others > 50, `while the others serve: ${others}`);

  await leaseway.until(async () => (await forecastOf('two')).gate === 'open');
  t.ok(Date.now() >= event.endMs - 500, 'it stays shut until the job is over');
  const before = backends[1]!.arrivals.length;
  await leaseway.until(() => backends[1]!.arrivals.length > before + 20);
  t.match((await cli('announce', '--list')).out, /nothing is known to come/);
});

t.test('mistakes are told', async t => {
  const nobody = await cli('announce', 'web', '--factor', 'many');
  t.equal(nobody.code, 2);
  t.match(nobody.err, /expected a number from 0 to 50/);
  const unknown = await cli('announce', 'web/four', '--factor', '3');
  t.equal(unknown.code, 6);
  t.match(unknown.err, /cluster web has no backend four; it has one, two, three/);
  t.match((await cli('announce', 'web/two')).err, /say --factor/);
  t.equal((await cli('forecast', 'wbe')).code, 6);
});

t.test('what was announced and learned survives a restart', async t => {
  const { body } = await leaseway.admin('/v1/clusters/web/events', 'POST', {
    name: 'later',
    factor: 3,
    in: '1h',
    for: '10m',
  });
  t.match(body.event, { cluster: 'web', name: 'later', backends: null, factor: 3, source: 'announced' });
  asking = false;
  await leaseway.stop();
  await using again = await Leaseway.start({
    clusters,
    config: { state: { dir: join(leaseway.folder, 'state') } },
  });
  const events = (await again.admin('/v1/events')).body.items;
  t.strictSame(
    events.map(({ id }: Json) => id),
    [body.event.id],
  );
  const cancelled = await runCli([
    ...['announce', '--cancel', body.event.id, '--admin', `http://127.0.0.1:${again.serving.admin.port}`],
    ...['--token-file', join(leaseway.folder, 'state/admin-token')],
  ]);
  t.equal(cancelled.out, `${body.event.id} is cancelled\n`, cancelled.err);
  t.strictSame((await again.admin('/v1/events')).body.items, []);
  const kept = readFileSync(join(leaseway.folder, 'state/forecasts.jsonl'), 'utf8').trimEnd().split('\n');
  t.strictSame(
    kept
      .slice(1)
      .map(line => JSON.parse(line).id)
      .sort(),
    // The line of the cluster itself has no id.
    ['', ...IDS].sort(),
  );
});
