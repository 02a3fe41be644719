// One adaptive limit for all workers: what each sees counts, and none is alone with it.

import t from 'tap';
import { GradientLimiter } from '../../lib/plan/overload/gradient.ts';
import { freshLimit, type Limiter, type LimitWindow } from '../../lib/plan/overload/limiter.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { Outcome } from '../../lib/scoreboard/ports.ts';
import { releaseRow } from '../../lib/scoreboard/supervise.ts';
import { FakeClock } from '../support/fake-clock.ts';

const SLOT = 2;
const GENERATION = 70_001;
const OPTIONS = { initial: 20, min: 4, max: 1000, tolerance: 1.25, remeasureMs: 10_000 };

/** Notes the windows it is given; every one that is long enough moves the limit up by one. */
class Noting implements Limiter {
  readonly initial = 5;
  readonly windows: LimitWindow[] = [];

  step(state: { limit: number; windowMs: number }, window: LimitWindow): boolean {
    this.windows.push({ ...window });
    state.limit += 1;
    state.windowMs = 100;
    return true;
  }
}

function setUp(workers = 2) {
  const clock = new FakeClock();
  const board = createScoreboard({ workers, slots: 4, tokenBuckets: 64, clientCells: 64 });
  return {
    clock,
    board,
    attach: (row: number) => attachWorker(board, row, clock),
    ledgers: Array.from({ length: workers }, (_, row) => attachWorker(board, row, clock).ledger),
    control: attachControl(board, clock),
  };
}

t.test('a window holds what all workers saw, and ends for all when one takes its turn', async t => {
  const { clock, ledgers, control } = setUp();
  const limiter = new Noting();
  const [a, b] = ledgers;
  t.equal(control.adapted(SLOT, GENERATION), 0, 'nothing is known');
  a!.adapt(SLOT, GENERATION, limiter, Outcome.success, 7);
  t.equal(control.adapted(SLOT, GENERATION), 5, 'the first is in force at once');
  await clock.advance(10);
  a!.adapt(SLOT, GENERATION, limiter, Outcome.success, 10);
  await clock.advance(50);
  b!.adapt(SLOT, GENERATION, limiter, Outcome.success, 20);
  b!.adapt(SLOT, GENERATION, limiter, Outcome.failure, 0);
  b!.adapt(SLOT, GENERATION, limiter, Outcome.cancelled, 0);
  await clock.advance(50);
  a!.adapt(SLOT, GENERATION, limiter, Outcome.gatewayError, 3);
  t.equal(control.adapted(SLOT, GENERATION), 7);
  t.match(limiter.windows, [
    { elapsedMs: 10, good: 1, latencySumMs: 10, pushedBack: 0 },
    { elapsedMs: 100, good: 1, latencySumMs: 20, pushedBack: 2 },
  ]);
  b!.adapt(SLOT, GENERATION, limiter, Outcome.success, 1);
  t.equal(limiter.windows.length, 2, 'the next is not over yet');
});

t.test('a worker that was started again goes on where all are', async t => {
  const { clock, board, ledgers, control, attach } = setUp();
  const limiter = new Noting();
  for (let i = 0; i < 10; i++) {
    ledgers[0]!.adapt(SLOT, GENERATION, limiter, Outcome.success, 10);
    await clock.advance(200);
  }
  const before = control.adapted(SLOT, GENERATION);
  releaseRow(board, 0);
  t.equal(control.adapted(SLOT, GENERATION), before);
  attach(0).ledger.adapt(SLOT, GENERATION, limiter, Outcome.success, 10);
  t.equal(control.adapted(SLOT, GENERATION), before + 1);
  t.equal(limiter.windows.at(-1)!.good, 1, 'what the dead one had seen is not seen again');
});

t.test('another backend in the slot begins anew', async t => {
  const { clock, ledgers, control } = setUp();
  const limiter = new Noting();
  for (let i = 0; i < 5; i++) {
    ledgers[0]!.adapt(SLOT, GENERATION, limiter, Outcome.success, 10);
    await clock.advance(200);
  }
  t.equal(control.adapted(SLOT, GENERATION + 1), 0);
  ledgers[1]!.adapt(SLOT, GENERATION + 1, limiter, Outcome.success, 10);
  t.equal(control.adapted(SLOT, GENERATION + 1), 5);
  t.equal(control.adapted(SLOT, GENERATION), 0, 'and nothing is left of the former');
});

t.test('the cells keep all that a limiter knows', async t => {
  const { clock, ledgers, control } = setUp();
  const limiter = new GradientLimiter(OPTIONS);
  const alone = freshLimit(limiter);
  let window: LimitWindow = { elapsedMs: 0, good: 0, latencySumMs: 0, pushedBack: 0 };
  ledgers[0]!.adapt(SLOT, GENERATION, limiter, Outcome.success, 10);
  let sinceMs = clock.monotonicMs();
  for (let i = 0; i < 5000; i++) {
    await clock.advance(5);
    const latencyMs = i < 2500 ? 100 : 200;
    ledgers[i % 2]!.adapt(SLOT, GENERATION, limiter, Outcome.success, latencyMs);
    window.good += 1;
    window.latencySumMs += latencyMs;
    window.elapsedMs = clock.monotonicMs() - sinceMs;
    if (limiter.step(alone, window)) {
      window = { elapsedMs: 0, good: 0, latencySumMs: 0, pushedBack: 0 };
      sinceMs = clock.monotonicMs();
    }
    if (control.adapted(SLOT, GENERATION) !== Math.round(alone.limit))
      return void t.fail(`answer ${i}: ${control.adapted(SLOT, GENERATION)}, alone ${alone.limit}`);
  }
  t.ok(alone.baseMs > 0 && alone.limit !== 20, `it learnt: ${JSON.stringify(alone)}`);
});

t.test('what was shed is counted by why and by priority, waits by priority', async t => {
  const { ledgers, control } = setUp();
  ledgers[0]!.shed('late', 1);
  ledgers[1]!.shed('late', 1);
  ledgers[1]!.shed('none', 3);
  t.equal(control.shed('late', 1), 2);
  t.equal(control.shed('none', 3), 1);
  t.equal(control.shed('late', 0), 0);
  t.equal(control.worker(1).shed, 2);
  ledgers[0]!.waited(2, 0.02);
  ledgers[1]!.waited(2, 0.2);
  t.equal(control.waits(2).sumS, 0.22);
  t.equal(
    control.waits(2).counts.reduce((a, b) => a + b),
    2,
  );
  t.equal(control.waits(1).sumS, 0);
});
