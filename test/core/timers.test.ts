import t from 'tap';
import { seededRandom } from '../../lib/core/random.ts';
import { CoarseTimers, type TimerHandle } from '../../lib/core/timers.ts';
import { FakeClock } from '../support/fake-clock.ts';

class Recorder {
  readonly clock: FakeClock;
  readonly fired: { tag: number; atMs: number }[] = [];
  constructor(clock: FakeClock) {
    this.clock = clock;
  }
  onTimeout(tag: number): void {
    this.fired.push({ tag, atMs: this.clock.monotonicMs() });
  }
}

function setUp() {
  const clock = new FakeClock();
  return { clock, timers: new CoarseTimers(clock, 50), target: new Recorder(clock) };
}

t.test('a timer fires once, never early, at most one resolution late', async t => {
  for (const ms of [0, 1, 49, 50, 51, 999, 25_600, 25_601, 60_000, 600_000]) {
    const { clock, timers, target } = setUp();
    clock.advance(17);
    const start = clock.monotonicMs();
    timers.start(ms, target, ms);
    clock.advance(ms + 200);
    t.equal(target.fired.length, 1, `${ms} ms fired once`);
    const late = target.fired[0]!.atMs - start - ms;
    t.ok(late >= 0 && late <= 50, `${ms} ms: ${late} ms late`);
    t.equal(timers.active, 0);
  }
});

t.test('a cancelled timer does not fire, and its handle stays dead when the node is used again', async t => {
  const { clock, timers, target } = setUp();
  const first = timers.start(100, target, 1);
  t.equal(timers.cancel(first), true);
  t.equal(timers.cancel(first), false);
  const second = timers.start(100, target, 2);
  t.not(second, first);
  t.equal(timers.cancel(first), false, 'the old handle does not cancel the new timer');
  t.equal(timers.refresh(first, 1000), false);
  clock.advance(300);
  t.strictSame(
    target.fired.map(f => f.tag),
    [2],
  );
  t.equal(timers.cancel(second), false, 'it has fired');
});

t.test('refresh runs the timer anew, longer or shorter', async t => {
  const { clock, timers, target } = setUp();
  const idle = timers.start(1000, target, 1);
  for (let i = 0; i < 10; i++) {
    clock.advance(900);
    t.equal(timers.refresh(idle), true);
  }
  t.equal(target.fired.length, 0);
  timers.refresh(idle, 100);
  clock.advance(200);
  t.equal(target.fired.length, 1);
});

t.test('the underlying timer rests when no timer runs', async t => {
  const { clock, timers, target } = setUp();
  t.equal(clock.pending, 0);
  const handle = timers.start(5000, target);
  timers.start(10, target);
  t.equal(clock.pending, 1, 'one for all');
  timers.cancel(handle);
  clock.advance(200);
  t.equal(clock.pending, 0);
  timers.start(10, target);
  clock.advance(200);
  t.equal(target.fired.length, 2);
});

t.test('a target may start, cancel and refresh timers that are due in the same tick', async t => {
  const clock = new FakeClock();
  const timers = new CoarseTimers(clock, 50);
  const fired: string[] = [];
  let victim: TimerHandle = 0;
  let spared: TimerHandle = 0;
  const target = {
    onTimeout(tag: number) {
      fired.push(`${tag}`);
      if (tag !== 1) return;
      timers.cancel(victim);
      timers.refresh(spared, 1000);
      timers.start(0, target, 4);
    },
  };
  timers.start(20, target, 1);
  victim = timers.start(20, target, 2);
  spared = timers.start(20, target, 3);
  clock.advance(200);
  t.strictSame(fired, ['1', '4']);
  clock.advance(1000);
  t.strictSame(fired, ['1', '4', '3']);
});

t.test('a target that throws does not keep the others from firing', async t => {
  const { clock, timers, target } = setUp();
  timers.start(10, {
    onTimeout() {
      throw new Error('broken target');
    },
  });
  timers.start(10, target, 1);
  t.throws(() => clock.advance(100), /broken target/);
  clock.advance(100);
  t.equal(target.fired.length, 1);
});

t.test('a stall of the event loop longer than a turn of the wheel loses nothing', async t => {
  let nowMs = 0;
  let wake: (() => void) | undefined;
  const stalled = {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs,
    after: (_: number, run: () => void) => {
      wake = run;
      return { [Symbol.dispose]() {} };
    },
  };
  const timers = new CoarseTimers(stalled, 50);
  let count = 0;
  for (let ms = 1; ms <= 60_000; ms += 100) timers.start(ms, { onTimeout: () => count++ });
  nowMs = 120_000;
  wake!();
  t.equal(count, 600);
});

t.test('thousands of timers of any length behave as a plain model does (seeded)', async t => {
  const seed = Number(process.env.SEED ?? 20_260);
  t.comment(`SEED=${seed}`);
  const random = seededRandom(seed);
  const { clock, timers } = setUp();
  const due = new Map<number, number>();
  const handles = new Map<number, TimerHandle>();
  let wrong = 0;
  const target = {
    onTimeout(tag: number) {
      const late = clock.monotonicMs() - (due.get(tag) ?? Number.NaN);
      if (!(late >= 0 && late <= 50)) wrong += 1;
      due.delete(tag);
    },
  };
  for (let tag = 0; tag < 5000; tag++) {
    const ms = Math.floor(random.next() ** 4 * 60_000);
    due.set(tag, clock.monotonicMs() + ms);
    handles.set(tag, timers.start(ms, target, tag));
    const other = Math.floor(random.next() * tag);
    const handle = handles.get(other);
    if (handle !== undefined && due.has(other)) {
      if (random.next() < 0.5) {
        t.equal(timers.cancel(handle), true);
        due.delete(other);
      } else {
        const again = Math.floor(random.next() * 1000);
        timers.refresh(handle, again);
        due.set(other, clock.monotonicMs() + again);
      }
    }
    clock.advance(Math.floor(random.next() * 10));
  }
  t.equal(timers.active, due.size);
  clock.advance(61_000);
  t.equal(wrong, 0);
  t.equal(due.size, 0);
  t.equal(timers.active, 0);
});
