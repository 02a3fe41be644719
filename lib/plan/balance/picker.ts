// The port of every balancing policy. Built off the path from a list of candidates, replaced whole, never mutated.

import type { Random } from '../../core/random.ts';

/** A backend that takes new work. */
export interface Candidate {
  readonly slot: number;
  readonly id: string;
  /** Over 0. */
  readonly weight: number;
}

/** What a policy may know of the present; the scoreboard implements it. */
export interface LoadView {
  /** In flight over all workers. */
  inFlight(slot: number): number;
  /** Peak-EWMA latency in ms; 0 when never measured. */
  latencyMs(slot: number): number;
}

export interface PickRequest {
  /** uint32 of what the route hashes by; only consistent_hash reads it. */
  readonly key: number;
  /** The caller's veto: tried before, full, gone. */
  accepts(slot: number): boolean;
}

export interface Picker {
  /** The slot chosen, or -1 when the caller vetoes all. Synchronous; allocates nothing. */
  pick(request: PickRequest): number;
}

export type PickerFactory = (candidates: readonly Candidate[], view: LoadView, random: Random) => Picker;
