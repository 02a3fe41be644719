// The registry as the composition root drives it: configure, tick, orders, restart.

import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cluster, type ClusterConfig } from '../../../lib/config/cluster.ts';
import type { BackendRegistry, BackendStatus } from '../../../lib/control/backend/ports.ts';
import { createRegistry } from '../../../lib/control/backend/registry.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { BackendState, NO_FORECAST, PLAIN_LEASES } from '../../../lib/scoreboard/ports.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeBoard } from '../../support/fake-board.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'leaseway-registry-'));
const cluster = (content: object): ClusterConfig => Cluster.parse(content);
const urls = (...ports: readonly number[]): string[] => ports.map(port => `http://127.0.0.1:${port}`);

class World {
  readonly clock = new FakeClock();
  readonly board = new FakeBoard();
  readonly log = new MemoryLog();
  readonly stateDir: string;
  readonly registry: BackendRegistry;
  changes = 0;

  constructor({ stateDir = folder(), maxBackends = 64, writer = 'one' } = {}) {
    this.stateDir = stateDir;
    const { clock, board, log } = this;
    this.registry = createRegistry({
      ...{ clock, board, log, stateDir, maxBackends, writer },
      random: seededRandom(5),
    });
    this.registry.onChange(() => {
      this.changes++;
    });
  }

  /** Configures and publishes, while the clock goes on. */
  async configure(clusters: Readonly<Record<string, object>>, stepMs = 1): Promise<void> {
    let done = false;
    const parsed = Object.fromEntries(Object.entries(clusters).map(([name, c]) => [name, cluster(c)]));
    const configured = this.registry.configure(parsed).finally(() => {
      done = true;
    });
    configured.catch(() => {});
    await eventually(this.clock, () => done, stepMs);
    await configured;
    this.tick();
  }

  tick(ms = 0): void {
    this.clock.advance(ms);
    this.board.publish(this.registry.tick());
  }

  status(id: string): BackendStatus {
    const found = this.registry.status().find(status => status.id === id);
    if (found === undefined) throw new Error(`no backend ${id}`);
    return found;
  }

  states(): Record<string, string> {
    return Object.fromEntries(this.registry.status().map(({ id, state }) => [id, state]));
  }
}

const pair = {
  backends: [
    { id: 'a', url: 'http://127.0.0.1:1' },
    { id: 'b', url: 'http://127.0.0.1:2' },
  ],
};

t.test('configured backends have slots, generations and decisions', async t => {
  const world = new World();
  await world.configure({ web: { ...pair, limits: { concurrency: 7 } } });
  t.match(world.registry.entries(), [
    {
      name: 'web',
      backends: [
        { id: 'a', url: 'http://127.0.0.1:1', weight: 1, generation: 1 },
        { id: 'b', url: 'http://127.0.0.1:2', weight: 1, generation: 1 },
      ],
    },
  ]);
  const { slot, slotGeneration } = world.registry.entries()[0]!.backends[0]!;
  t.same(world.board.published.get(slot), {
    state: BackendState.up,
    milliWeight: 1000,
    concurrency: 7,
    slotGeneration,
    ...NO_FORECAST,
    ...PLAIN_LEASES,
  });
  t.match(world.status('a'), {
    health: 'unknown',
    healthDetail: 'not checked',
    source: 'static',
    state: 'up',
  });
});

t.test('a reload that changes nothing for a backend leaves its slot, health and statistics', async t => {
  const world = new World();
  await world.configure({ web: pair });
  const before = world.registry.entries();
  const { slot } = world.status('a');
  world.board.succeed(slot, 10);
  await world.configure({ web: pair });
  t.equal(world.registry.entries()[0]!.backends[0]!.slot, slot);
  t.equal(world.status('a').requests, 10);
  await world.configure({ web: { backends: [...pair.backends, 'http://127.0.0.1:3'] } });
  t.not(world.registry.entries(), before, 'membership changed');
  t.equal(world.status('a').slot, slot);
  t.equal(world.status('a').requests, 10);
});

t.test('entries stay the same array until something changed', async t => {
  const world = new World();
  await world.configure({ web: pair });
  const before = world.registry.entries();
  world.tick(1_000);
  t.equal(world.registry.entries(), before);
  world.registry.setWeight('web', 'a', 3);
  t.not(world.registry.entries(), before);
  t.equal(world.registry.entries()[0]!.backends[0]!.weight, 3);
});

t.test('changes that come together are told once, and a caller of configure is not told again', async t => {
  const world = new World();
  await world.configure({ web: pair });
  await world.clock.pass(1_000);
  t.equal(world.changes, 0);
  for (const port of [11, 12, 13])
    world.registry.add('web', { url: `http://127.0.0.1:${port}`, weight: 1, id: undefined });
  await world.clock.pass(1_000);
  t.equal(world.changes, 1);
  t.equal(world.registry.entries()[0]!.backends.length, 5);
});

t.test(
  'a removed backend keeps its slot until nothing is in flight, and its tunnels end at the pace',
  async t => {
    const world = new World();
    await world.configure({ web: { ...pair, drain: { pace: 20 } } });
    const { slot } = world.status('a');
    world.board.tunnelsAt.set(slot, 100);
    await world.configure({ web: { backends: [pair.backends[1]!], drain: { pace: 20 } } });
    t.same(
      world.registry.tunnelsToEnd(() => 0),
      [{ slots: [slot], spared: [slot], perSecond: 20 }],
    );
    t.equal(
      world.board.published.get(slot)?.state,
      BackendState.up,
      'until all know the snapshot without it',
    );
    world.tick(60_000);
    t.equal(world.board.published.get(slot)?.state, BackendState.none);
    world.registry.add('web', { id: 'c', url: 'http://127.0.0.1:3', weight: 1 });
    t.not(world.status('c').slot, slot);
    world.board.tunnelsAt.delete(slot);
    t.same(
      world.registry.tunnelsToEnd(() => 0),
      [],
    );
    world.tick(250);
    t.notOk(world.board.published.has(slot), 'free');
  },
);

t.test('a removed cluster ends its tunnels at the pace it had', async t => {
  const world = new World();
  await world.configure({ web: pair, chat: { backends: ['http://127.0.0.1:9'], drain: { pace: 3 } } });
  const { slot } = world.status('127.0.0.1:9');
  world.board.tunnelsAt.set(slot, 10);
  await world.configure({ web: pair });
  t.same(
    world.registry.tunnelsToEnd(() => 0),
    [{ slots: [slot], spared: [slot], perSecond: 3 }],
  );
});

t.test('another URL under the same name is another backend', async t => {
  const world = new World();
  await world.configure({ web: pair });
  const before = world.registry.entries()[0]!.backends[0]!;
  await world.configure({ web: { backends: [{ id: 'a', url: 'http://127.0.0.1:7' }, pair.backends[1]] } });
  const after = world.registry.entries()[0]!.backends.find(({ id }) => id === 'a')!;
  t.not(after.slot, before.slot);
  t.ok(after.generation > before.generation, 'leases on the old one end');
});

t.test('a backend that goes and returns carries a higher generation', async t => {
  const world = new World();
  await world.configure({ web: pair });
  await world.configure({ web: { backends: [pair.backends[1]!] } });
  await world.configure({ web: pair });
  t.equal(world.status('a').generation, 2);
});

t.test('max_backends is a bound with a clear error', async t => {
  const world = new World({ maxBackends: 2 });
  await t.rejects(world.configure({ web: { backends: urls(1, 2, 3) } }), {
    code: 'CONFIG_INVALID',
    message: /3 backends are more than max_backends, which is 2/,
  });
  t.same(world.registry.status(), [], 'nothing was changed');
  await world.configure({ web: { backends: urls(1, 2) } });
  t.throws(() => world.registry.add('web', { url: 'http://127.0.0.1:3', weight: 1, id: undefined }), {
    code: 'CONFIG_INVALID',
    message: /max_backends/,
  });
});

t.test('a backend without a slot waits until one is free', async t => {
  const world = new World({ maxBackends: 2 });
  await world.configure({ web: { backends: urls(1, 2) } });
  const { slot } = world.status('127.0.0.1:1');
  world.board.requestsAt.set(slot, 1);
  await world.configure({ web: { backends: urls(2, 3) } });
  t.equal(world.log.count('error', 'no room for backend 127.0.0.1:3'), 1);
  world.tick(10_000);
  t.same(Object.keys(world.states()), ['127.0.0.1:2']);
  world.board.requestsAt.delete(slot);
  world.tick(250);
  world.tick(250);
  t.same(Object.keys(world.states()), ['127.0.0.1:2', '127.0.0.1:3']);
  t.equal(world.log.count('error', 'no room'), 1, 'said once');
});

t.test(
  'a drain keeps leases until its deadline, then it is maintenance until someone gives it back',
  async t => {
    const world = new World();
    await world.configure({ web: { ...pair, drain: { deadline: '60s', pace: 10 } } });
    const { slot, generation } = world.status('a');
    world.board.tunnelsAt.set(slot, 100);
    world.registry.drain('web', 'a');
    world.tick();
    t.match(world.status('a'), {
      admin: 'drain',
      state: 'draining',
      effectiveWeight: 0,
      drainUntilMs: world.clock.wallMs() + 60_000,
      generation,
    });
    t.equal(world.board.published.get(slot)?.state, BackendState.draining);
    t.same(
      world.registry.tunnelsToEnd(() => 0),
      [],
      'there is time',
    );
    world.tick(50_000);
    t.same(
      world.registry.tunnelsToEnd(() => 100),
      [],
      'the planner moves them all',
    );
    t.same(
      world.registry.tunnelsToEnd(() => 0),
      [{ slots: [slot], spared: [slot], perSecond: 13 }],
    );
    world.board.tunnelsAt.delete(slot);
    world.tick(10_000);
    t.match(world.status('a'), { admin: 'maintenance', state: 'maintenance', drainUntilMs: null });
    t.equal(world.status('a').generation, generation + 1, 'its leases have ended');
    world.registry.undrain('web', 'a');
    t.match(world.status('a'), { admin: 'ready', state: 'up' });
  },
);

t.test('a drain that is taken back leaves the leases as they were', async t => {
  const world = new World();
  await world.configure({ web: pair });
  world.board.tunnelsAt.set(world.status('a').slot, 1_000_000);
  world.registry.drain('web', 'a', 30_000);
  t.equal(world.registry.tunnelsToEnd(() => 0).length, 1);
  world.registry.undrain('web', 'a');
  world.tick();
  t.match(world.status('a'), { state: 'up', generation: 1 });
  t.same(
    world.registry.tunnelsToEnd(() => 0),
    [],
  );
});

t.test('maintenance takes a backend out at once and ends its leases', async t => {
  const world = new World();
  await world.configure({ web: pair });
  world.registry.maintenance('web', 'a');
  world.registry.maintenance('web', 'a');
  t.match(world.status('a'), { state: 'maintenance', generation: 2 });
  world.registry.drain('web', 'a');
  t.match(world.status('a'), { state: 'maintenance' }, 'it is out already');
});

t.test('orders about what is not there say what is', async t => {
  const world = new World();
  await world.configure({ web: pair });
  for (const order of ['drain', 'undrain', 'maintenance', 'remove'] as const) {
    t.throws(() => world.registry[order]('nope', 'a'), { code: 'NOT_FOUND', message: /clusters are: web/ });
    t.throws(() => world.registry[order]('web', 'z'), { code: 'NOT_FOUND', message: /it has: a, b/ });
  }
  t.throws(() => world.registry.setWeight('web', 'z', 1), { code: 'NOT_FOUND' });
  t.throws(() => world.registry.setWeight('web', 'a', -1), { code: 'CONFIG_INVALID' });
  t.throws(() => world.registry.add('nope', { id: 'x', url: 'http://a:1', weight: 1 }), {
    code: 'NOT_FOUND',
  });
  t.throws(() => world.registry.add('web', { id: 'a', url: 'http://a:1', weight: 1 }), { code: 'CONFLICT' });
  t.throws(() => world.registry.remove('web', 'a'), { code: 'NOT_FOUND', message: /it comes from static/ });
});

t.test('what operators decided survives restart and reload', async t => {
  const first = new World();
  await first.configure({ web: { ...pair, drain: { deadline: '10m' } } });
  first.registry.drain('web', 'a');
  first.registry.setWeight('web', 'b', 5);
  first.registry.add('web', { id: 'extra', url: 'http://127.0.0.1:3', weight: 2 });
  first.registry.maintenance('web', 'extra');
  const { drainUntilMs } = first.status('a');
  first.registry.entries();
  await first.registry[Symbol.asyncDispose]();
  t.equal(first.clock.pending, 0, 'nothing is left running');

  const second = new World({ stateDir: first.stateDir, writer: 'two' });
  await second.configure({ web: pair });
  t.match(second.status('a'), { state: 'draining', drainUntilMs });
  t.match(second.status('b'), { weight: 5 });
  t.match(second.status('extra'), { state: 'maintenance', source: 'api', weight: 2, generation: 2 });
  second.registry.remove('web', 'extra');
  second.registry.setWeight('web', 'b', null);
  t.same(second.states(), { a: 'draining', b: 'up' });
  t.equal(second.status('b').weight, 1);
});

t.test('a drain whose deadline passed while the proxy was off is maintenance', async t => {
  const first = new World();
  await first.configure({ web: pair });
  first.registry.drain('web', 'a', 1_000);
  first.registry.entries();
  await first.registry[Symbol.asyncDispose]();
  const second = new World({ stateDir: first.stateDir });
  second.clock.stepWall(5_000);
  await second.configure({ web: pair });
  t.match(second.status('a'), { state: 'maintenance', generation: 2 });
});

t.test('a control thread that restarts finds slots and generations as they were', async t => {
  const first = new World();
  await first.configure({ web: pair });
  first.registry.maintenance('web', 'b');
  first.registry.undrain('web', 'b');
  const entries = first.registry.entries();
  // It dies without a word.
  const second = new World({ stateDir: first.stateDir });
  await second.configure({ web: { backends: [...pair.backends].reverse() } });
  const again = second.registry.entries()[0]!.backends;
  for (const before of entries[0]!.backends)
    t.same(
      again.find(({ id }) => id === before.id),
      before,
    );
});

t.test('damaged state files do not keep the proxy from starting', async t => {
  const stateDir = folder();
  writeFileSync(join(stateDir, 'admin.json'), '{{{');
  writeFileSync(join(stateDir, 'backends.json'), 'null and void');
  const world = new World({ stateDir });
  await world.configure({ web: pair });
  t.same(world.states(), { a: 'up', b: 'up' });
  t.equal(world.log.count('error', 'cannot be read'), 2);
});

t.test(
  'failures of real requests eject, announce a failover, and the backend returns on probation',
  async t => {
    const world = new World();
    await world.configure({ web: { backends: urls(1, 2, 3) } });
    const id = '127.0.0.1:1';
    const { slot } = world.status(id);
    world.board.fail(slot, 5);
    world.tick(250);
    t.match(world.status(id), {
      state: 'down',
      generation: 2,
      failures: 5,
      ejectedUntilMs: world.clock.wallMs() + 10_000,
      healthDetail: /ejected: 5 failures in a row/,
    });
    t.equal(world.log.count('warn', 'is ejected'), 1);
    world.tick(10_000);
    t.match(world.status(id), { state: 'up', effectiveWeight: 0.1, ejectedUntilMs: null });
    world.board.succeed(slot, 1);
    world.tick(250);
    t.match(world.status(id), { state: 'up', effectiveWeight: 1 });
  },
);

t.test('never more than the share is ejected, and the worst go first', async t => {
  const world = new World();
  await world.configure({ web: { backends: urls(1, 2, 3, 4) } });
  for (const [port, failures] of [
    [1, 5],
    [2, 9],
    [3, 7],
    [4, 6],
  ] as const)
    world.board.fail(world.status(`127.0.0.1:${port}`).slot, failures);
  world.tick(250);
  t.same(world.states(), {
    '127.0.0.1:1': 'up',
    '127.0.0.1:2': 'down',
    '127.0.0.1:3': 'down',
    '127.0.0.1:4': 'up',
  });
});

/** Backends over real HTTP whose answers a test sets. */
async function statusServer(): Promise<{ server: Server; url: string; answer: { status: number } }> {
  const answer = { status: 200 };
  const server = createServer((_, response) => response.writeHead(answer.status).end());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, answer };
}

t.test('checks decide from the first result on, and a failover raises the generation', async t => {
  const good = await statusServer();
  const bad = await statusServer();
  bad.answer.status = 503;
  const world = new World();
  const backends = [
    { id: 'good', url: good.url },
    { id: 'bad', url: bad.url },
  ];
  const health = { http: {}, interval: '1s', rise: 2, fall: 2 };
  await world.configure({ web: { backends, health, balance: { slow_start: '20s' } } });
  t.same(world.states(), { good: 'up', bad: 'down' }, 'known as soon as configure is done');
  t.match(world.status('bad'), { health: 'down', healthDetail: 'HTTP 503', generation: 1 });
  t.equal(world.status('good').effectiveWeight, 1, 'no slow start at the start');

  bad.answer.status = 200;
  await eventually(world.clock, () => world.status('bad').health === 'up', 100);
  t.equal(world.status('bad').effectiveWeight, 0.1, 'but for one that comes later');
  await eventually(world.clock, () => world.status('bad').effectiveWeight === 1, 500);

  good.answer.status = 500;
  await eventually(world.clock, () => world.status('good').healthDetail.includes('until down'), 100);
  t.equal(world.status('good').state, 'up');
  await eventually(world.clock, () => world.status('good').state === 'down', 100);
  t.match(world.status('good'), { healthDetail: 'HTTP 500', generation: 2 });
  await world.registry[Symbol.asyncDispose]();
});

t.test('with too few usable, health is ignored, which is said once; operators are not', async t => {
  const server = await statusServer();
  const world = new World();
  const backends = ['a', 'b', 'c', 'd'].map((id, index) => ({
    id,
    url: index === 0 ? server.url : 'http://127.0.0.1:1',
  }));
  await world.configure({ web: { backends, health: { http: {}, interval: '1s' } } });
  world.tick(250);
  t.same(world.states(), { a: 'up', b: 'up', c: 'up', d: 'up' });
  t.equal(world.log.count('error', 'only 1 of 4 backends are usable'), 1);
  world.registry.maintenance('web', 'b');
  world.tick(250);
  t.equal(world.status('b').state, 'maintenance');
  world.registry.maintenance('web', 'c');
  world.tick(250);
  t.same(world.states(), { a: 'up', b: 'maintenance', c: 'maintenance', d: 'down' }, 'one of two is enough');
  t.equal(world.log.count('info', 'health counts again'), 1);
  await world.registry[Symbol.asyncDispose]();
});

t.test('checks that are switched on later do not take a serving backend out before they spoke', async t => {
  const server = await statusServer();
  const world = new World();
  const backends = [{ id: 'a', url: server.url }];
  await world.configure({ web: { backends } });
  server.answer.status = 500;
  await world.configure({ web: { backends, health: { http: {}, fall: 1 }, balance: { panic: 0 } } });
  t.match(world.status('a'), { state: 'up', healthDetail: 'not checked yet' });
  await eventually(world.clock, () => world.status('a').state === 'down', 100);
  await world.configure({ web: { backends } });
  t.match(world.status('a'), { state: 'up', health: 'unknown' });
  await world.registry[Symbol.asyncDispose]();
});

t.test('configure waits for hanging backends no longer than two seconds', async t => {
  const world = new World();
  const server = createServer(() => {});
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const startMs = world.clock.monotonicMs();
  await world.configure({ web: { backends: [url], health: { http: {}, timeout: '30s' } } }, 50);
  t.ok(world.clock.monotonicMs() - startMs < 2_100);
  t.match(Object.values(world.states()), ['up'], 'nothing else is there to try');
  await world.registry[Symbol.asyncDispose]();
});

t.test('a discovery file feeds the cluster, and going over to another keeps who is in both', async t => {
  const world = new World();
  const one = join(folder(), 'one.yaml');
  const two = join(folder(), 'two.yaml');
  writeFileSync(one, '- http://127.0.0.1:1\n- http://127.0.0.1:2\n');
  writeFileSync(two, '- http://127.0.0.1:2\n- http://127.0.0.1:3\n');
  await world.configure({ web: { discovery: { file: one } } });
  const { slot } = world.status('127.0.0.1:2');
  t.equal(world.status('127.0.0.1:2').source, 'file');
  await world.configure({ web: { discovery: { file: two } } });
  t.same(Object.keys(world.states()).sort(), ['127.0.0.1:2', '127.0.0.1:3']);
  t.match(world.status('127.0.0.1:2'), { slot, generation: 1 });
  await world.configure({ web: { backends: ['http://127.0.0.1:2'] } });
  t.same(world.states(), { '127.0.0.1:2': 'up' });
  await world.registry[Symbol.asyncDispose]();
});
