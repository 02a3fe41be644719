// What a unit of activity costs a backend, now and later: load = price × activity.
//
// The load itself is no series to learn from: moving sessions away before a job makes the very rise disappear that
// should be learned. The price does not change with what is moved. It is the reciprocal of capacity, in units of the
// activity that the proxy counts, so capacity need not be known to anybody.

import type { Forecaster } from '../forecast/forecaster.ts';

/** Activity of the recent past, to set a late report against what was asked for when it was made. */
const HISTORY = 64;
/** Forecasters take loads of about 1; the first prices set the scale. */
const TYPICAL = 0.5;
/** Below this share of the mean activity a backend's price is mostly noise. */
const LEAST_SHARE = 0.02;
/** A report above this is nonsense and not heard. */
const MOST_LOAD = 16;

export class Price {
  readonly #forecaster: Forecaster;
  readonly #smoothing: number;
  readonly #atMs = new Float64Array(HISTORY);
  readonly #activity = new Float64Array(HISTORY);
  #next = 0;
  #scale = 0;
  #now = Number.NaN;

  /** `smoothing`: weight of a new report in the present price. */
  constructor(forecaster: Forecaster, smoothing: number) {
    this.#forecaster = forecaster;
    this.#smoothing = smoothing;
  }

  /** Load per unit of activity; NaN while unknown. */
  get now(): number {
    return this.#now;
  }

  /**
   * Each tick. `load` is the load score as reported `ageMs` ago, NaN when there is none; `activity` is what is asked for
   * now, `typical` the mean of a backend.
   */
  observe(
    atMs: number,
    wallMs: number,
    load: number,
    ageMs: number,
    activity: number,
    typical: number,
  ): void {
    this.#atMs[this.#next % HISTORY] = atMs;
    this.#activity[this.#next % HISTORY] = activity;
    this.#next += 1;
    const then = this.#activityAt(atMs - ageMs);
    if (!(load >= 0 && load <= MOST_LOAD) || !(then > LEAST_SHARE * typical)) return;
    const price = load / then;
    this.#now = Number.isNaN(this.#now) ? price : this.#now + this.#smoothing * (price - this.#now);
    if (this.#scale === 0 && price > 0) this.#scale = TYPICAL / price;
    if (this.#scale > 0) this.#forecaster.observe({ atMs, wallMs, load: price * this.#scale, ageMs });
  }

  /** P50 of the price in `horizonMs` plus `caution` times the way from there to P90; NaN while unknown. */
  ahead(horizonMs: number, caution: number): number {
    if (this.#scale === 0) return this.#now;
    const { p50, p90 } = this.#forecaster.forecast(horizonMs);
    const price = (p50 + caution * (p90 - p50)) / this.#scale;
    return Number.isFinite(price) ? price : this.#now;
  }

  #activityAt(atMs: number): number {
    const first = Math.max(0, this.#next - HISTORY);
    for (let i = this.#next - 1; i >= first; i--)
      if (this.#atMs[i % HISTORY]! <= atMs) return this.#activity[i % HISTORY]!;
    return this.#activity[first % HISTORY]!;
  }
}
