// least_reported and p2c_reported: fewest in flight by what backends last reported, plus what was sent there since.
//
// The reports come with answers and are as old as the last answer, so the fewest of all is a herd's choice with several
// proxies: all run to the backend that was empty a moment ago. Kept as baselines, after Prequal's LeastLoaded and Po2C.

import { Candidates, NONE } from './candidates.ts';
import type { Learner, LoadReport, Strategy, StrategyFactory, Surroundings } from './learner.ts';
import type { Candidate, Picker, PickRequest } from './picker.ts';

class LeastReported implements Strategy, Learner, Picker {
  readonly prober = null;
  readonly #surroundings: Surroundings;
  readonly #choices: number;
  readonly #load: Float64Array;
  #candidates: Candidates;

  /** `choices` candidates are compared; Infinity for all. */
  constructor(surroundings: Surroundings, choices: number) {
    this.#surroundings = surroundings;
    this.#choices = choices;
    this.#load = new Float64Array(surroundings.slots);
    this.#candidates = new Candidates([], surroundings.random);
  }

  get learner(): Learner {
    return this;
  }

  picker(candidates: readonly Candidate[]): Picker {
    this.#candidates = new Candidates(candidates, this.#surroundings.random);
    return this;
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const all = this.#choices >= count;
    let best = NONE;
    // From a random place on, so that equals share.
    const start = all ? this.#candidates.draw() : 0;
    for (let step = 0; step < Math.min(count, this.#choices); step++) {
      const index = all ? (start + step) % count : this.#candidates.drawAccepted(request, best);
      if (index === NONE || !request.accepts(slots[index]!)) continue;
      if (best === NONE || this.#load[slots[index]!]! < this.#load[slots[best]!]!) best = index;
    }
    return best === NONE ? NONE : slots[best]!;
  }

  started(slot: number): void {
    this.#load[slot]! += 1;
  }

  /** With a report the load is what the report says; without one the request is at least no longer there. */
  finished(slot: number): void {
    this.#load[slot] = Math.max(0, this.#load[slot]! - 1);
  }

  reported(slot: number, { inFlight }: LoadReport): void {
    // The answer that brings the report has left the backend, and `finished` takes one off.
    if (!Number.isNaN(inFlight)) this.#load[slot] = inFlight + 1;
  }

  forget(slot: number): void {
    this.#load[slot] = 0;
  }
}

export const leastReported =
  (choices: number): StrategyFactory =>
  surroundings =>
    new LeastReported(surroundings, choices);
