// Bootstrap intervals of a mean over seeds.

import { below, seededRandom } from '../../lib/core/random.ts';

const RESAMPLES = 2000;

/** Percentile bootstrap, 95 %, of the mean (Efron and Tibshirani 1993). */
export function meanInterval(values: readonly number[]): { mean: number; low: number; high: number } {
  const random = seededRandom(95);
  const mean = (list: readonly number[]): number => list.reduce((sum, v) => sum + v, 0) / list.length;
  const means = Array.from({ length: RESAMPLES }, () =>
    mean(values.map(() => values[below(random, values.length)]!)),
  ).sort((a, b) => a - b);
  return {
    mean: mean(values),
    low: means[Math.floor(0.025 * RESAMPLES)]!,
    high: means[Math.ceil(0.975 * RESAMPLES) - 1]!,
  };
}
