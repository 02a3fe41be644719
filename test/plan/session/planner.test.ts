// What the planner moves, where to, how much, and what it leaves alone.

import t, { type Test } from 'tap';
import type { Forecaster } from '../../../lib/plan/forecast/forecaster.ts';
import { LoadForecaster } from '../../../lib/plan/forecast/load-forecaster.ts';
import { Levels } from '../../../lib/plan/session/levels.ts';
import {
  PLANNER_DEFAULTS,
  type PlannerSettings,
  SessionPlanner,
  type Standing,
} from '../../../lib/plan/session/planner.ts';
import { Price } from '../../../lib/plan/session/price.ts';
import { SessionTable } from '../../../lib/plan/session/table.ts';

const UP: Standing = { state: 'up', takesNew: true, deadlineMs: 0 };
const TICK_MS = 250;

/** Backends of which each takes 100 of activity, and says so truthfully and at once. */
class Stage {
  readonly table: SessionTable;
  readonly levels: Levels;
  readonly planner: SessionPlanner;
  readonly standings: Standing[];
  readonly capacity: number[];
  nowMs = 1_000_000;

  constructor(
    backends: number,
    settings: Partial<PlannerSettings> = {},
    forecaster?: () => Forecaster,
    horizonsMs: number[] = [],
  ) {
    this.table = new SessionTable(5_000, backends);
    this.standings = Array.from({ length: backends }, () => UP);
    this.capacity = Array.from({ length: backends }, () => 100);
    const make = forecaster ?? (() => new LoadForecaster({ stepMs: TICK_MS, horizonsMs: [] }));
    this.levels = new Levels(
      { table: this.table, prices: this.capacity.map(() => new Price(make(), 1)), demand: null },
      { horizonsMs, caution: 0 },
    );
    this.planner = new SessionPlanner({ ...PLANNER_DEFAULTS, ...settings }, this.table, this.levels);
  }

  /** `count` sessions on `slot`, long there. */
  open(slot: number, count: number, activity: number, movable = true): number[] {
    return Array.from({ length: count }, () => this.table.open(slot, activity, 0, movable));
  }

  tick() {
    this.nowMs += TICK_MS;
    const readings = this.capacity.map((capacity, slot) => ({
      load: this.table.activityOn(slot) / capacity,
      ageMs: 0,
    }));
    const up = [...this.standings.keys()].filter(slot => this.standings[slot]!.state !== 'absent');
    this.levels.observe(this.nowMs, this.nowMs, readings, up);
    return this.planner.plan(this.nowMs, this.standings);
  }

  /** Ticks for `ms`; every move succeeds at once. */
  run(ms: number) {
    const moves = [];
    for (let passed = 0; passed < ms; passed += TICK_MS)
      for (const move of this.tick().moves) {
        moves.push({ ...move, atMs: this.nowMs });
        this.planner.finished(move.row, true, this.nowMs);
      }
    return moves;
  }

  load(slot: number): number {
    return this.table.activityOn(slot) / this.capacity[slot]!;
  }
}

t.test('nothing moves while nobody is over', t => {
  const stage = new Stage(3);
  stage.open(0, 88, 1);
  stage.open(1, 80, 1);
  stage.open(2, 75, 1);
  t.same(stage.run(60_000), []);
  t.end();
});

t.test('sheds down to the lower line, no further, and onto the emptiest', t => {
  const stage = new Stage(3, { perSecond: 100 });
  stage.open(0, 95, 1);
  stage.open(1, 60, 1);
  stage.open(2, 70, 1);
  const moves = stage.run(30_000);
  t.equal(moves.length, 15);
  t.ok(moves.every(({ from, reason }) => from === 0 && reason === 'overload'));
  t.ok(Math.abs(stage.load(0) - 0.8) < 0.011);
  t.ok(Math.abs(stage.load(1) - stage.load(2)) < 0.06, 'the emptier one is filled first');
  t.end();
});

t.test('the largest that fit go first: few moves', t => {
  const stage = new Stage(2, { perSecond: 100 });
  const small = stage.open(0, 70, 1);
  const [large] = stage.open(0, 1, 14);
  const [huge] = stage.open(0, 1, 30);
  stage.open(1, 20, 1);
  stage.capacity[0] = 120;
  const moves = stage.run(10_000);
  t.equal(moves[0]!.row, large, 'one of the size that is needed');
  t.notOk(
    moves.some(({ row }) => row === huge),
    'not one that is far too large',
  );
  t.ok(moves.length <= 7, `${moves.length} moves`);
  t.ok(small.length > 0);
  t.end();
});

t.test('warm state is dear: the cold session goes', t => {
  const stage = new Stage(2, { perSecond: 100 });
  const [warm] = stage.open(0, 1, 10);
  const [cold] = stage.open(0, 1, 9);
  stage.open(0, 76, 1);
  stage.open(1, 20, 1);
  stage.table.movingCostS[warm!] = 600;
  const moves = stage.run(5_000);
  t.equal(moves[0]!.row, cold);
  t.notOk(moves.some(({ row }) => row === warm));
  t.end();
});

t.test('nobody is brought over the line by what it is given', t => {
  const stage = new Stage(3, { perSecond: 100 });
  stage.open(0, 99, 1);
  stage.open(1, 85, 1);
  stage.open(2, 86, 1);
  const moves = stage.run(20_000);
  t.ok(stage.load(1) <= 0.93 && stage.load(2) <= 0.93);
  t.ok(moves.every(({ toLevel }) => toLevel <= 0.93));
  const { stuck } = stage.tick();
  t.same(stuck, [], 'where all are equally full nothing is wanted');
  t.same(stage.run(30_000), [], 'and they do not pass sessions to each other');
  const tight = new Stage(2, { perSecond: 100 });
  tight.open(0, 150, 1);
  tight.open(1, 90, 1);
  tight.standings[1] = { state: 'up', takesNew: false, deadlineMs: 0 };
  tight.run(10_000);
  t.same(tight.tick().stuck, [{ slot: 0, why: 'no_room' }], 'what cannot be done is said');
  t.end();
});

t.test('the budget paces, per cluster and per backend', t => {
  const stage = new Stage(4, { perSecond: 4, perBackend: 2 });
  stage.open(0, 150, 1);
  for (const slot of [1, 2, 3]) stage.open(slot, 30, 1);
  let begun = 0;
  for (let i = 0; i < 40; i++) begun += stage.tick().moves.length;
  t.equal(begun, 2, 'two under way at one backend and no more');
  const fast = new Stage(4, { perSecond: 4 });
  fast.open(0, 150, 1);
  for (const slot of [1, 2, 3]) fast.open(slot, 30, 1);
  const moves = fast.run(10_000);
  t.ok(moves.length <= 44 && moves.length >= 36, `${moves.length} moves in 10 s at 4 a second`);
  t.end();
});

t.test('moves under way count on both sides', t => {
  const stage = new Stage(2, { perSecond: 1_000, perBackend: 1_000 });
  stage.open(0, 100, 1);
  stage.open(1, 50, 1);
  let begun = 0;
  // Nothing arrives for 10 s: were they not counted, each tick would begin the same again.
  for (let i = 0; i < 40; i++) begun += stage.tick().moves.length;
  t.equal(begun, 20);
  t.equal(stage.planner.underWay, 20);
  t.end();
});

t.test('a session stays where it was put for the dwell time, and the young are left alone', t => {
  const stage = new Stage(2, { perSecond: 1_000 });
  stage.nowMs = 100_000;
  for (let i = 0; i < 100; i++) stage.table.open(0, 1, 95_000);
  stage.open(1, 10, 1);
  t.same(stage.run(4_000), [], 'all are younger than ten seconds');
  const moved = stage.run(10_000);
  t.equal(moved.filter(({ reason }) => reason === 'overload').length, 20);
  // Now the other becomes too small for what it got.
  stage.capacity[1] = 25;
  t.notOk(
    stage.run(40_000).some(({ row }) => moved.some(move => move.row === row)),
    'they have just been moved',
  );
  t.ok(
    stage.run(40_000).some(({ row }) => moved.some(move => move.row === row)),
    'after a minute they may',
  );
  t.end();
});

t.test('what fails stays where it was, and is not tried again at once', t => {
  const stage = new Stage(2, { perSecond: 1_000 });
  stage.open(0, 95, 1);
  stage.open(1, 10, 1);
  const first = stage.tick().moves;
  for (const { row } of first) stage.planner.finished(row, false, stage.nowMs);
  t.equal(stage.load(0), 0.95);
  t.equal(stage.planner.underWay, 0);
  const again = stage.tick().moves;
  t.notOk(again.some(({ row }) => first.some(move => move.row === row)));
  t.ok(again.length > 0, 'others are tried');
  t.end();
});

t.test('a session that closes while it moves leaves nothing behind', t => {
  const stage = new Stage(2, { perSecond: 1_000 });
  stage.open(0, 95, 1);
  stage.open(1, 10, 1);
  const { moves } = stage.tick();
  for (const { row } of moves) {
    stage.planner.forget(row);
    stage.table.close(row);
  }
  t.equal(stage.planner.underWay, 0);
  t.equal(stage.levels.held(1), 10);
  t.equal(stage.levels.held(0), 95 - moves.length);
  stage.planner.finished(moves[0]!.row, true, stage.nowMs);
  t.equal(stage.levels.held(1), 10, 'a late word about it changes nothing');
  t.end();
});

t.test('a failed backend is left at once, as far as the others can take it; static sessions too', t => {
  const stage = new Stage(3, { perSecond: 2 });
  stage.open(0, 60, 1);
  const fixed = stage.open(0, 10, 1, false);
  stage.open(1, 50, 1);
  stage.open(2, 50, 1);
  stage.standings[0] = { state: 'down', takesNew: false, deadlineMs: 0 };
  const { moves } = stage.tick();
  t.equal(moves.length, 70, 'all in one tick, whatever the budget');
  t.ok(fixed.every(row => moves.some(move => move.row === row)));
  t.ok(moves.every(({ reason }) => reason === 'failover'));
  t.equal(moves.filter(({ to }) => to === 1).length, 35, 'evenly');
  t.end();
});

t.test('where no load is known sessions are spread by what they ask for', t => {
  const stage = new Stage(4);
  stage.capacity.fill(Number.NaN);
  stage.open(0, 60, 1);
  stage.open(3, 30, 1);
  stage.standings[0] = { state: 'down', takesNew: false, deadlineMs: 0 };
  const { moves } = stage.tick();
  const counts = [1, 2, 3].map(slot => moves.filter(({ to }) => to === slot).length);
  t.same(counts, [30, 30, 0]);
  t.end();
});

t.test('beyond what the others can take a failover is paced', t => {
  const stage = new Stage(2, { perSecond: 4 });
  stage.open(0, 90, 1);
  stage.open(1, 70, 1);
  stage.standings[0] = { state: 'down', takesNew: false, deadlineMs: 0 };
  const first = stage.tick();
  t.ok(first.moves.length >= 29 && first.moves.length <= 35, `${first.moves.length} to the brim`);
  t.same(first.stuck[0], { slot: 0, why: 'budget' });
  const rest = stage.run(5_000).length;
  t.ok(rest >= 19 && rest <= 21, `${rest} in five seconds`);
  t.end();
});

t.test('a drain has its pace, which is shared, where the deadline allows', t => {
  const stage = new Stage(4, { drainPerSecond: 4 });
  stage.open(0, 20, 1);
  stage.open(1, 20, 1);
  const draining: Standing = { state: 'draining', takesNew: false, deadlineMs: stage.nowMs + 600_000 };
  stage.standings[0] = stage.standings[1] = draining;
  const moves = stage.run(30_000);
  t.equal(moves.length, 40);
  const tookMs = moves.at(-1)!.atMs - moves[0]!.atMs;
  t.ok(tookMs > 8_500 && tookMs < 10_500, `${tookMs} ms for 40 at 4 a second`);
  t.end();
});

t.test('a drain is even at least, done before its deadline, static sessions last', t => {
  const stage = new Stage(3, { drainPerSecond: 0.1 });
  stage.open(0, 50, 1);
  const fixed = stage.open(0, 5, 1, false);
  stage.open(1, 10, 1);
  stage.open(2, 10, 1);
  const deadlineMs = stage.nowMs + 60_000;
  stage.standings[0] = { state: 'draining', takesNew: false, deadlineMs };
  const moves = stage.run(60_000);
  t.equal(moves.length, 55);
  t.ok(moves.every(({ atMs }) => atMs <= deadlineMs - 9_000));
  const half = moves.filter(({ atMs }) => atMs < deadlineMs - 35_000).length;
  t.ok(half > 20 && half < 32, `${half} of 50 after half of the time`);
  const firstFixed = moves.find(({ row }) => fixed.includes(row))!;
  t.ok(firstFixed.atMs >= deadlineMs - 21_000);
  t.equal(moves[0]!.atMs, stage.nowMs - 60_000 + TICK_MS, 'the first goes at once');
  t.end();
});

t.test('an undrain in the middle leaves the rest where it is', t => {
  const stage = new Stage(2, { fillBelowMean: 1, drainPerSecond: 0.1 });
  stage.open(0, 40, 1);
  stage.open(1, 40, 1);
  stage.standings[0] = { state: 'draining', takesNew: false, deadlineMs: stage.nowMs + 60_000 };
  stage.run(20_000);
  const left = stage.table.countOn(0);
  stage.standings[0] = UP;
  stage.run(500);
  t.ok(left > 10 && left < 35);
  t.equal(stage.table.countOn(0), left);
  t.end();
});

t.test('a new backend is filled by a bounded share, then left alone', t => {
  const stage = new Stage(4, { perSecond: 4 });
  for (const slot of [0, 1, 2]) stage.open(slot, 60, 1);
  const moves = stage.run(60_000);
  t.ok(moves.every(({ to, reason }) => to === 3 && reason === 'fill'));
  t.ok(stage.load(3) > 0.2 && stage.load(3) < 0.4, `filled to ${stage.load(3)}`);
  const perSecond = moves.filter(({ atMs }) => atMs < moves[0]!.atMs + 5_000).length / 5;
  t.ok(perSecond <= 2.3, `${perSecond} a second: half of the budget`);
  t.same(stage.run(60_000), [], 'it comes to rest');
  t.end();
});

t.test('who takes nothing new is given nothing', t => {
  const stage = new Stage(3, { perSecond: 100 });
  stage.open(0, 95, 1);
  stage.open(2, 50, 1);
  stage.standings[1] = { state: 'up', takesNew: false, deadlineMs: 0 };
  t.ok(stage.run(5_000).every(({ to }) => to === 2));
  t.end();
});

t.test('more cannot move than is there', t => {
  const stage = new Stage(2, { perSecond: 1_000, perBackend: 1_000 });
  stage.open(0, 3, 50, false);
  stage.open(1, 1, 1);
  t.same(stage.tick(), { moves: [], stuck: [{ slot: 0, why: 'nothing_movable' }] });
  stage.standings[0] = { state: 'absent', takesNew: false, deadlineMs: 0 };
  stage.standings[1] = { state: 'down', takesNew: false, deadlineMs: 0 };
  t.same(stage.tick().stuck, [{ slot: 1, why: 'no_room' }]);
  t.end();
});

/** Knows that the price doubles for ten seconds from `atMs` on. */
const foresees = (t: Test, atMs: number): (() => Forecaster) => {
  t.ok(atMs > 0);
  return () => {
    let nowMs = 0;
    let load = 0;
    return {
      observe: sample => {
        nowMs = sample.atMs;
        load = sample.load;
      },
      forecast: horizonMs => {
        const p50 = nowMs + horizonMs >= atMs ? 2 * load : load;
        return { p50, p90: p50 };
      },
      chanceOver: () => 0,
    };
  };
};

t.test('what is foreseen is acted on before it comes', t => {
  const atMs = 1_030_000;
  const stage = new Stage(4, { perSecond: 10 }, foresees(t, atMs), [20_000]);
  stage.open(0, 60, 1);
  for (const slot of [1, 2, 3]) stage.open(slot, 5, 1);
  const moves = stage.run(25_000);
  t.ok(
    moves.length >= 19 && moves.length <= 21,
    `${moves.length} moves: 1.2 down to 0.8 with prices twice as high`,
  );
  t.ok(moves.every(({ reason, from }) => reason === 'forecast' && from === 0));
  t.ok(moves[0]!.atMs >= atMs - 20_000 && moves[0]!.atMs < atMs - 19_000);
  t.end();
});

t.test('clocks that step, loads that are no numbers: nothing is moved by them', t => {
  const stage = new Stage(2);
  stage.open(0, 85, 1);
  stage.open(1, 50, 1);
  stage.run(5_000);
  for (const load of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    stage.nowMs += TICK_MS;
    stage.levels.observe(
      stage.nowMs,
      stage.nowMs - 86_400_000,
      [
        { load, ageMs: 0 },
        { load: 0.5, ageMs: 0 },
      ],
      [0, 1],
    );
    t.same(stage.planner.plan(stage.nowMs, stage.standings).moves, [], String(load));
  }
  t.same(stage.run(5_000), []);
  t.end();
});
