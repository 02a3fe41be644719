// Weights over experts by their recent loss: Hedge with fixed share, so that yesterday's winner can lose and come back.

/**
 * Herbster and Warmuth 1998; Cesa-Bianchi and Lugosi 2006, chapters 4 and 5. Losses lie in [0, 1] and become known `delay`
 * steps after the forecast. Against any sequence of experts with S switches in T steps, the loss of the weighted mean
 * exceeds that of the sequence by at most
 *
 *     ((S + 1) ln N + S ln(1/share) + (T - S - 1) ln(1/(1 - share))) / rate + T · rate · (1 + 2 · delay) / 8 + T · delay · share
 *
 * Convexity makes it hold for the mean of the forecasts. An update moves the mean of any loss by at most rate/4 + share,
 * and `delay` of them are missing: hence the last terms.
 */
export class FixedShare {
  readonly weights: Float64Array;
  readonly #rate: number;
  readonly #share: number;

  constructor(experts: number, rate: number, share: number) {
    this.weights = new Float64Array(experts).fill(1 / experts);
    this.#rate = rate;
    this.#share = share;
  }

  /** What was stored need not sum to 1 exactly. */
  restore(weights: readonly number[]): void {
    const sum = weights.reduce((total, weight) => total + weight, 0);
    for (let i = 0; i < weights.length; i++) this.weights[i] = weights[i]! / sum;
  }

  update(losses: Float64Array): void {
    const { weights } = this;
    const n = weights.length;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      weights[i]! *= Math.exp(-this.#rate * losses[i]!);
      sum += weights[i]!;
    }
    for (let i = 0; i < n; i++) weights[i] = ((1 - this.#share) * weights[i]!) / sum + this.#share / n;
  }
}
