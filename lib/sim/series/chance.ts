// Poisson numbers from a Random, for generated series.

import type { Random } from '../../core/random.ts';
import { normal } from '../chance.ts';

/** Counts: exact by multiplication (Knuth) to a mean of 30, beyond by the normal approximation, whose error is under 2 % there. */
export function poisson(random: Random, mean: number): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)));
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random.next(); product > limit; product *= random.next()) count += 1;
  return count;
}
