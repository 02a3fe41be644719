// Recursive least squares with forgetting, pulled gently towards its prior so that it can neither wind up nor run away.

/** Weight of the prior in samples' worth of squared input. */
const PRIOR = 0.3;
const TRUST = 10;

/**
 * Haykin, Adaptive Filter Theory, on the RLS; the pull is cyclic: each update also learns one pseudo-sample that says
 * "weight i is what it was at first". An input that stays 0 for hours therefore keeps a bounded covariance, which plain
 * forgetting inflates by e per memory until the first non-zero value explodes.
 */
export class LeastSquares {
  readonly weights: Float64Array;
  readonly #prior: Float64Array;
  readonly #covariance: Float64Array;
  readonly #gain: Float64Array;
  readonly #forget: number;
  readonly #pull: number;
  #next = 0;

  /** `memorySteps`: after so many, a sample counts 1/e. */
  constructor(prior: ArrayLike<number>, memorySteps: number) {
    const n = prior.length;
    this.weights = Float64Array.from(prior);
    this.#prior = Float64Array.from(prior);
    this.#gain = new Float64Array(n);
    this.#covariance = new Float64Array(n * n);
    this.#forgetAll();
    this.#forget = 1 - 1 / memorySteps;
    // In balance each weight's pseudo-samples sum to PRIOR: one comes every n updates, memorySteps / n are remembered.
    this.#pull = (PRIOR * n) / memorySteps;
  }

  predict(inputs: ArrayLike<number>, offset: number): number {
    let sum = 0;
    for (let i = 0; i < this.weights.length; i++) sum += this.weights[i]! * inputs[offset + i]!;
    return sum;
  }

  /** The error is clipped at ± `clip`: a flash crowd is news, not a law. */
  learn(inputs: ArrayLike<number>, offset: number, target: number, clip: number): void {
    const n = this.weights.length;
    const c = this.#covariance;
    const gain = this.#gain;
    let denominator = this.#forget;
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += c[i * n + j]! * inputs[offset + j]!;
      gain[i] = sum;
      denominator += sum * inputs[offset + i]!;
    }
    if (!(denominator > 0 && denominator < Number.POSITIVE_INFINITY)) return this.#forgetAll();
    const error = target - this.predict(inputs, offset);
    const clipped = Math.max(-clip, Math.min(clip, error));
    for (let i = 0; i < n; i++) {
      const share = gain[i]! / denominator;
      this.weights[i]! += share * clipped;
      // Symmetric by construction: both halves are written from the same product.
      for (let j = 0; j <= i; j++) {
        const value = (c[i * n + j]! - share * gain[j]!) / this.#forget;
        c[i * n + j] = value;
        c[j * n + i] = value;
      }
    }
    this.#pullOne();
  }

  /** Also the way out should rounding ever cost the covariance its sign. */
  #forgetAll(): void {
    const n = this.weights.length;
    this.weights.set(this.#prior);
    this.#covariance.fill(0);
    for (let i = 0; i < n; i++) this.#covariance[i * n + i] = 1 / PRIOR;
  }

  /** The same update for the input √pull · eᵢ, whose product with the covariance is a column of it. */
  #pullOne(): void {
    const n = this.weights.length;
    const c = this.#covariance;
    const i = this.#next;
    this.#next = i + 1 === n ? 0 : i + 1;
    const denominator = 1 + this.#pull * c[i * n + i]!;
    const error = this.#prior[i]! - this.weights[i]!;
    const factor = this.#pull / denominator;
    for (let j = 0; j < n; j++) this.#gain[j] = c[j * n + i]!;
    for (let j = 0; j < n; j++) {
      this.weights[j]! += factor * this.#gain[j]! * error;
      for (let k = 0; k <= j; k++) {
        const value = c[j * n + k]! - factor * this.#gain[j]! * this.#gain[k]!;
        c[j * n + k] = value;
        c[k * n + j] = value;
      }
    }
  }

  /** Weights learned in an earlier life: held TRUST times as firmly as the prior, so that a few minutes may correct them. */
  restore(weights: readonly number[]): void {
    this.weights.set(weights);
    for (let i = 0; i < this.#covariance.length; i++) this.#covariance[i]! /= TRUST;
  }

  /** All of it: weights, then the covariance. `resume` goes on as if nothing had been in between. */
  save(): Float64Array {
    return Float64Array.of(...this.weights, ...this.#covariance);
  }

  /** False when it is of another size or has a number that is none; nothing is changed then. */
  resume(state: Float64Array): boolean {
    const n = this.weights.length;
    if (state.length !== n + n * n || !state.every(Number.isFinite)) return false;
    this.weights.set(state.subarray(0, n));
    this.#covariance.set(state.subarray(n));
    return true;
  }

  copy(other: LeastSquares): void {
    this.weights.set(other.weights);
    this.#covariance.set(other.#covariance);
  }
}
