import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { Averages } from '../../../lib/plan/forecast/averages.ts';
import { Cycle } from '../../../lib/plan/forecast/cycle.ts';
import { PeriodFinder } from '../../../lib/plan/forecast/period-finder.ts';
import { normal } from '../../../lib/sim/chance.ts';

/** A job of 8 bins every `period` bins, in noise that remembers 30 bins; less its slow average, as the forecaster does. */
function world(seed: number, height: number, length = 8) {
  const random = seededRandom(seed);
  const averages = new Averages(1000);
  let noise = 0;
  return (bin: number, period: number): number => {
    noise = 0.967 * noise + 0.026 * normal(random);
    const load = noise + 0.05 * normal(random) + (bin % period < length ? height : 0);
    averages.add(load);
    return load - averages.values[4]!;
  };
}

for (const period of [25, 60, 47.5, 61.3, 300, 600])
  t.test(`a job each ${period} s is found, to the fraction of a second`, async t => {
    for (let seed = 1; seed <= 5; seed++) {
      const finder = new PeriodFinder();
      const load = world(seed, 0.5, Math.max(8, period / 12));
      for (let bin = 0; bin < Math.max(1500, 8 * period); bin++) finder.add(load(bin, period));
      t.ok(Math.abs(finder.period - period) < 0.3, `seed ${seed}: ${finder.period}`);
      t.ok(finder.strength > 0.3);
    }
  });

t.test('noise that lasts has no period', async t => {
  let found = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const finder = new PeriodFinder();
    const load = world(seed, 0);
    for (let bin = 0; bin < 3600; bin++) {
      finder.add(load(bin, 60));
      if (finder.period > 0) found += 1;
    }
  }
  t.ok(found < 0.02 * 20 * 3600, `${found} of ${20 * 3600} bins had one`);
});

t.test('a job that stops is forgotten, one that changes its period is found again', async t => {
  const finder = new PeriodFinder();
  const load = world(4, 0.5);
  let bin = 0;
  for (; bin < 2000; bin++) finder.add(load(bin, 60));
  t.ok(Math.abs(finder.period - 60) < 0.3);
  for (; bin < 7000; bin++) finder.add(load(bin, 90));
  t.ok(Math.abs(finder.period - 90) < 0.3, `${finder.period}`);
  const quiet = world(5, 0);
  for (; bin < 14_000; bin++) finder.add(quiet(bin, 60));
  t.equal(finder.period, 0);
});

t.test('the cycle keeps what stands out and drops what is noise', async t => {
  const cycle = new Cycle();
  const load = world(6, 0.5);
  cycle.start(60);
  for (let bin = 0; bin < 1200; bin++) cycle.learn(bin, load(bin, 60));
  let quiet = 0;
  for (let bin = 1200; bin < 1260; bin++) {
    if (bin % 60 < 8) t.ok(cycle.at(bin) > 0.3 && cycle.at(bin) < 0.6, `${bin}: ${cycle.at(bin)}`);
    else quiet += Math.abs(cycle.at(bin) - cycle.at(1230)) / 52;
  }
  t.ok(quiet < 0.02, `${quiet} where nothing is`);
});

t.test('a corrected period relearns the shape from what is remembered', async t => {
  const cycle = new Cycle();
  const load = world(7, 0.5);
  cycle.start(61);
  for (let bin = 0; bin < 1200; bin++) cycle.learn(bin, load(bin, 60));
  t.ok(cycle.at(1262) < 0.3, 'smeared before');
  cycle.start(60);
  t.ok(cycle.at(1262) > 0.35, 'and sharp at once');
});

t.test('a stored cycle keeps its phase in a process that counts bins from elsewhere', async t => {
  const cycle = new Cycle();
  const load = world(8, 0.5);
  cycle.start(47.5);
  for (let bin = 0; bin < 1200; bin++) cycle.learn(bin, load(bin, 47.5));
  const again = new Cycle();
  again.restore(JSON.parse(JSON.stringify(cycle.save(1199))), 5, 101);
  for (let ahead = 0; ahead < 60; ahead++) {
    const [there, here] = [cycle.at(1300 + ahead), again.at(5 + ahead)];
    if (Math.abs(there - here) > 0.002) t.fail(`${ahead}: ${there} became ${here}`);
  }
  t.pass('one whole period');
});
