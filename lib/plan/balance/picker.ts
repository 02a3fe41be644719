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
  /** uint32 of what the route hashes by; only consistent_hash and maglev read it. */
  readonly key: number;
  /** The caller's veto: tried before, full, gone. */
  accepts(slot: number): boolean;
}

export interface Picker {
  /** The slot chosen, or -1 when the caller vetoes all. Synchronous; allocates nothing. */
  pick(request: PickRequest): number;
}

/** One candidate as a policy sees it at this moment. */
export interface Standing {
  readonly candidate: Candidate;
  /** False when the caller vetoes it. */
  readonly accepted: boolean;
  /** What the policy compares; lower is better. NaN where it compares nothing. */
  readonly score: number;
  /** What the score was made of, and what else counted, by names with units. */
  readonly figures: Readonly<Record<string, number>>;
  /** What put it before or behind others whatever its score; empty when nothing did. */
  readonly remark: string;
}

/** Why a pick would fall as it would. */
export interface Explanation {
  /** What decides, in a sentence. */
  readonly rule: string;
  /** The slot that would be chosen; -1 when chance decides among several, or none is accepted. */
  readonly choice: number;
  readonly standings: readonly Standing[];
}

/** A picker that says why. `explain` changes nothing, is for people, and allocates freely. */
export interface ExplainingPicker extends Picker {
  explain(request: PickRequest): Explanation;
}

export type PickerFactory = (
  candidates: readonly Candidate[],
  view: LoadView,
  random: Random,
) => ExplainingPicker;
