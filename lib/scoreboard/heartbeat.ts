// Heartbeats: one Int32 cell each, the writer's monotonic milliseconds modulo 2^32. The clock is the same for all threads.

/** A beat this much ahead of the reader's clock is one written between its two reads, not one that wrapped. */
const AHEAD_MS = 60_000;

/** The cell's value for this moment; 0 is kept for "never". */
export const beatOf = (nowMs: number): number => Math.floor(nowMs) | 0 || 1;

/** Writes the present. */
export function beat(i32: Int32Array, cell: number, nowMs: number): void {
  Atomics.store(i32, cell, beatOf(nowMs));
}

/** Milliseconds since the last beat, Infinity when there was none. Right for silences up to 49 days. */
export function beatAgeMs(i32: Int32Array, cell: number, nowMs: number): number {
  const beatMs = Atomics.load(i32, cell);
  if (beatMs === 0) return Number.POSITIVE_INFINITY;
  const ageMs = ((Math.floor(nowMs) | 0) - beatMs) >>> 0;
  return ageMs > 2 ** 32 - AHEAD_MS ? 0 : ageMs;
}
