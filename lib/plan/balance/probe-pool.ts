// Prequal's pool of probe answers: a few, young, each used a few times, the worst thrown out (NSDI 2024, section 4).

/** Answers older than this are not believed. */
const OLDEST_MS = 1_000;

/** Entries are 0 to size − 1, in no order. At most one per slot: a newer answer takes the place of an older one. */
export class ProbePool {
  readonly slots: Int32Array;
  readonly inFlight: Float64Array;
  readonly latencyMs: Float64Array;
  readonly #atMs: Float64Array;
  readonly #usesLeft: Float64Array;
  size = 0;

  constructor(capacity: number) {
    this.slots = new Int32Array(capacity);
    this.inFlight = new Float64Array(capacity);
    this.latencyMs = new Float64Array(capacity);
    this.#atMs = new Float64Array(capacity);
    this.#usesLeft = new Float64Array(capacity);
  }

  /** A full pool gives up its oldest. */
  add(slot: number, inFlight: number, latencyMs: number, nowMs: number, uses: number): void {
    let entry = this.slots.subarray(0, this.size).indexOf(slot);
    if (entry < 0) entry = this.size < this.slots.length ? this.size++ : this.oldest();
    this.slots[entry] = slot;
    this.inFlight[entry] = inFlight;
    this.latencyMs[entry] = latencyMs;
    this.#atMs[entry] = nowMs;
    this.#usesLeft[entry] = uses;
  }

  /** What was picked will have one more in flight, and has one use less. */
  use(entry: number): void {
    this.inFlight[entry]! += 1;
    this.#usesLeft[entry]! -= 1;
    if (this.#usesLeft[entry]! <= 0) this.remove(entry);
  }

  /** The entries of another pool whose slot `keeps` accepts, as far as there is room. */
  take(other: ProbePool, keeps: (slot: number) => boolean): void {
    for (let entry = 0; entry < other.size && this.size < this.slots.length; entry++) {
      const slot = other.slots[entry]!;
      if (!keeps(slot)) continue;
      const atMs = other.#atMs[entry]!;
      this.add(slot, other.inFlight[entry]!, other.latencyMs[entry]!, atMs, other.#usesLeft[entry]!);
    }
  }

  /** What is known of the slot, if anything. */
  drop(slot: number): void {
    const entry = this.slots.subarray(0, this.size).indexOf(slot);
    if (entry >= 0) this.remove(entry);
  }

  remove(entry: number): void {
    this.size -= 1;
    const last = this.size;
    this.slots[entry] = this.slots[last]!;
    this.inFlight[entry] = this.inFlight[last]!;
    this.latencyMs[entry] = this.latencyMs[last]!;
    this.#atMs[entry] = this.#atMs[last]!;
    this.#usesLeft[entry] = this.#usesLeft[last]!;
  }

  /** Not for an empty pool. */
  oldest(): number {
    let oldest = 0;
    for (let entry = 1; entry < this.size; entry++)
      if (this.#atMs[entry]! < this.#atMs[oldest]!) oldest = entry;
    return oldest;
  }

  expire(nowMs: number): void {
    for (let entry = this.size - 1; entry >= 0; entry--)
      if (nowMs - this.#atMs[entry]! > OLDEST_MS) this.remove(entry);
  }
}
