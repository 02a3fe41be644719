// One load score per backend: the largest share of its capacity in use, over its resources (F2).

import { type Doubt, isShare } from './doubt.ts';
import type { LearnedCapacity } from './learned-capacity.ts';
import type { ObservedLoad } from './observed.ts';
import { type BackendSignals, isCurrent, type Reading } from './signals.ts';

/** What it bears, as configured. */
export interface Capacity {
  readonly connections?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly requests_per_second?: number | undefined;
}

export const RESOURCES = [
  'in_flight',
  'connections',
  'requests',
  'errors',
  'cpu',
  'application',
  'memory',
  'network',
  'disk',
] as const;
export type Resource = (typeof RESOURCES)[number];

export interface Share {
  readonly resource: Resource;
  readonly share: number;
  /** Since it was measured. */
  readonly ageMs: number;
  readonly capacity: 'configured' | 'reported' | 'learned' | 'itself';
  /** False where the capacity is a guess: its end was never met. */
  readonly sure: boolean;
}

export interface LoadScore {
  readonly load: number;
  readonly ageMs: number;
  /** What the load is the share of. */
  readonly resource: Resource;
  readonly shares: readonly Share[];
}

export interface ScoreInput {
  readonly seen: ObservedLoad;
  readonly signals: BackendSignals;
  readonly capacity: Capacity;
  readonly learned: Pick<LearnedCapacity, 'room' | 'proven'>;
  readonly doubt: Doubt;
  readonly nowMs: number;
}

/** A share of room that was never seen to end: growth is no overload, so it stays below every sensible threshold. */
const UNPROVEN_MOST = 0.5;
/**
 * Memory up to here is no load: caches fill it, and a heap of 80 % serves as fast as one of 20. From here to full it rises to 1,
 * since what comes then is the end of the process.
 */
const MEMORY_FREE = 0.85;
const MOST = 8;

/** It is a share of a capacity that was configured, reported or met: it rises with the work it is given. */
export const isSized = ({ shares }: LoadScore): boolean =>
  shares.some(
    ({ resource, capacity, sure }) =>
      sure && capacity !== 'itself' && resource !== 'memory' && resource !== 'disk',
  );

/** Null before the proxy has seen a second of it, unless it reported something. */
export function scoreOf(input: ScoreInput): LoadScore | null {
  const shares = [...ownShares(input), ...reportedShares(input)];
  let top = shares[0];
  for (const share of shares) if (share.share > top!.share) top = share;
  if (top === undefined) return null;
  return { load: Math.min(MOST, top.share), ageMs: top.ageMs, resource: top.resource, shares };
}

function ownShares({ seen, signals, capacity, learned, doubt, nowMs }: ScoreInput): Share[] {
  const { now } = seen;
  if (now === null) return [];
  const shares: Share[] = [];
  const add = (
    resource: Resource,
    share: number,
    kind: Share['capacity'],
    { atMs, sure = true }: { readonly atMs?: number; readonly sure?: boolean } = {},
  ): void => {
    const ageMs = Math.max(0, nowMs - (atMs ?? now.atMs));
    if (share >= 0) shares.push({ resource, share, ageMs, capacity: kind, sure });
  };
  const fresh = (reading: Reading | null): Reading | null =>
    doubt !== 'contradicts' && reading !== null && isCurrent(reading, nowMs) ? reading : null;
  // Behind several proxies it sees more than this one.
  const larger = (value: number, reported: Reading | null): Pick<Reading, 'value' | 'atMs'> =>
    reported !== null && reported.value > value ? reported : { value, atMs: now.atMs };
  const reported = fresh(signals.capacity)?.value ?? 0;
  const inFlight = larger(now.inFlight, fresh(signals.inFlight));
  if (capacity.concurrency !== undefined)
    add('in_flight', inFlight.value / capacity.concurrency, 'configured', inFlight);
  else if (reported > 0) add('in_flight', inFlight.value / reported, 'reported', inFlight);
  else {
    const share = now.inFlight / learned.room;
    // Whose reports are doubted is judged by what is seen of it, guess or not.
    const sure = learned.proven || doubt === 'contradicts';
    add('in_flight', sure ? share : Math.min(UNPROVEN_MOST, share), 'learned', { sure });
  }
  if (capacity.connections !== undefined)
    add('connections', now.connections / capacity.connections, 'configured');
  if (capacity.requests_per_second !== undefined) {
    const rate = larger(now.requestsPerSecond, fresh(signals.requestsPerSecond));
    add('requests', rate.value / capacity.requests_per_second, 'configured', rate);
  }
  // A backend that answers errors fast has little in flight and no room at all.
  add('errors', seen.errorShare, 'itself');
  return shares;
}

function reportedShares({ signals, doubt, nowMs }: ScoreInput): Share[] {
  if (doubt === 'contradicts') return [];
  const shares: Share[] = [];
  for (const resource of ['cpu', 'application', 'memory', 'network', 'disk'] as const) {
    const reading = signals[resource];
    if (reading === null || !isShare(reading.value)) continue;
    if (!isCurrent(reading, nowMs)) continue;
    const ageMs = Math.max(0, nowMs - reading.atMs);
    const { value } = reading;
    const share = resource === 'memory' ? Math.max(0, (value - MEMORY_FREE) / (1 - MEMORY_FREE)) : value;
    shares.push({ resource, share, ageMs, capacity: 'reported', sure: true });
  }
  return shares;
}
