// Exponential averages over several spans at once: simple smoothing (SES) at different speeds, and the inputs of the regressions.

/** From the span of one 2 s average to that of ten minutes: what a load score does within a forecast's reach. */
const SPANS_MS = [2000, 5000, 15_000, 60_000, 300_000] as const;

export class Averages {
  readonly values = new Float64Array(SPANS_MS.length);
  readonly #gains: Float64Array;
  #count = 0;

  constructor(stepMs: number) {
    this.#gains = Float64Array.from(SPANS_MS, span => 1 - Math.exp(-stepMs / span));
  }

  /** Begins as the plain mean of what came so far, so that the first values do not weigh for minutes. */
  add(value: number): void {
    this.#count += 1;
    const plain = 1 / this.#count;
    for (let i = 0; i < this.values.length; i++)
      this.values[i]! += Math.max(this.#gains[i]!, plain) * (value - this.values[i]!);
  }

  copy(other: Averages): void {
    this.values.set(other.values);
    this.#count = other.#count;
  }
}
