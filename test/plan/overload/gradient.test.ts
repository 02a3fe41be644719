// The adaptive limit: finds what a backend can do, follows when that changes, and is not led astray by luck.

import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { GradientLimiter } from '../../../lib/plan/overload/gradient.ts';
import { fixedLimit, freshLimit, type LimitState, placesOf } from '../../../lib/plan/overload/limiter.ts';

const OPTIONS = { initial: 20, min: 4, max: 1000, tolerance: 1.5, remeasureMs: 10_000 };
const SEED = 7;
t.comment(`seed ${SEED}`);

/**
 * A backend of `cores` that share evenly, each answer taking `serviceMs` alone, and clients that always want `wanted` at
 * once. Means of windows, with the noise that means of exponentials have.
 */
class Backend {
  readonly limiter = new GradientLimiter(OPTIONS);
  readonly state: LimitState = freshLimit(this.limiter);
  readonly random = seededRandom(SEED);
  cores = 20;
  serviceMs = 10;
  wanted = 1000;
  pushedBack = 0;
  least = Number.POSITIVE_INFINITY;

  /** `ms` in windows as long as the limiter wants them. */
  run(ms: number): void {
    for (let passedMs = 0; passedMs < ms; ) {
      let elapsedMs = Math.max(10, this.state.windowMs);
      for (;;) {
        const inFlight = Math.min(this.wanted, placesOf(this.state));
        const meanMs = this.serviceMs * Math.max(1, inFlight / this.cores);
        const good = (inFlight / meanMs) * elapsedMs;
        const noise = 1 + (this.random.next() + this.random.next() - 1) * Math.sqrt(6 / Math.max(1, good));
        const latencySumMs = good * meanMs * Math.max(0.1, noise);
        const window = { elapsedMs, good, latencySumMs, pushedBack: this.pushedBack * good };
        if (this.limiter.step(this.state, window)) break;
        elapsedMs += 10;
      }
      passedMs += elapsedMs;
      this.least = Math.min(this.least, this.state.limit);
    }
  }
}

t.test('settles a little above what the backend can do at once', async t => {
  for (const cores of [6, 20, 100, 400]) {
    const backend = new Backend();
    backend.cores = cores;
    backend.run(15_000);
    backend.least = Number.POSITIVE_INFINITY;
    backend.run(5_000);
    const { limit } = backend.state;
    t.ok(limit >= cores && limit <= cores * 2 + 5, `${cores} cores: ${limit.toFixed(1)}`);
    t.ok(backend.least >= cores * 0.9, `never starved: ${backend.least.toFixed(1)}`);
  }
});

t.test('in an hour of overload the base stays what it is', async t => {
  const backend = new Backend();
  backend.run(3_600_000);
  t.ok(Math.abs(backend.state.baseMs - 10) < 2, `${backend.state.baseMs.toFixed(2)} ms`);
  t.ok(backend.state.limit < 45, `${backend.state.limit.toFixed(1)}`);
});

t.test('a backend that becomes slower by nature is found out, and not starved', async t => {
  const backend = new Backend();
  backend.run(15_000);
  backend.serviceMs = 30;
  backend.run(25_000);
  t.ok(Math.abs(backend.state.baseMs - 30) < 6, `${backend.state.baseMs.toFixed(1)} ms`);
  t.ok(backend.state.limit >= 18, `${backend.state.limit.toFixed(1)}`);
  backend.serviceMs = 10;
  backend.run(15_000);
  t.ok(backend.state.baseMs < 13, `faster again: ${backend.state.baseMs.toFixed(1)} ms`);
});

t.test('a backend that loses half of its cores gets half as much', async t => {
  const backend = new Backend();
  backend.cores = 100;
  backend.run(15_000);
  const before = backend.state.limit;
  backend.cores = 50;
  backend.run(1_000);
  t.ok(backend.state.limit < before * 0.75, `${before.toFixed(0)} → ${backend.state.limit.toFixed(0)}`);
  t.ok(backend.state.limit >= 45);
});

t.test('while little is asked for the limit stays, and the base is followed', async t => {
  const backend = new Backend();
  backend.wanted = 5;
  backend.run(20_000);
  t.equal(backend.state.limit, OPTIONS.initial);
  backend.serviceMs = 20;
  backend.run(20_000);
  t.ok(Math.abs(backend.state.baseMs - 20) < 3, `${backend.state.baseMs.toFixed(1)} ms`);
});

t.test('a backend that pushes back gets less, down to the least, and more again', async t => {
  const backend = new Backend();
  backend.run(5_000);
  backend.pushedBack = 0.5;
  backend.run(5_000);
  t.equal(backend.state.limit, OPTIONS.min, 'however fast its refusals are');
  backend.pushedBack = 0;
  backend.run(3_000);
  t.ok(backend.state.limit >= 18, `${backend.state.limit.toFixed(1)}`);
});

t.test('a window with too few answers is not judged; one that takes for ever is forgotten', async t => {
  const limiter = new GradientLimiter(OPTIONS);
  const state = freshLimit(limiter);
  const few = { good: 3, latencySumMs: 30, pushedBack: 0 };
  t.notOk(limiter.step(state, { elapsedMs: 500, ...few }));
  t.ok(limiter.step(state, { elapsedMs: 11_000, ...few }));
  t.same(state, freshLimit(limiter), 'and nothing was learnt');
});

t.test('the first limit lies within its bounds; a fixed one stays', async t => {
  t.equal(new GradientLimiter({ ...OPTIONS, max: 10 }).initial, 10);
  t.equal(new GradientLimiter({ ...OPTIONS, min: 40 }).initial, 40);
  const fixed = fixedLimit(7);
  const state = freshLimit(fixed);
  fixed.step(state, { elapsedMs: 1000, good: 1000, latencySumMs: 1e9, pushedBack: 500 });
  t.equal(placesOf(state), 7);
});
