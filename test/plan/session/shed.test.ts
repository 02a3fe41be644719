import t from 'tap';
import {
  NO_SHED,
  SHED_DEFAULTS,
  type ShedState,
  stepDrain,
  stepShed,
} from '../../../lib/plan/session/shed.ts';

const TICK_MS = 250;

/** A backend whose HTTP sessions leave at their next request, seen two seconds late, and its peers who take them in. */
class World {
  shed: ShedState = NO_SHED;
  nowMs = 0;
  /** Of the sessions it had when the turn began. */
  kept = 1;
  demand: number;
  readonly others: number;
  readonly count: number;
  most = 0;
  readonly #seen: number[] = [];

  constructor(demand: number, others: number, count: number) {
    this.demand = demand;
    this.others = others;
    this.count = count;
  }

  get load(): number {
    return this.demand * this.kept;
  }

  get taken(): number {
    return this.others + (this.demand * (1 - this.kept)) / this.count;
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += TICK_MS) {
      this.nowMs += TICK_MS;
      this.#seen.push(this.load);
      const ahead = this.#seen.at(-8) ?? this.load;
      const before = this.shed;
      this.shed = stepShed(
        before,
        { ahead, others: this.taken, count: this.count },
        this.nowMs,
        TICK_MS,
        SHED_DEFAULTS,
      );
      // A third of those that are to leave asks for something in a second.
      const target = Math.min(this.kept, 1 - this.shed.fraction);
      this.kept += (target - this.kept) * (TICK_MS / 3_000);
      this.most = Math.max(this.most, this.taken);
    }
  }
}

t.test('it comes down to the lower line, not far below, and then the turn ends', async t => {
  const world = new World(1.3, 0.5, 4);
  world.pass(60_000);
  t.ok(world.load <= 0.82 && world.load > 0.65, `${world.load}`);
  t.same([world.shed.fraction, world.shed.turn], [0, 1]);
});

t.test('the others are not brought above their line, or above the mean where that is higher', async t => {
  for (const [demand, others, most] of [
    [1, 0.75, 0.89],
    [1.6, 0.84, 1.2],
  ] as const) {
    const world = new World(demand, others, 2);
    world.pass(120_000);
    t.ok(world.most < most, `${world.most}`);
  }
});

t.test('below the line, and where all are equally full, nothing leaves', async t => {
  for (const world of [new World(0.88, 0.3, 3), new World(1.1, 1.08, 3)]) {
    world.pass(20_000);
    t.same(world.shed, NO_SHED);
  }
});

t.test('no faster than its pace', async t => {
  const world = new World(4, 0.1, 10);
  world.pass(2_000);
  t.ok(world.shed.fraction <= 0.1 + 1e-9, `${world.shed.fraction}`);
});

t.test('with nobody to take over, or nothing known, what was begun ends', async t => {
  const begun: ShedState = { turn: 3, fraction: 0.2, calmSinceMs: Number.NaN };
  const step = (ahead: number, count: number) =>
    stepShed(begun, { ahead, others: 0.2, count }, 1_000, TICK_MS, SHED_DEFAULTS);
  t.same(step(Number.NaN, 3), { ...NO_SHED, turn: 4 });
  t.same(step(1.2, 0), { ...NO_SHED, turn: 4 });
});

t.test('a drain takes evenly what time it has, and lets nobody stay at its end', async t => {
  let shed: ShedState = { turn: 3, fraction: 0.2, calmSinceMs: 5 };
  const fractions: number[] = [];
  for (let leftMs = 10_000; leftMs >= -500; leftMs -= TICK_MS) {
    shed = stepDrain(shed, leftMs, TICK_MS);
    fractions.push(shed.fraction);
  }
  t.ok(Math.abs(fractions[19]! - 0.6) < 0.02, `half of the rest after half of the time: ${fractions[19]}`);
  t.equal(fractions.at(-1), 1);
  t.equal(shed.turn, 3, 'who has left is not asked again');
});
