// Autoregression, direct for each horizon: today's averages at several spans explain the load h steps on.

import type { Averages } from './averages.ts';
import { LeastSquares } from './least-squares.ts';

/** Constant, last value, four differences of averages, and the profile's expected change. */
export const INPUTS = 7;
const CONSTANT = 0.1;
/** Until something is learned: the 5 s average, moved as the profile says. */
const PRIOR_WEIGHTS: readonly number[] = [0, 0, 1, 0, 0, 0, 1];

export class DirectRegression {
  readonly #squares: LeastSquares;
  readonly #steps: number;
  /** Inputs of the last `steps` steps, with what they are measured from and whether they were seen. */
  readonly #inputs: Float32Array;
  readonly #anchors: Float32Array;
  readonly #seen: Uint8Array;
  readonly #now = new Float64Array(INPUTS);
  #slot = 0;
  #anchor = 0;

  constructor(steps: number, memorySteps: number) {
    this.#steps = steps;
    this.#squares = new LeastSquares(PRIOR_WEIGHTS, memorySteps);
    this.#inputs = new Float32Array(steps * INPUTS);
    this.#anchors = new Float32Array(steps);
    this.#seen = new Uint8Array(steps);
  }

  get weights(): Float64Array {
    return this.#squares.weights;
  }

  /** `change` is what the profile expects until the horizon. Unseen steps are neither targets nor origins. */
  step(value: number, averages: Averages, change: number, seen: boolean, clip: number): void {
    const slot = this.#slot;
    if (seen && this.#seen[slot] === 1)
      this.#squares.learn(this.#inputs, slot * INPUTS, value - this.#anchors[slot]!, clip);
    const now = this.#now;
    const anchor = averages.values[0]!;
    now[0] = CONSTANT;
    now[1] = value - anchor;
    for (let i = 1; i < averages.values.length; i++) now[i + 1] = averages.values[i]! - anchor;
    now[INPUTS - 1] = change;
    this.#inputs.set(now, slot * INPUTS);
    this.#anchors[slot] = anchor;
    this.#anchor = anchor;
    this.#seen[slot] = seen ? 1 : 0;
    this.#slot = slot + 1 === this.#steps ? 0 : slot + 1;
  }

  predict(): number {
    return this.#anchor + this.#squares.predict(this.#now, 0);
  }

  /** Nothing before now is an origin any more. */
  forgetOrigins(): void {
    this.#seen.fill(0);
  }

  restore(weights: readonly number[]): void {
    this.#squares.restore(weights);
  }

  copy(other: DirectRegression): void {
    this.#squares.copy(other.#squares);
  }
}
