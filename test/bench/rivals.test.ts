// The bench's own parts: its arithmetic, how it reads the tools' output, and its leaseway leg with our own clients.

import t from 'tap';
import { median, medianRatio, rowsFor, table } from './rivals-figures.ts';
import { echo, idle, paced, sessionCookie, wrkRequests } from './rivals-load.ts';
import { cpuUs, ticksOf } from './rivals-processes.ts';
import { firstLine, startProxy } from './rivals-proxies.ts';
import { BenchStage } from './rivals-stage.ts';

t.test('medians, and ratios within each round', async t => {
  t.equal(median([3, 1, 2]), 2);
  t.equal(median([4, 1, 2, 3]), 2.5);
  t.ok(Number.isNaN(median([])));
  // A machine twice as slow in the second round does not show.
  t.equal(medianRatio([12, 24, 12], [10, 20, 10]), 1.2);
});

t.test('rows carry the goals, and the second worker what it adds', async t => {
  const quantities = new Map([
    [
      'bare/repeated heads/cpu',
      new Map([
        ['haproxy', [10, 20]],
        ['leaseway', [11, 22]],
        ['caddy', [44, 88]],
      ]),
    ],
    [
      'bare/two workers/rate',
      new Map([
        ['leaseway', [20, 10]],
        ['leaseway×2', [38, 19]],
      ]),
    ],
    ['bare/idle WebSocket/memory', new Map([['leaseway', [12]]])],
  ]);
  const rows = rowsFor('leaseway', quantities);
  const goals = rows.filter(({ goal }) => goal !== null);
  t.strictSame(
    goals.map(({ figure, value, goal, sense, baseline, runs }) => [
      figure,
      value,
      goal,
      sense,
      baseline,
      runs,
    ]),
    [
      ['bare: repeated heads: cpu', 1.1, 1.2, '<=', 'haproxy', 2],
      ['bare: repeated heads: cpu', 0.25, 0.35, '<=', 'caddy', 2],
      ['bare: idle WebSocket: memory', 12, 20, '<=', '', 1],
      ['bare: two workers: the second adds', 0.9, 0.8, '>=', 'one worker', 2],
    ],
  );
  t.match(
    rows.find(({ figure }) => figure === 'bare: repeated heads: cpu: caddy'),
    { value: 66, unit: 'µs', goal: null },
  );
  t.match(
    table('cpu', quantities, ['haproxy', 'leaseway']),
    /\| bare: repeated heads +\| 15 \(1\.00\) +\| 16\.5 \(1\.10\) \|/,
  );
});

t.test('what the tools and the kernel print', async t => {
  t.equal(ticksOf(`7 (a (b) c) S 1 1 1 0 -1 4194560 1 0 0 0 150 25 0 0 20 0 1 0 1`), 175);
  t.equal(wrkRequests('Running 1s test\n  23164 requests in 1.00s, 3MB read\nRequests/sec: 23164\n'), 23164);
  t.throws(
    () => wrkRequests('  10 requests in 1.00s\n  Non-2xx or 3xx responses: 10\n'),
    /Non-2xx or 3xx responses: 10/,
  );
  t.throws(() => wrkRequests('unable to connect'), /unable to connect/);
  t.throws(() => firstLine('no-such-proxy', ['-v']), /apt-get install nginx haproxy caddy wrk/);
});

t.test('its leaseway leg, bare and full, in front of a backend of its own', async t => {
  await using stage = await BenchStage.open(false);
  for (const setting of ['bare', 'full'] as const) {
    const proxy = (await startProxy('leaseway', stage, setting))!;
    try {
      const cookie = await sessionCookie(proxy);
      t.equal(cookie !== '', setting === 'full', `${setting}: ${cookie}`);
      const before = proxy.cpuUs();
      const { requests, failed, p50Ms, p99Ms } = await paced(proxy, 400, 1, cookie);
      t.equal(failed, 0);
      t.ok(requests > 200 && requests <= 400, `${requests} requests at 400 a second`);
      t.ok(p50Ms > 0 && p50Ms <= p99Ms, `${p50Ms} ≤ ${p99Ms} ms`);
      t.ok(proxy.cpuUs() > before, 'its CPU is seen');
      const echoed = await echo(proxy, 64, 0.5);
      t.ok(echoed.rate > 50 && echoed.cpu > 0, JSON.stringify(echoed));
      t.ok(Number.isFinite(await idle(proxy, 20, true)), 'idle WebSockets');
    } finally {
      await proxy.stop();
    }
  }
  t.equal(await startProxy('http-proxy', stage, 'full'), undefined, 'it has no full setting');
  await t.rejects(startProxy('varnish', stage, 'bare'), /no proxy varnish/);
  t.ok(cpuUs(process.pid) > 0);
});
