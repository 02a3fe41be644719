// The port of all forecasters: samples of a backend's load score go in, quantiles of the load to come go out.

export interface Sample {
  /** Now, on the monotonic clock. */
  readonly atMs: number;
  /** Now, on the wall clock, for profiles of day and week. */
  readonly wallMs: number;
  /** Load score, 0 to 1 and beyond; what is not finite or below 0 is refused. */
  readonly load: number;
  /** How long ago the load was so. A sample that repeats an older one carries that one's age: nothing is learned twice. */
  readonly ageMs: number;
}

export interface Quantiles {
  readonly p50: number;
  readonly p90: number;
}

/**
 * Synchronous, O(1) amortised. Horizons count from the last sample's `atMs`; what is asked between two configured horizons
 * is interpolated, beyond the last it stays at the last and its quantiles go on widening. The older the signal, the farther
 * ahead of it the same horizon lies: that is how staleness widens a forecast.
 */
export interface Forecaster {
  observe(sample: Sample): void;
  forecast(horizonMs: number): Quantiles;
  /** Chance, 0 to 1, that the load `horizonMs` ahead is above `threshold`. */
  chanceOver(threshold: number, horizonMs: number): number;
}
