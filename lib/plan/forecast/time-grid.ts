// Lays samples that come early, late, twice or not at all on a regular grid of steps.

import type { Sample } from './forecaster.ts';

/** Loads above are taken for this: one absurd report must not dominate every average for minutes. */
const MAX_LOAD = 8;
/** Share of a sample's deviation from the grid by which the grid gives way: follows the sender's rhythm, not its jitter. */
const PHASE_GAIN = 0.1;

export class TimeGrid {
  readonly #stepMs: number;
  #measuredMs = Number.NEGATIVE_INFINITY;
  #gridMs = 0;
  #sum = 0;
  #count = 0;
  /** Now less the time of the newest measurement. */
  ageMs = 0;
  /** Samples that carried nothing new or nothing usable. */
  refused = 0;

  constructor(stepMs: number) {
    this.#stepMs = stepMs;
  }

  /** Monotonic time of the last step. */
  get gridMs(): number {
    return this.#gridMs;
  }

  /** Steps that end with this sample: 0 when it changes nothing yet, more than 1 after a gap, Infinity for the very first. */
  accept({ atMs, wallMs, load, ageMs }: Sample): number {
    const measuredMs = atMs - Math.max(0, ageMs);
    // A repeated measurement may differ by rounding in its age; a tenth of a step is less than any real distance.
    const fresh = measuredMs > this.#measuredMs + 0.1 * this.#stepMs;
    if (!fresh || !(load >= 0 && load < Number.POSITIVE_INFINITY) || !Number.isFinite(measuredMs + wallMs)) {
      this.refused += 1;
      if (Number.isFinite(atMs) && this.#measuredMs > Number.NEGATIVE_INFINITY)
        this.ageMs = Math.max(0, atMs - this.#measuredMs);
      return 0;
    }
    const first = this.#measuredMs === Number.NEGATIVE_INFINITY;
    this.#measuredMs = measuredMs;
    this.ageMs = atMs - measuredMs;
    this.#sum += Math.min(MAX_LOAD, load);
    this.#count += 1;
    if (first) {
      this.#gridMs = measuredMs;
      return Number.POSITIVE_INFINITY;
    }
    const steps = Math.round((measuredMs - this.#gridMs) / this.#stepMs);
    if (steps < 1) return 0;
    const idealMs = this.#gridMs + steps * this.#stepMs;
    this.#gridMs = idealMs + PHASE_GAIN * (measuredMs - idealMs);
    return steps;
  }

  /** Mean of the samples since it was last taken. */
  take(): number {
    const mean = this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    return mean;
  }
}
