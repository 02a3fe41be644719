// The last minute of a backend, second by second, in numbers side by side: as objects they were 15 KB a backend, and garbage by the megabyte.

/** Means over about one second. */
export interface Second {
  /** Its end, monotonic. */
  readonly atMs: number;
  readonly requestsPerSecond: number;
  readonly answersPerSecond: number;
  /** No answer, or one of 5xx. */
  readonly errorsPerSecond: number;
  /** Until the head of the answer; NaN when nothing was answered. */
  readonly latencyMs: number;
  readonly inFlight: number;
  readonly connections: number;
  readonly bytesInPerSecond: number;
  readonly bytesOutPerSecond: number;
}

const KEPT = 60;
const FIGURES = 9;

export class Seconds {
  readonly #figures = new Float64Array(KEPT * FIGURES);
  #count = 0;

  push(second: Second): void {
    const at = (this.#count % KEPT) * FIGURES;
    const figures = this.#figures;
    figures[at] = second.atMs;
    figures[at + 1] = second.requestsPerSecond;
    figures[at + 2] = second.answersPerSecond;
    figures[at + 3] = second.errorsPerSecond;
    figures[at + 4] = second.latencyMs;
    figures[at + 5] = second.inFlight;
    figures[at + 6] = second.connections;
    figures[at + 7] = second.bytesInPerSecond;
    figures[at + 8] = second.bytesOutPerSecond;
    this.#count += 1;
  }

  clear(): void {
    this.#count = 0;
  }

  /** The oldest first. */
  list(): readonly Second[] {
    const length = Math.min(KEPT, this.#count);
    return Array.from({ length }, (_, i) => this.#at((this.#count - length + i) % KEPT));
  }

  #at(index: number): Second {
    const figures = this.#figures.subarray(index * FIGURES, (index + 1) * FIGURES);
    return {
      atMs: figures[0]!,
      requestsPerSecond: figures[1]!,
      answersPerSecond: figures[2]!,
      errorsPerSecond: figures[3]!,
      latencyMs: figures[4]!,
      inFlight: figures[5]!,
      connections: figures[6]!,
      bytesInPerSecond: figures[7]!,
      bytesOutPerSecond: figures[8]!,
    };
  }
}
