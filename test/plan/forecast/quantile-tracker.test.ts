import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { LEVELS, QuantileTracker } from '../../../lib/plan/forecast/quantile-tracker.ts';
import { normal } from '../../../lib/sim/chance.ts';

const WORLDS: Readonly<Record<string, (i: number, chance: () => number) => number>> = {
  normal: (_, chance) => 0.1 * chance(),
  skewed: (_, chance) => 0.1 * Math.exp(chance()),
  'of changing width': (i, chance) => (i % 2000 < 1000 ? 0.02 : 0.3) * chance(),
  drifting: (i, chance) => 1e-4 * i + 0.05 * chance(),
  'far to one side': (_, chance) => 3 + 0.01 * chance(),
};

for (const [name, world] of Object.entries(WORLDS))
  t.test(`each level is covered by errors that are ${name}`, async t => {
    const seed = 11;
    const random = seededRandom(seed);
    const tracker = new QuantileTracker(1000);
    const below = LEVELS.map(() => 0);
    const [warm, steps] = [1000, 20_000];
    for (let i = 0; i < warm + steps; i++) {
      const error = world(i, () => normal(random));
      if (i >= warm)
        for (const [k, level] of LEVELS.entries()) if (error <= tracker.offset(level)) below[k]! += 1;
      tracker.learn(error);
    }
    for (const [k, level] of LEVELS.entries())
      t.ok(Math.abs(below[k]! / steps - level) < 0.03, `seed ${seed}, ${level}: ${below[k]! / steps}`);
  });

t.test('quantiles rise with the level, and the chance is their inverse', async t => {
  const random = seededRandom(12);
  const tracker = new QuantileTracker(250);
  for (let i = 0; i < 3000; i++) tracker.learn(0.2 * normal(random) + (i % 40 === 0 ? 1 : 0));
  for (let level = 0.005; level < 1; level += 0.005) {
    const offset = tracker.offset(level);
    if (offset < tracker.offset(level - 0.004)) t.fail(`falls at ${level}`);
    if (Math.abs(tracker.chanceAbove(offset) - (1 - level)) > 1e-6)
      t.fail(`${level}: ${tracker.chanceAbove(offset)}`);
  }
  t.ok(tracker.chanceAbove(1e9) < 1e-9 && tracker.chanceAbove(-1e9) > 1 - 1e-9);
});

t.test('what was stored is taken up where it was', async t => {
  const random = seededRandom(13);
  const tracker = new QuantileTracker(1000);
  for (let i = 0; i < 3000; i++) tracker.learn(0.2 * normal(random));
  const again = new QuantileTracker(1000);
  again.restore([...tracker.offsets], tracker.scale);
  t.equal(again.offset(0.9), tracker.offset(0.9));
});
