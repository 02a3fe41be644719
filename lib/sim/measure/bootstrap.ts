// Intervals over seeds by the bootstrap: how far the mean, or a ratio of paired means, could as well have come out.

import { below, type Random, seededRandom } from '../../core/random.ts';

const RESAMPLES = 2_000;
/** The resampling is part of the arithmetic and the same each time. */
const SEED = 1;

export interface Interval {
  readonly value: number;
  /** 95 %, percentile method (Efron 1979). Both are the value when there is one seed only. */
  readonly low: number;
  readonly high: number;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export const meanInterval = (values: readonly number[]): Interval =>
  resampled(values.length, chosen => mean(chosen.map(i => values[i]!)));

/**
 * Ratio of the means of two policies on the same seeds: whole pairs are drawn, so that what a seed does to both cancels.
 * 1 when both are 0, Infinity when only the second is.
 */
export const pairedRatio = (values: readonly number[], baseline: readonly number[]): Interval =>
  resampled(Math.min(values.length, baseline.length), chosen => {
    const above = mean(chosen.map(i => values[i]!));
    const under = mean(chosen.map(i => baseline[i]!));
    return under === 0 ? (above === 0 ? 1 : Number.POSITIVE_INFINITY) : above / under;
  });

function resampled(count: number, statistic: (chosen: readonly number[]) => number): Interval {
  const all = Array.from({ length: count }, (_, i) => i);
  const value = statistic(all);
  if (count < 2) return { value, low: value, high: value };
  const random: Random = seededRandom(SEED);
  const found = Array.from({ length: RESAMPLES }, () => statistic(all.map(() => below(random, count))));
  found.sort((a, b) => a - b);
  return {
    value,
    low: found[Math.floor(0.025 * RESAMPLES)]!,
    high: found[Math.ceil(0.975 * RESAMPLES) - 1]!,
  };
}
