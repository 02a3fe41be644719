// How often a listener looks at its connections' time-outs. One pass over all of them replaces a timer for each.

import type { RequestLimits } from '../../config/proxy.ts';

/** A quarter of the shortest time-out, so that none is late by more than that; between 10 ms and a second. */
export function sweepIntervalMs(limits: RequestLimits): number {
  const shortest = Math.min(
    limits.head_timeout,
    limits.body_idle_timeout,
    limits.write_idle_timeout,
    limits.keep_alive,
  );
  return Math.max(10, Math.min(1000, shortest / 4));
}
