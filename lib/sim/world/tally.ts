// What is counted of one run: every latency, so that quantiles are exact; endings; probes; how evenly load was spread.

const INITIAL = 65_536;

/** Quantiles of the distribution that reports plot. */
export const CURVE = [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999];

export interface Quantiles {
  /** At CURVE. */
  readonly curve: readonly number[];
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

export class Tally {
  requests = 0;
  /** Answered well within the deadline. */
  good = 0;
  late = 0;
  errors = 0;
  slow = 0;
  probes = 0;
  #latencies = new Float64Array(INITIAL);
  #count = 0;
  #spread = 0;
  #looks = 0;
  #pool = 0;
  #lookedAt = 0;
  #most = 0;

  /** What came after the warm-up and got this far. */
  ended(latencyMs: number): void {
    if (this.#count === this.#latencies.length) {
      const larger = new Float64Array(this.#count * 2);
      larger.set(this.#latencies);
      this.#latencies = larger;
    }
    this.#latencies[this.#count++] = latencyMs;
  }

  /** Requests in flight per server, of the fullest and on average. */
  looked(most: number, mean: number, pool: number): void {
    this.#pool += pool;
    this.#lookedAt += 1;
    this.#most = Math.max(this.#most, most);
    if (mean <= 0) return;
    this.#spread += most / mean;
    this.#looks += 1;
  }

  /** Share of the backends that a proxy keeps connections to, averaged over time. */
  get pool(): number {
    return this.#lookedAt === 0 ? 1 : this.#pool / this.#lookedAt;
  }

  /** Fullest server over the mean, averaged over time. */
  get spread(): number {
    return this.#looks === 0 ? 1 : this.#spread / this.#looks;
  }

  get mostInFlight(): number {
    return this.#most;
  }

  /** Nearest rank, of all that ended; NaN when none did. */
  quantiles(): Quantiles {
    const sorted = this.#latencies.subarray(0, this.#count).sort();
    const at = (share: number): number => sorted[Math.ceil(share * this.#count) - 1] ?? Number.NaN;
    return { curve: CURVE.map(at), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) };
  }
}
