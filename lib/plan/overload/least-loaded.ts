// Nobody is eligible and somebody must take it: one of the least loaded, by chance.

import { below, type Random } from '../../core/random.ts';

/** The very least loaded would draw everybody who sees the same figures; of this share each draws a part. */
const QUANTILE = 0.25;

/** One of the least loaded quarter (two at least) of `among`; undefined when there is none. `loadOf` by weight or capacity. */
export function oneOfLeastLoaded<T>(
  among: readonly T[],
  loadOf: (one: T) => number,
  random: Random,
): T | undefined {
  const sorted = among.map(one => ({ one, load: loadOf(one) })).sort((a, b) => a.load - b.load);
  const few = Math.min(sorted.length, Math.max(2, Math.ceil(sorted.length * QUANTILE)));
  return sorted[below(random, few)]?.one;
}
