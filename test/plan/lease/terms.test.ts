import fc from 'fast-check';
import t from 'tap';
import { firstTerm, stepTerm, type TermState } from '../../../lib/plan/lease/terms.ts';

const settings = { baseMs: 60_000, maxMs: 1_800_000, calm: 0.5, busy: 0.8 };
const TICK_MS = 250;

/** Ticks under one forecast. */
function pass(state: TermState, foreseen: number, fromMs: number, forMs: number): TermState {
  let now = state;
  for (let ms = fromMs; ms < fromMs + forMs; ms += TICK_MS) now = stepTerm(now, foreseen, ms, settings);
  return now;
}

t.test('terms double with calm, each step earned by two terms of it, up to the maximum', async t => {
  const calm = pass(firstTerm(60_000), 0.3, 0, 119_000);
  t.equal(calm.termMs, 60_000);
  t.equal(pass(calm, 0.3, 119_000, 2_000).termMs, 120_000);
  t.equal(pass(firstTerm(60_000), 0.3, 0, 6 * 3_600_000).termMs, 1_800_000);
});

t.test('one busy forecast ends it at once; what is in between earns nothing and costs nothing', async t => {
  const long = pass(firstTerm(60_000), 0.3, 0, 1_000_000);
  t.ok(long.termMs >= 240_000);
  const between = pass(long, 0.7, 1_000_000, 3_000_000);
  t.equal(between.termMs, long.termMs);
  t.equal(stepTerm(between, 0.81, 4_000_000, settings).termMs, 60_000);
  t.equal(
    stepTerm(between, Number.NaN, 4_000_000, settings).termMs,
    60_000,
    'of what nobody knows nothing is promised',
  );
});

t.test('terms stay within their bounds whatever is foreseen, also when the bounds change', async () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          foreseen: fc.double({ min: 0, max: 2 }),
          stepMs: fc.nat(500_000),
          max: fc.integer({ min: 60_000, max: 1_800_000 }),
        }),
      ),
      steps => {
        let state = firstTerm(60_000);
        let nowMs = 0;
        for (const { foreseen, stepMs, max } of steps) {
          nowMs += stepMs;
          state = stepTerm(state, foreseen, nowMs, { ...settings, maxMs: max });
          if (!(state.termMs >= 60_000 && state.termMs <= max)) return false;
        }
        return true;
      },
    ),
  );
});
