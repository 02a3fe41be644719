// Blocks of Float64 cells: the counters of one backend in one row, and those of one route and status class.

import { DURATION_BOUNDS_S, type HistogramView } from './ports.ts';

const BUCKETS = DURATION_BOUNDS_S.length + 1;

/** A backend's block: five counts, the sum of latencies, the buckets, bytes, two counts of load reports; padded to whole cache lines. */
export const BACKEND = {
  attempts: 0,
  successes: 1,
  serverErrors: 2,
  failures: 3,
  cancelled: 4,
  latencySumMs: 5,
  buckets: 6,
  bytesIn: 6 + BUCKETS,
  bytesOut: 7 + BUCKETS,
  loadReports: 8 + BUCKETS,
  loadValuesRefused: 9 + BUCKETS,
} as const;
export const BACKEND_FLOATS = 32;

/** A route's block per status class. */
export const ROUTE = { sumS: 0, bytesIn: 1, bytesOut: 2, buckets: 3 } as const;
export const ROUTE_FLOATS = 18;

/** Waits in line of one priority: their sum, the buckets. */
export const WAIT = { sumS: 0, buckets: 1 } as const;
export const WAIT_FLOATS = 1 + BUCKETS;

/** The bucket of a duration: the first whose bound it does not exceed. */
export function bucketOf(seconds: number): number {
  let low = 0;
  let high: number = DURATION_BOUNDS_S.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (seconds <= DURATION_BOUNDS_S[middle]!) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Sums `blocks` cell by cell; `read(block, cell)` gives one. */
export function sumBlock(
  length: number,
  blocks: number,
  read: (block: number, cell: number) => number,
): number[] {
  const sums = new Array<number>(length).fill(0);
  for (let block = 0; block < blocks; block++)
    for (let cell = 0; cell < length; cell++) sums[cell]! += read(block, cell);
  return sums;
}

export const routeView = (block: readonly number[]): HistogramView => ({
  counts: block.slice(ROUTE.buckets, ROUTE.buckets + BUCKETS),
  sumS: block[ROUTE.sumS]!,
  bytesIn: block[ROUTE.bytesIn]!,
  bytesOut: block[ROUTE.bytesOut]!,
});

export const backendView = (block: readonly number[]): HistogramView => ({
  counts: block.slice(BACKEND.buckets, BACKEND.buckets + BUCKETS),
  sumS: block[BACKEND.latencySumMs]! / 1000,
  bytesIn: block[BACKEND.bytesIn]!,
  bytesOut: block[BACKEND.bytesOut]!,
});

export const waitView = (block: readonly number[]): HistogramView => ({
  counts: block.slice(WAIT.buckets),
  sumS: block[WAIT.sumS]!,
  bytesIn: 0,
  bytesOut: 0,
});
