import t from 'tap';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard, HALF, HEADER, layoutOf } from '../../lib/scoreboard/layout.ts';
import { type Decision, NO_FORECAST } from '../../lib/scoreboard/ports.ts';

const shape = { workers: 1, slots: 16, tokenBuckets: 64, clientCells: 64 };
const decision = (n: number): Decision => ({
  state: 1,
  milliWeight: n,
  concurrency: n + 1,
  slotGeneration: n + 2,
  milliPredicted: n + 3,
  gate: n & 1,
  shedFraction: n + 4,
  shedTurn: n + 5,
  leaseMs: n + 6,
  outside: n & 1,
});

t.test('a reader sees whole sets of decisions, one after the other', async t => {
  const board = createScoreboard(shape);
  const control = attachControl(board);
  const { decisions } = attachWorker(board, 0);
  t.equal(decisions.refresh(), false, 'nothing was published');
  t.equal(decisions.generation, 0);
  t.equal(decisions.state(3), 0);
  control.publish(
    new Map([
      [3, decision(100)],
      [15, decision(200)],
    ]),
  );
  t.equal(decisions.state(3), 0, 'not before it asks');
  t.equal(decisions.refresh(), true);
  t.equal(decisions.refresh(), false);
  t.equal(decisions.generation, 1);
  t.strictSame(
    [decisions.state(3), decisions.milliWeight(3), decisions.concurrency(3), decisions.slotGeneration(3)],
    [1, 100, 101, 102],
  );
  t.strictSame([decisions.predicted(3), decisions.gated(3), decisions.outside(3)], [0.103, false, false]);
  t.equal(decisions.milliWeight(15), 200);
  control.publish(new Map([[0, decision(5)]]));
  control.publish(new Map([[1, decision(6)]]));
  t.equal(decisions.refresh(), true, 'also over two flips');
  t.equal(decisions.generation, 3);
  t.strictSame(
    [0, 1, 3, 15].map(slot => decisions.state(slot)),
    [0, 1, 0, 0],
    'what is not named is gone',
  );
});

t.test('a load that nobody forecasts is no number, so that every comparison with it is false', async t => {
  const board = createScoreboard(shape);
  const { decisions } = attachWorker(board, 0);
  attachControl(board).publish(
    new Map([
      [1, { ...decision(1), ...NO_FORECAST }],
      [2, { ...decision(1), milliPredicted: 1250, gate: 2 }],
    ]),
  );
  decisions.refresh();
  t.ok(Number.isNaN(decisions.predicted(1)));
  t.equal(decisions.gated(1), false);
  t.strictSame([decisions.predicted(2), decisions.gated(2)], [1.25, true]);
});

t.test('the same decisions again change nothing', async t => {
  const board = createScoreboard(shape);
  const control = attachControl(board);
  control.publish(new Map([[2, decision(1)]]));
  control.publish(new Map([[2, decision(1)]]));
  t.equal(control.generation, 1);
  control.publish(new Map([[2, { ...decision(1), milliWeight: 2 }]]));
  t.equal(control.generation, 2);
  control.publish(new Map());
  t.equal(control.generation, 3);
  control.publish(new Map());
  t.equal(control.generation, 3);
});

t.test('a successor goes on where a control thread died in the middle of a write', async t => {
  const board = createScoreboard(shape);
  const { decisions } = attachWorker(board, 0);
  attachControl(board).publish(new Map([[2, decision(1)]]));
  decisions.refresh();
  // What a thread leaves that dies after a few cells: the other half marked, half of it overwritten, nothing put in force.
  const i32 = new Int32Array(board.buffer);
  const other = layoutOf(board.shape).halves[0];
  i32[other + HALF.sequence] = 0;
  i32[other + HALF.count] = 16;
  i32.fill(99, other + HALF.decisions, other + HALF.decisions + 7);
  t.equal(decisions.refresh(), false);
  t.equal(decisions.milliWeight(2), 1);
  const late = attachWorker(board, 0).decisions;
  t.equal(late.refresh(), true, 'a new worker reads the half in force');
  t.equal(late.milliWeight(2), 1);
  attachControl(board).publish(new Map([[2, decision(8)]]));
  t.equal(decisions.refresh(), true);
  t.equal(decisions.generation, 2);
  t.strictSame([decisions.state(0), decisions.milliWeight(2)], [0, 8]);
});

t.test('a half says that it is being written, before its first cell and until after its last', async t => {
  const board = createScoreboard(shape);
  const control = attachControl(board);
  for (const n of [1, 2, 3]) control.publish(new Map([[15, decision(n)]]));
  const i32 = new Int32Array(board.buffer);
  const half = layoutOf(board.shape).halves[0];
  const sequences: number[] = [];
  /** Looks at the board whenever the writer takes a decision from it. */
  class Spy extends Map<number, Decision> {
    override get(slot: number): Decision | undefined {
      const written = i32.subarray(half + HALF.decisions, half + HALF.decisions + 64).includes(400);
      sequences.push(i32[half + HALF.sequence]!);
      t.equal(written && sequences.at(-1) !== 0, false);
      return super.get(slot);
    }
  }
  control.publish(new Spy(Array.from({ length: 16 }, (_, slot) => [slot, decision(400)])));
  t.equal(sequences.at(-1), 0);
  t.equal(sequences.filter(sequence => sequence === 0).length, 16);
  t.equal(i32[half + HALF.sequence], 4);
});

t.test('a reader that meets a write every time keeps what it has, and takes the next whole one', async t => {
  const board = createScoreboard(shape);
  const control = attachControl(board);
  const { decisions } = attachWorker(board, 0);
  control.publish(new Map([[15, decision(1)]]));
  decisions.refresh();
  control.publish(new Map([[1, decision(2)]]));
  const i32 = new Int32Array(board.buffer);
  const half = layoutOf(board.shape).halves[0];
  i32[half + HALF.sequence] = 0;
  t.equal(decisions.refresh(), false);
  t.strictSame([decisions.generation, decisions.milliWeight(15)], [1, 1]);
  i32[half + HALF.sequence] = 2;
  t.equal(decisions.refresh(), true);
  t.strictSame([decisions.generation, decisions.milliWeight(1), decisions.milliWeight(15)], [2, 2, 0]);
});

t.test('the generation passes its wrap', async t => {
  const board = createScoreboard(shape);
  const control = attachControl(board);
  const { decisions } = attachWorker(board, 0);
  control.publish(new Map([[0, decision(1)]]));
  const i32 = new Int32Array(board.buffer);
  i32[layoutOf(board.shape).halves[1] + HALF.sequence] = -1;
  i32[HEADER.generation] = -1;
  for (const n of [2, 3, 4]) {
    t.equal(decisions.refresh(), true);
    control.publish(new Map([[0, decision(n)]]));
    t.equal(decisions.refresh(), true);
    t.equal(decisions.milliWeight(0), n);
    control.publish(new Map([[0, decision(n + 10)]]));
  }
});

t.test('a slot that is not on the board is refused', async t => {
  const control = attachControl(createScoreboard(shape));
  t.throws(() => control.publish(new Map([[16, decision(1)]])), RangeError);
  t.throws(() => control.publish(new Map([[-1, decision(1)]])), RangeError);
  t.equal(control.generation, 0);
});
