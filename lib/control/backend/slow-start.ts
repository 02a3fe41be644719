// Slow start: a backend that just came up grows into its weight, since its caches and compilers are cold.

/** Less than this would give some policies no traffic at all, and a backend warms up by traffic only. */
export const SLOW_START_FLOOR = 0.1;

/** Steps from nothing to all; each step makes the workers build a picker anew, so the ramp is not smoother. */
const STEPS = 20;

/**
 * The share of its weight that a backend takes. `upSinceMs` is when it came up beside others that served already; null
 * for one that was there from the start: when all are cold, a ramp only shifts load onto nobody.
 */
export function slowStartFactor(
  nowMs: number,
  upSinceMs: number | null,
  slowStartMs: number | undefined,
): number {
  if (upSinceMs === null || slowStartMs === undefined || slowStartMs <= 0) return 1;
  const grown = Math.floor(((nowMs - upSinceMs) / slowStartMs) * STEPS) / STEPS;
  return Math.min(1, Math.max(SLOW_START_FLOOR, grown));
}
