// Each source over real sockets: good, silent, slow, garbage, absurd; and what is kept of it.

import { createServer as createHttp, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { Cluster } from '../../../lib/config/cluster.ts';
import { SignalBoard } from '../../../lib/control/signals/board.ts';
import { SignalWatch } from '../../../lib/control/signals/watch.ts';
import { systemClock } from '../../../lib/core/clock.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { deadPort } from '../../support/backends.ts';
import { MemoryLog } from '../../support/memory-log.ts';
import { OrcaServer } from '../../support/orca-server.ts';
import { until } from '../../support/until.ts';

const FAST = { interval: '20ms', timeout: '200ms' };

/** One backend with these sources. */
function watch(t: Test, port: number, signals: readonly unknown[], rest: object = {}) {
  const board = new SignalBoard();
  const log = new MemoryLog();
  const watching = new SignalWatch({
    board: { reports: () => {}, totals: () => ({ loadValuesRefused: 0 }) as never },
    signals: board,
    clock: systemClock,
    random: seededRandom(1),
    log,
  });
  const url = `http://127.0.0.1:${port}`;
  const config = Cluster.parse({ backends: [url], signals, ...rest });
  const entry = { id: 'one', url, weight: 1, slot: 0, slotGeneration: 1, generation: 1 };
  watching.follow([{ name: 'web', config, backends: [entry] }]);
  t.teardown(() => watching[Symbol.dispose]());
  return {
    watching,
    log,
    say: () => board.agent('web', 'one'),
    signals: () => board.of('web', 'one'),
    source: () => board.report('web', 'one', systemClock.monotonicMs()).sources[0]!,
    config,
    entry,
  };
}

async function listen(t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
const talker = (t: Test, talk: (socket: Socket) => void): Promise<number> => listen(t, createServer(talk));
const pages = (t: Test, answer: RequestListener): Promise<number> => listen(t, createHttp(answer));

// ── agent-check ──────────────────────────────────────────────────────────────────────────────────────────────

t.test('an agent is asked, and what it says is kept', async t => {
  let heard = '';
  let line = '75% maxconn:30 drain\n';
  const port = await talker(t, socket =>
    socket.on('data', chunk => {
      heard = chunk.toString();
      socket.end(line);
    }),
  );
  const one = watch(t, port, [{ agent_check: { port, send: 'one\n', ...FAST } }]);
  await until('it was heard', () => one.source().ok === true);
  t.equal(heard, 'one\n');
  t.match(one.say(), { share: 0.75, maxConnections: 30, admin: 'drain', down: false });
  t.match(one.signals().capacity, { value: 30, source: 'agent_check', everyMs: 20 });
  t.equal(one.signals().cpu, null, 'a weight is no load');
  line = 'down#disk\n';
  await until('it is down', () => one.say().down);
  t.match(one.say(), { share: 0.75, admin: 'drain', why: 'disk' });
});

t.test('with percent: idle it is CPU, and the weight stays', async t => {
  const port = await talker(t, socket => socket.end('40%'));
  const one = watch(t, port, [{ agent_check: { port, percent: 'idle', ...FAST } }]);
  await until('it was heard', () => one.signals().cpu !== null);
  t.equal(one.signals().cpu!.value, 0.6);
  t.equal(one.say().share, 1);
});

for (const [what, talk, detail] of [
  ['hangs up', socket => socket.end(), /closed without an answer/],
  ['is silent', () => {}, /no answer within 200ms/],
  ['resets', socket => socket.resetAndDestroy(), /connection reset|closed/],
  [
    'sends no line, slowly',
    socket => void setInterval(() => socket.write(' '), 5).unref(),
    /no answer|closed/,
  ],
] as const satisfies readonly (readonly [string, (socket: Socket) => void, RegExp])[])
  t.test(`an agent that ${what} changes nothing, and is said once`, async t => {
    const port = await talker(t, talk);
    const one = watch(t, port, [{ agent_check: { port, ...FAST } }]);
    await until('it was asked twice', () => one.source().failures >= 2);
    t.match(one.source(), { ok: false, detail, ageMs: null });
    t.match(one.say(), { share: 1, admin: 'ready', down: false });
    t.equal(one.log.lines.filter(({ message }) => message.includes('agent_check')).length, 1);
  });

t.test('an agent that is not there, and one that talks garbage', async t => {
  const dead = await deadPort();
  const one = watch(t, dead, [{ agent_check: { port: dead, ...FAST } }]);
  await until('it was asked', () => one.source().failures > 0);
  t.equal(one.source().detail, 'connection refused');
  const port = await talker(t, socket => socket.end(`${'\xff\x00'.repeat(3)}`));
  const garbage = watch(t, port, [{ agent_check: { port, ...FAST } }]);
  await until('it was refused', () => garbage.source().refused > 0);
  const endless = await talker(t, socket => socket.write('x'.repeat(100_000)));
  const long = watch(t, endless, [{ agent_check: { port: endless, ...FAST } }]);
  await until('it was cut', () => long.source().refused > 0);
  t.match([garbage.say(), long.say()], [{ share: 1 }, { share: 1 }]);
});

// ── scrape ───────────────────────────────────────────────────────────────────────────────────────────────────

const CPU = { cpu: 'busy' };
const scrape = (port: number, more: object = {}) => [
  {
    scrape: {
      url: `http://{host}:${port}/metrics`,
      interval: '100ms',
      timeout: '200ms',
      metrics: CPU,
      ...more,
    },
  },
];

t.test('a page is read, and read again', async t => {
  let busy = 0.5;
  const port = await pages(t, (_, response) => response.end(`busy ${busy}\n`));
  const one = watch(t, port, scrape(port));
  await until('it was read', () => one.signals().cpu?.value === 0.5);
  busy = 0.75;
  await until('it was read again', () => one.signals().cpu?.value === 0.75);
  t.match(one.source(), { ok: true, name: `http://127.0.0.1:${port}/metrics` });
});

for (const [what, answer, detail] of [
  ['answers 500', (_, response) => response.writeHead(500).end('busy 0.5\n'), /HTTP 500/],
  ['is silent', () => {}, /no answer within 200ms/],
  [
    'breaks off',
    (_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('busy 0.5\n');
      setImmediate(() => response.destroy());
    },
    /closed|reset/,
  ],
  [
    'is a flood',
    (_, response) => response.end(`${'busy_other 1\n'.repeat(10_000)}busy 0.5\n`),
    /over 65536 bytes/,
  ],
  ['is another page', (_, response) => response.end('<html>busy</html>'), /none of the metrics/],
  ['redirects', (_, response) => response.writeHead(302, { location: '/elsewhere' }).end(), /HTTP 302/],
] as const satisfies readonly (readonly [string, RequestListener, RegExp])[])
  t.test(`a page that ${what} gives nothing, and is said once`, async t => {
    const port = await pages(t, answer);
    const one = watch(t, port, scrape(port, { max_bytes: '64KiB' }));
    await until('it was asked twice', () => one.source().failures >= 2);
    t.match(one.source(), { ok: false, detail });
    t.equal(one.signals().cpu, null);
    t.equal(one.log.lines.filter(({ message }) => message.includes('scrape')).length, 1);
  });

t.test('values that are no load are refused, and the last good one ages', async t => {
  let value = '0.5';
  const port = await pages(t, (_, response) => response.end(`busy ${value}\n`));
  const one = watch(t, port, scrape(port));
  await until('it was read', () => one.signals().cpu !== null);
  const { atMs } = one.signals().cpu!;
  for (const absurd of ['NaN', '-1', '1e9', '+Inf']) {
    const { refused } = one.source();
    value = absurd;
    await until(`${absurd} was refused`, () => one.source().refused > refused);
  }
  const last = one.signals().cpu!;
  t.equal(last.value, 0.5);
  t.ok(last.atMs >= atMs && last.atMs < systemClock.monotonicMs() - 100);
});

// ── ORCA stream ──────────────────────────────────────────────────────────────────────────────────────────────

const stream = (port: number) => [
  { orca_stream: { port, interval: '1500ms', metrics: { 'named_metrics.running': 'in_flight' } } },
];

t.test('reports on a stream are heard as they come, zeros included', async t => {
  await using orca = await OrcaServer.start({ cpu_utilization: 0.5, named_metrics: { running: 3 } });
  const one = watch(t, orca.port, stream(orca.port));
  await until('it was heard', () => one.signals().cpu !== null);
  t.equal(orca.intervalMs, 1_500, 'the interval that was asked for');
  t.match(one.signals(), { cpu: { value: 0.5, source: 'orca_stream' }, inFlight: { value: 3 } });
  // On the wire a zero is left out: who reported CPU and no longer does has none.
  orca.say({ mem_utilization: 0.25 });
  await until('it was heard', () => one.signals().memory?.value === 0.25);
  t.match(one.signals(), { cpu: { value: 0 }, inFlight: { value: 0 }, errorsPerSecond: null });
  orca.say({ cpu_utilization: Number.NaN, mem_utilization: 7, eps: -1 });
  await until('it was refused', () => one.source().refused === 3);
  t.match(one.signals(), { cpu: { value: 0 }, memory: { value: 0.25 }, errorsPerSecond: null });
  orca.say({ cpu_utilization: 0.9 });
  await until('the next is heard', () => one.signals().cpu?.value === 0.9);
  t.match(one.source(), { ok: true, detail: 'streaming' });
});

t.test('a stream that breaks is opened again', { timeout: 20_000 }, async t => {
  const first = await OrcaServer.start({ cpu_utilization: 0.5 });
  const { port } = first;
  const one = watch(t, port, stream(port));
  await until('it was heard', () => one.signals().cpu !== null);
  await first[Symbol.asyncDispose]();
  await until('it broke', () => one.source().ok === false);
  await using _second = await OrcaServer.start({ cpu_utilization: 0.75 }, { port });
  await until('it is heard again', () => one.signals().cpu?.value === 0.75, 10_000);
  t.equal(one.source().ok, true);
});

t.test('who has no such service is not asked again, and that is said once', async t => {
  await using bare = await OrcaServer.start(null, { bare: true });
  const one = watch(t, bare.port, stream(bare.port));
  await until('it was refused', () => one.source().ok === false);
  t.match(one.source(), { detail: /UNIMPLEMENTED/, failures: 1 });
  t.equal(one.log.lines.filter(({ message }) => message.includes('UNIMPLEMENTED')).length, 1);
});

t.test('garbage in place of a stream is left, and tried again later', async t => {
  for (const talk of [
    (socket: Socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'),
    (socket: Socket) => void socket.write(Buffer.alloc(70_000, 0x41)),
    (socket: Socket) => void socket.destroy(),
  ]) {
    const port = await talker(t, talk);
    const one = watch(t, port, stream(port));
    await until('it failed', () => one.source().ok === false);
    t.equal(one.signals().cpu, null);
    t.notMatch(one.source().detail, /UNIMPLEMENTED/);
  }
});

// ── coming and going ─────────────────────────────────────────────────────────────────────────────────────────

t.test(
  'sources end with their backend, begin anew with another, and stay through what does not concern them',
  async t => {
    await using orca = await OrcaServer.start({ cpu_utilization: 0.5 });
    const one = watch(t, orca.port, stream(orca.port));
    await until('it was heard', () => one.signals().cpu !== null);
    const follow = (config: object, entry: object) =>
      one.watching.follow([
        { name: 'web', config: { ...one.config, ...config }, backends: [{ ...one.entry, ...entry }] },
      ]);
    follow({ retry: { ...one.config.retry, attempts: 1 } }, { weight: 5, generation: 9 });
    t.ok(one.signals().cpu, 'nothing of it has changed');
    follow({}, { slotGeneration: 2 });
    t.equal(one.signals().cpu, null, 'another backend');
    await until('it was asked anew', () => one.signals().cpu !== null);
    t.equal(orca.asked, 2);
    one.watching.follow([]);
    t.equal(one.signals().cpu, null);
    await until('nobody listens', () => orca.calls.size === 0);
  },
);

t.test('agents that hang hold no more than their share, and a good page is still read', async t => {
  let open = 0;
  let most = 0;
  const port = await talker(t, socket => {
    most = Math.max(most, ++open);
    socket.on('close', () => open--);
  });
  const good = await pages(t, (_, response) => response.end('busy 0.5\n'));
  const one = watch(t, port, [{ agent_check: { port, interval: '300ms', timeout: '300ms' } }]);
  const backends = Array.from({ length: 1_000 }, (_, i) => ({ ...one.entry, id: `b${i}`, slot: i }));
  const scraped = Cluster.parse({ backends: [one.entry.url], signals: scrape(good) });
  one.watching.follow([
    { name: 'hanging', config: one.config, backends },
    { name: 'web', config: scraped, backends: [one.entry] },
  ]);
  await until('the page was read', () => one.signals().cpu !== null, 15_000);
  t.ok(most > 50 && most <= 300, `${most} at once`);
});
