// Holt's linear trend with damping (Gardner and McKenzie 1985): a ramp is followed, but not for ever.

/** Level and trend are smoothed over these spans; the trend is trusted ever less beyond the last. */
const LEVEL_SPAN_MS = 3000;
const TREND_SPAN_MS = 20_000;
const DAMPING_SPAN_MS = 30_000;

export class DampedHolt {
  readonly #levelGain: number;
  readonly #trendGain: number;
  readonly #damping: number;
  #level = Number.NaN;
  #trend = 0;

  constructor(stepMs: number) {
    this.#levelGain = 1 - Math.exp(-stepMs / LEVEL_SPAN_MS);
    this.#trendGain = 1 - Math.exp(-stepMs / TREND_SPAN_MS);
    this.#damping = Math.exp(-stepMs / DAMPING_SPAN_MS);
  }

  add(value: number): void {
    if (Number.isNaN(this.#level)) {
      this.#level = value;
      return;
    }
    const before = this.#level;
    const expected = before + this.#damping * this.#trend;
    this.#level = expected + this.#levelGain * (value - expected);
    this.#trend =
      this.#damping * this.#trend + this.#trendGain * (this.#level - before - this.#damping * this.#trend);
  }

  /** Level + trend × (φ + φ² + … + φ^steps). */
  ahead(steps: number): number {
    const reach = (this.#damping * (1 - this.#damping ** steps)) / (1 - this.#damping);
    return this.#level + this.#trend * reach;
  }
}
