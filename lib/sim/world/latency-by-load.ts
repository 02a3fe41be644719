// A backend's estimate of its own latency: the median of recent requests that found it about as full as it is now.
//
// Prequal's latency signal (Wydrowski et al., NSDI 2024, section 4): each finished request is filed under the number that
// were in flight when it came, and a probe is told the median at or near the present number.

/** Requests remembered per level; fewer than ENOUGH have no median worth telling. */
const KEPT = 16;
const ENOUGH = 8;
const LEVELS = 256;

export class LatencyByLoad {
  readonly #latencies = new Float64Array(LEVELS * KEPT);
  readonly #counts = new Int32Array(LEVELS);
  readonly #medians = new Float64Array(LEVELS).fill(Number.NaN);
  readonly #sorted = new Float64Array(KEPT);

  /** `foundInFlight`: how many were there when the request came. */
  add(foundInFlight: number, latencyMs: number): void {
    const level = Math.min(LEVELS - 1, foundInFlight);
    this.#latencies[level * KEPT + (this.#counts[level]! % KEPT)] = latencyMs;
    this.#counts[level]! += 1;
    this.#medians[level] = Number.NaN;
  }

  /** At the nearest level of which enough is known; NaN when there is none. */
  at(inFlight: number): number {
    const level = Math.min(LEVELS - 1, inFlight);
    for (let away = 0; away < LEVELS; away++) {
      if (level - away >= 0 && this.#counts[level - away]! >= ENOUGH) return this.#median(level - away);
      if (level + away < LEVELS && this.#counts[level + away]! >= ENOUGH) return this.#median(level + away);
    }
    return Number.NaN;
  }

  #median(level: number): number {
    const known = this.#medians[level]!;
    if (!Number.isNaN(known)) return known;
    const count = Math.min(KEPT, this.#counts[level]!);
    const sorted = this.#sorted;
    for (let i = 0; i < count; i++) {
      const value = this.#latencies[level * KEPT + i]!;
      let hole = i;
      for (; hole > 0 && sorted[hole - 1]! > value; hole--) sorted[hole] = sorted[hole - 1]!;
      sorted[hole] = value;
    }
    const middle = count >> 1;
    const median = count % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
    this.#medians[level] = median;
    return median;
  }
}
