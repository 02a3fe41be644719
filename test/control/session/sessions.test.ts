// Sessions in virtual time, the planner, the workers' word and the operators' together.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { SessionWorld } from '../../support/session-world.ts';

const QUIET_MS = 20_000;

t.test('a cluster in which nothing can move is asked rarely, and one without tunnels never', async t => {
  const world = new SessionWorld(t.testdir());
  world.pass(1_000);
  t.equal(world.watchedMs, 0);
  world.open('a', 3);
  for (const tunnel of world.tunnels) tunnel.movable = false;
  world.pass(1_000);
  t.equal(world.watchedMs, 2_000, 'one might turn up');
  t.equal(world.sessions.report()[0]!.sessions, 0);
  world.tunnels[1]!.movable = true;
  world.pass(1_000);
  t.equal(world.watchedMs, 500);
  t.equal(world.sessions.report()[0]!.sessions, 1);
  t.equal(world.sessions.find('0-1'), null, 'it cannot move');
  t.match(world.sessions.find('0-2'), { backend: 'a', type: 'dynamic', movingTo: null });
  world.tunnels = [];
  world.pass(1_000);
  t.equal(world.sessions.report()[0]!.sessions, 0, 'who is missing has closed');
});

t.test(
  'an overloaded backend sheds until it is at the lower line, each move with its reason and end',
  async t => {
    const world = new SessionWorld(t.testdir(), { migration: { per_second: 10 } });
    world.open('a', 60);
    world.open('b', 30);
    world.open('c', 30);
    world.pass(QUIET_MS);
    t.equal(world.ordered.length + world.decided.length, 0, 'at 0.6 nothing moves');
    world.at('a').price = 0.016;
    world.pass(QUIET_MS);
    const left = world.countOn('a');
    t.ok(left * 0.016 <= 0.82 && left * 0.016 > 0.5, `down at the line: ${left * 0.016}`);
    const moves = world.decided.filter(({ outcome }) => outcome === 'moved');
    t.equal(moves.length, 60 - left);
    for (const move of moves)
      t.match(move, { kind: 'migration', from: 'a', reason: /overload|forecast/, holdMs: 1 });
    t.same(new Set(moves.map(({ to }) => to)), new Set(['b', 'c']), 'both take their share');
    t.ok(
      moves.every(({ fromLevel, toLevel }) => fromLevel! > 0.8 && toLevel! < 0.87),
      'with the figures that counted',
    );
    t.match(world.sessions.decisions({ limit: 1 })[0], { sequence: world.decided.length });
  },
);

t.test('an announced event moves sessions before it begins', async t => {
  const world = new SessionWorld(t.testdir(), { migration: { per_second: 10 } });
  world.open('a', 50);
  world.open('b', 20);
  world.open('c', 20);
  world.pass(60_000);
  const startWallMs = world.clock.wallMs() + 40_000;
  world
    .at('a')
    .seat.calendar!.announce({ name: 'job', startWallMs, endWallMs: startWallMs + 60_000, factor: 2.5 });
  world.pass(8_000);
  t.equal(world.decided.length, 0, 'far away yet');
  world.pass(30_000);
  t.ok(world.clock.wallMs() < startWallMs);
  t.ok(world.countOn('a') * 0.01 * 2.5 <= 0.87, `ready for it with ${world.countOn('a')} of 50`);
  t.ok(world.decided.every(({ reason }) => reason === 'forecast'));
});

t.test('shadow shows the same and does nothing, but for a backend that is gone', async t => {
  const world = new SessionWorld(t.testdir(), { migration: { per_second: 10, mode: 'shadow' } });
  world.open('a', 60);
  world.open('b', 20);
  world.pass(QUIET_MS);
  world.at('a').price = 0.02;
  world.pass(5_000);
  t.equal(world.countOn('a'), 60, 'nobody moved');
  t.ok(world.decided.length > 10 && world.decided.every(({ outcome }) => outcome === 'shadow'));
  const shown = world.decided.map(({ session }) => session);
  t.equal(new Set(shown).size, shown.length, 'each once');
  world.at('a').seat.state = 'down';
  world.at('a').seat.takesNew = false;
  world.pass(1_000);
  t.equal(world.countOn('a'), 0, 'its failure is no plan');
  t.ok(world.decided.filter(({ kind, outcome }) => kind === 'failover' && outcome === 'moved').length === 60);
});

t.test('freeze holds moves for load at once, and over a restart; failover and operators go on', async t => {
  const stateDir = t.testdir();
  const world = new SessionWorld(stateDir, { migration: { per_second: 4 } });
  world.open('a', 60);
  world.open('b', 40);
  world.open('c', 40);
  world.pass(QUIET_MS);
  world.at('a').price = 0.02;
  world.pass(3_000);
  const moved = 60 - world.countOn('a');
  t.ok(moved > 0 && moved < 20, `under way: ${moved}`);
  world.sessions.freeze('chat');
  world.pass(10_000);
  t.equal(60 - world.countOn('a'), moved, 'not one more');
  world.restart();
  world.pass(30_000);
  t.equal(60 - world.countOn('a'), moved, 'a new control thread knows it');
  t.match(world.sessions.report()[0], { frozen: true });
  // The first that is on b.
  world.sessions.move('0-61', 'c');
  world.answer();
  t.match(world.decided.at(-1), { reason: 'operator', outcome: 'moved', to: 'c', session: '0-61' });
  t.throws(() => world.sessions.move('0-61', 'c'), { code: 'CONFLICT', message: /is on c already/ });
  t.throws(() => world.sessions.move('0-61', 'x'), { code: 'CONFLICT', message: /no backend x/ });
  t.throws(() => world.sessions.move('0-999', 'c'), { code: 'NOT_FOUND' });
  t.throws(() => world.sessions.freeze('shop'), { code: 'NOT_FOUND', message: /the clusters are: chat/ });
  world.at('b').seat.state = 'down';
  world.at('b').seat.takesNew = false;
  world.pass(500);
  t.equal(world.countOn('b'), 0, 'failover stays');
  world.at('c').price = 0.004;
  world.sessions.unfreeze(null);
  t.same(world.sessions.freezes(), []);
  world.pass(10_000);
  t.ok(60 - world.countOn('a') > moved);
});

t.test('a freeze that cannot be read counts as one of everything', async t => {
  const stateDir = t.testdir();
  writeFileSync(join(stateDir, 'freeze.json'), '{ half');
  const world = new SessionWorld(stateDir);
  t.match(world.sessions.freezes(), [{ cluster: null }]);
  t.match(readFileSync(join(stateDir, 'freeze.json.bad'), 'utf8'), 'half');
});

t.test('moves that fail, get no answer, or lose their worker are said and given up', async t => {
  const world = new SessionWorld(t.testdir(), { migration: { per_second: 20, dwell: '60s' } });
  world.open('a', 50);
  for (const id of ['b', 'c']) world.open(id, 40);
  world.pass(QUIET_MS);
  world.at('a').price = 0.03;
  world.obey = () => 'failed';
  world.pass(5_000);
  const failed = world.decided.filter(({ outcome }) => outcome === 'failed').map(({ session }) => session);
  t.ok(failed.length > 5);
  t.equal(new Set(failed).size, failed.length, 'one that failed is not tried again at once');
  world.obey = () => null;
  world.pass(140_000);
  t.match(
    world.decided.find(({ outcome }) => outcome === 'lost'),
    { detail: 'no answer from its worker' },
  );
  t.ok(world.sessions.report()[0]!.underWay > 0);
  world.sessions.gone(0);
  t.match(world.sessions.report()[0], { underWay: 0 });
  t.match(world.decided.at(-1), { outcome: 'lost', detail: 'its worker ended' });
  world.obey = () => 'moved';
  world.pass(1_000);
  t.equal(world.sessions.report()[0]!.sessions, 130, 'the worker that follows tells of its own');
});

t.test('the planner is not led astray by a wall clock that steps', async t => {
  const world = new SessionWorld(t.testdir(), { migration: { per_second: 10 }, drain: { pace: 1 } });
  for (const id of ['a', 'b', 'c']) world.open(id, 50);
  world.pass(20_000);
  world.clock.stepWall(-3_600_000);
  world.pass(10_000);
  world.clock.stepWall(7_200_000);
  world.pass(10_000);
  t.equal(world.decided.length, 0, 'nothing moved for it');
  const startWallMs = world.clock.wallMs();
  world.at('a').seat.state = 'draining';
  world.at('a').seat.takesNew = false;
  world.at('a').seat.drainUntilMs = startWallMs + 30_000;
  world.pass(10_000);
  const left = world.countOn('a');
  t.ok(left > 10 && left < 40, `evenly: ${left}`);
  world.pass(15_000);
  t.equal(world.countOn('a'), 0, 'done before the deadline');
  t.ok(world.decided.every(({ reason }) => reason === 'drain'));
});

t.test('static sessions move for failure and at the end of a drain only', async t => {
  const sticky = { type: 'static' };
  const world = new SessionWorld(t.testdir(), { sticky, migration: { per_second: 10 } });
  world.open('a', 60);
  world.open('b', 10);
  world.at('a').price = 0.02;
  world.pass(20_000);
  t.equal(world.countOn('a'), 60);
  t.match(world.sessions.report()[0]!.stuck, [{ backend: 'a', why: 'nothing_movable' }]);
  world.at('a').seat.state = 'draining';
  world.at('a').seat.takesNew = false;
  world.at('a').seat.drainUntilMs = world.clock.wallMs() + 60_000;
  world.pass(30_000);
  t.equal(world.countOn('a'), 60, 'honoured');
  world.pass(28_000);
  t.equal(world.countOn('a'), 0);
});

t.test(
  'a drain moves at its pace, an undrain leaves the rest, maintenance and removal empty it at once',
  async t => {
    const world = new SessionWorld(t.testdir(), { drain: { pace: 5 }, migration: { per_second: 0.1 } });
    for (const id of ['a', 'b', 'c']) world.open(id, 40);
    world.pass(20_000);
    const a = world.at('a').seat;
    a.state = 'draining';
    a.takesNew = false;
    a.drainUntilMs = world.clock.wallMs() + 600_000;
    world.pass(4_000);
    const left = world.countOn('a');
    t.ok(left >= 18 && left <= 21, `twenty in four seconds: ${left} left`);
    t.equal(world.sessions.plannedOn(a.slot), left);
    Object.assign(a, { state: 'up', drainUntilMs: null });
    world.pass(5_000);
    t.equal(world.countOn('a'), left, 'undrained in the middle');
    a.state = 'maintenance';
    world.pass(2_000);
    t.equal(world.countOn('a'), 0);
    const b = world.at('b').seat;
    Object.assign(b, { state: 'gone', takesNew: false });
    Object.assign(a, { state: 'up', takesNew: true });
    world.pass(3_000);
    t.equal(world.countOn('b'), 0, 'it is in no list any more, and its connections are');
    t.notOk(
      world.sessions.report()[0]!.backends.some(({ backend }) => backend === 'b'),
      'nor shown',
    );
    t.ok(
      world.decided.every(({ reason }) => reason === 'drain'),
      'nobody failed',
    );
  },
);

t.test(
  'HTTP sessions of a backend that drains leave evenly, frozen or not, and an undrain keeps the rest',
  async t => {
    const world = new SessionWorld(t.testdir(), { sticky: {} });
    const of = (id: string) => world.sessions.tick().get(world.at(id).seat.slot)!;
    const share = () => of('a').shedFraction / 65_536;
    world.pass(1_000);
    const a = world.at('a').seat;
    const busy = () => {
      a.requests += 1;
    };
    Object.assign(a, { state: 'draining', takesNew: false, drainUntilMs: world.clock.wallMs() + 70_000 });
    world.sessions.freeze(null);
    world.pass(15_000, busy);
    t.ok(Math.abs(share() - 0.25) < 0.02, `${share()} after a quarter of the minute`);
    t.ok(Math.abs(world.sessions.stayingOn('chat', a.slot)! - 0.75) < 0.02);
    const turn = of('a').shedTurn;
    world.restart();
    world.sessions.unfreeze(null);
    world.pass(15_000, busy);
    const half = share();
    t.ok(half > 0.3 && half < 0.5, `a new control thread goes on: ${half}`);
    world.pass(30_500, busy);
    t.equal(share(), 1, 'ten seconds before the deadline all have been told');
    t.equal(of('a').shedTurn, turn, 'who has left is not asked again');
    Object.assign(a, { state: 'up', takesNew: true, drainUntilMs: null });
    world.pass(250);
    t.match(of('a'), { shedFraction: 0 });
    t.equal(world.sessions.stayingOn('chat', a.slot), null);
    Object.assign(a, { state: 'draining', takesNew: false });
    world.pass(500);
    t.equal(share(), 1, 'an agent that drains its backend names no time');
    const told = world.decided.filter(({ reason }) => reason === 'drain').map(({ detail }) => detail);
    t.match(told[0], 'its HTTP sessions leave evenly in 60 s');
    const b = world.at('b').seat;
    Object.assign(b, { state: 'draining', takesNew: false, drainUntilMs: world.clock.wallMs() + 600_000 });
    world.pass(4_500);
    t.ok(of('b').shedFraction < 1_000);
    world.pass(1_000);
    t.equal(of('b').shedFraction, 65_536, 'nobody asks it for anything: nothing is waited for');
  },
);

t.test(
  'who is told to come again counts nowhere until then: no more are told than it takes, each once',
  async t => {
    const world = new SessionWorld(t.testdir(), {
      websocket: { migrate: 'reconnect' },
      migration: { per_second: 20 },
    });
    for (const id of ['a', 'b', 'c']) world.open(id, 60);
    world.pass(QUIET_MS);
    world.at('a').price = 0.016;
    const told: string[] = [];
    // It is listed until the closing handshake is over, or longer.
    world.obey = ({ id }) => {
      told.push(id);
      world.tunnels.find(({ sequence }) => id === `0-${sequence}`)!.messagesPerSecond = 0;
      return 'ended';
    };
    world.pass(3_000);
    t.equal(new Set(told).size, told.length);
    t.ok(told.length >= 10 && told.length <= 14, `${told.length} bring 0.96 to 0.8`);
    t.match(world.sessions.report()[0], { underWay: 0, sessions: 180 - told.length });
  },
);

t.test(
  'static HTTP sessions of a backend that drains are waited for until its deadline, while they come',
  async t => {
    const world = new SessionWorld(t.testdir(), { sticky: { type: 'static' } });
    const a = world.at('a').seat;
    const staying = () => world.sessions.stayingOn('chat', a.slot)!;
    Object.assign(a, { state: 'draining', takesNew: false, drainUntilMs: world.clock.wallMs() + 60_000 });
    const busy = () => {
      a.requests += 1;
    };
    world.pass(55_000, busy);
    t.ok(staying() > 0 && staying() < 1, `${staying()}`);
    world.pass(6_000, busy);
    t.equal(staying(), 0);
    t.match(world.decided[0], { reason: 'drain', detail: /^its HTTP sessions stay for (60|59) s$/ });
  },
);

t.test('a reload changes lines and budgets, and what is under way goes on', async t => {
  const world = new SessionWorld(t.testdir(), { migration: { over: 4, under: 3.9 } });
  world.open('a', 60);
  world.open('b', 95);
  world.open('c', 95);
  world.pass(QUIET_MS);
  world.at('a').price = 0.018;
  world.pass(5_000);
  t.notOk(
    world.decided.some(({ reason }) => reason !== 'fill'),
    'below the line',
  );
  world.configure({ migration: { per_second: 10 } });
  world.pass(20_000);
  t.ok(world.countOn('a') < 55);
});

t.test('HTTP sessions: a fraction that rises while it is needed, and ends; terms grow when calm', async t => {
  const world = new SessionWorld(t.testdir(), { sticky: { term: '10s', max: '2m' } });
  const of = (id: string) => world.sessions.tick().get(world.at(id).seat.slot)!;
  world.open('a', 30);
  world.open('b', 30);
  world.open('c', 30);
  for (const tunnel of world.tunnels) tunnel.movable = false;
  world.pass(10_000);
  t.match(of('a'), { shedFraction: 0, leaseMs: 10_000 });
  world.pass(40_000);
  t.match(of('a'), { leaseMs: 20_000 }, 'calm for two terms');
  world.pass(300_000);
  t.match(of('a'), { leaseMs: 120_000 }, 'at most so long');
  world.at('a').price = 0.04;
  world.pass(5_000);
  const first = of('a');
  t.equal(first.leaseMs, 10_000, 'short at once');
  t.ok(first.shedFraction > 0.02 * 65_536 && first.shedFraction < 0.5 * 65_536, `${first.shedFraction}`);
  world.pass(2_000);
  t.ok(of('a').shedFraction > first.shedFraction, 'more, as it is not enough yet');
  t.equal(of('b').shedFraction, 0);
  world.at('a').price = 0.02;
  world.pass(15_000);
  t.match(of('a'), { shedFraction: 0, shedTurn: 1 }, 'over, and the next time others are asked');
  const kinds = world.decided.map(({ kind, reason }) => `${kind} ${reason}`);
  t.ok(
    ['extension calm', 'extension busy', 'shed overload', 'shed relief'].every(kind => kinds.includes(kind)),
    `${new Set(kinds)}`,
  );
});
