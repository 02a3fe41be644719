// Quantiles of a forecaster's own errors, tracked online: each is nudged up when an error passes it and down when not.

/** Levels kept; what lies between is interpolated, beyond the outermost it is extrapolated exponentially. */
export const LEVELS = [0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98] as const;
/** Steps of the nudges, as a share of the scale of errors: at first (to get there), and for ever after. */
const FIRST_GAIN = 0.5;
const LAST_GAIN = 0.005;
/** Scaled errors beyond are taken for this, which bounds every quantile. */
const MAX_SCALED = 10;
/** No nudge leads beyond it. */
export const MOST_OFFSET = MAX_SCALED + FIRST_GAIN;
/** Mean error before any is known, in load. */
const UNKNOWN_SCALE = 0.1;
const MIN_SCALE = 1e-6;
/** What was stored counts as so many errors: enough not to start again, too few to be slow. */
const RESTORED_COUNT = 300;
const START = [-2.6, -2, -1.6, -0.85, 0, 0.85, 1.6, 2, 2.6];
const SCALE_SPAN_MS = 120_000;

/**
 * Adaptive conformal inference (Gibbs and Candès 2021) in its form as quantile tracking (Angelopoulos, Candès, Tibshirani
 * 2023): whatever the errors do, over T of them the share at or below level τ's offset differs from τ by at most
 * (2 · MAX_SCALED + gain) / (gain · T) at a constant gain. Errors are scaled by their mean size of the last two minutes, so
 * that calm and stormy spells each get their own width; the scale is known before the error, so the guarantee stands.
 */
export class QuantileTracker {
  readonly offsets = Float64Array.from(START);
  readonly #sorted = Float64Array.from(START);
  readonly #scaleGain: number;
  scale = UNKNOWN_SCALE;
  #count = 0;

  constructor(stepMs: number) {
    this.#scaleGain = 1 - Math.exp(-stepMs / SCALE_SPAN_MS);
  }

  learn(error: number): void {
    this.#count += 1;
    const size = Math.abs(error);
    if (this.#count === 1) this.scale = Math.max(size, MIN_SCALE);
    const scaled = Math.max(-MAX_SCALED, Math.min(MAX_SCALED, error / this.scale));
    const gain = Math.max(LAST_GAIN, FIRST_GAIN / Math.sqrt(this.#count));
    for (let i = 0; i < LEVELS.length; i++)
      this.offsets[i]! += gain * (scaled > this.offsets[i]! ? LEVELS[i]! : LEVELS[i]! - 1);
    this.scale += Math.max(this.#scaleGain, 1 / this.#count) * (size - this.scale);
    this.scale = Math.max(this.scale, MIN_SCALE);
    this.#sort();
  }

  /** Offset to add to the point forecast, in units of load. */
  offset(level: number): number {
    const sorted = this.#sorted;
    const last = LEVELS.length - 1;
    if (level <= LEVELS[0]) return this.scale * (sorted[0]! + Math.log(Math.max(level, 1e-6) / LEVELS[0]));
    if (level >= LEVELS[last]!)
      return this.scale * (sorted[last]! - Math.log(Math.max(1 - level, 1e-6) / (1 - LEVELS[last]!)));
    let i = 1;
    while (level > LEVELS[i]!) i += 1;
    const share = (level - LEVELS[i - 1]!) / (LEVELS[i]! - LEVELS[i - 1]!);
    return this.scale * (sorted[i - 1]! + share * (sorted[i]! - sorted[i - 1]!));
  }

  /** Chance that an error exceeds `error`: the inverse of `offset`. */
  chanceAbove(error: number): number {
    const sorted = this.#sorted;
    const last = LEVELS.length - 1;
    const scaled = error / this.scale;
    if (scaled <= sorted[0]!) return 1 - LEVELS[0] * Math.exp(scaled - sorted[0]!);
    if (scaled >= sorted[last]!) return (1 - LEVELS[last]!) * Math.exp(sorted[last]! - scaled);
    let i = 1;
    while (scaled > sorted[i]!) i += 1;
    const width = sorted[i]! - sorted[i - 1]!;
    const share = width === 0 ? 1 : (scaled - sorted[i - 1]!) / width;
    return 1 - (LEVELS[i - 1]! + share * (LEVELS[i]! - LEVELS[i - 1]!));
  }

  restore(offsets: readonly number[], scale: number): void {
    this.offsets.set(offsets);
    this.scale = scale;
    this.#count = RESTORED_COUNT;
    this.#sort();
  }

  /** Neighbouring offsets may cross for a moment; sorting them never makes a quantile worse (Chernozhukov et al. 2010). */
  #sort(): void {
    const sorted = this.#sorted;
    for (let i = 0; i < sorted.length; i++) {
      const value = this.offsets[i]!;
      let j = i;
      for (; j > 0 && sorted[j - 1]! > value; j--) sorted[j] = sorted[j - 1]!;
      sorted[j] = value;
    }
  }
}
