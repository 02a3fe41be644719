// The forecast's goals in small: three seeds of each preset, an hour each, with room for so few.

import t from 'tap';
import { SERIES_PRESETS } from '../../../lib/sim/series/presets.ts';
import { type Run, runForecast } from '../../support/forecast-run.ts';

const SEEDS = [1, 2, 3];
const options = { horizonsMs: [1000, 10_000, 30_000], warmSteps: 1800 };
const runs = new Map<string, Run[]>();
for (const [name, spec] of Object.entries(SERIES_PRESETS))
  runs.set(
    name,
    SEEDS.map(seed => runForecast({ ...spec, steps: 5400 }, seed, options)),
  );
const all = [...runs.values()].flat();
const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;

t.test('the mean error is well below that of the last value at the same horizon', async t => {
  for (const [i, goal] of [0.8, 0.9, 0.9].entries()) {
    const mase = mean(all.map(run => run.horizons[i]!.quality.mase));
    t.ok(mase < goal, `${options.horizonsMs[i]} ms: ${mase}, seeds ${SEEDS}`);
  }
});

t.test('no forecast beats the oracle, which would say that it looked ahead', async t => {
  for (const [name, list] of runs)
    for (const i of options.horizonsMs.keys()) {
      const own = mean(list.map(run => run.horizons[i]!.quality.mase));
      const oracle = mean(list.map(run => run.horizons[i]!.oracle.mase));
      t.ok(own > 0.99 * oracle, `${name}, ${options.horizonsMs[i]} ms: ${own}, oracle ${oracle}`);
    }
});

t.test('learnable overload is foreseen', async t => {
  const learnable = all.filter(run => run.learnableShare >= 0.7);
  const [recall, precision] = (['recall', 'precision'] as const).map(figure =>
    mean(learnable.map(run => run.horizons[1]!.quality[figure])),
  );
  t.ok(recall! > 0.88, `recall ${recall}, seeds ${SEEDS}`);
  t.ok(precision! > 0.8, `precision ${precision}, seeds ${SEEDS}`);
});

t.test('P90 covers nine in ten on every kind of load', async t => {
  for (const [name, list] of runs)
    for (const i of options.horizonsMs.keys()) {
      const covered = mean(list.map(run => run.horizons[i]!.quality.coverageP90));
      t.ok(Math.abs(covered - 0.9) < 0.03, `${name}, ${options.horizonsMs[i]} ms: ${covered}`);
    }
});

t.test('the ensemble is never worse than its best simple member for long', async t => {
  for (const [name, list] of runs)
    for (const run of list)
      for (const { horizonMs, quality, members, worstWindow } of run.horizons) {
        const best = Math.min(...['last', 'ses5', 'ses15', 'ses60', 'holt'].map(m => members.get(m)!));
        t.ok(quality.mase < 1.05 * best, `${name}, ${horizonMs} ms: ${quality.mase}, best ${best}`);
        t.ok(worstWindow < 1.3, `${name}, ${horizonMs} ms: worst ten minutes ${worstWindow}`);
      }
});

t.test('an event announced is worth it', async t => {
  const spec = { ...SERIES_PRESETS.announced, steps: 5400 };
  const [told, untold] = [true, false].map(announce =>
    mean(SEEDS.map(seed => runForecast(spec, seed, { ...options, announce }).horizons[2]!.quality.mase)),
  );
  t.ok(told! < 0.92 * untold!, `told ${told}, untold ${untold}`);
});

t.test('late and lost samples leave P90 honest', async t => {
  const spec = { ...SERIES_PRESETS.minutely, steps: 5400, signal: { lossShare: 0.2, ageMs: 5000 } };
  const covered = mean(SEEDS.map(seed => runForecast(spec, seed, options).horizons[1]!.quality.coverageP90));
  t.ok(covered > 0.86 && covered < 0.97, `${covered}`);
});
