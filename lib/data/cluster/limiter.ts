// The limiter that a cluster's configuration asks for.

import type { ConcurrencyConfig } from '../../config/cluster.ts';
import { GradientLimiter } from '../../plan/overload/gradient.ts';
import type { Limiter } from '../../plan/overload/limiter.ts';

/** Null for a fixed limit or none, which the decisions carry. */
export function limiterFor(concurrency: ConcurrencyConfig): Limiter | null {
  if (typeof concurrency === 'number') return null;
  const { initial, min, max, tolerance, remeasure } = concurrency.adaptive;
  return new GradientLimiter({ initial, min, max, tolerance, remeasureMs: remeasure });
}
