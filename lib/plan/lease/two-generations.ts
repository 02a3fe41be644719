// A bounded cache without bookkeeping: two maps, the older thrown away whole; what is used survives by being copied over.

export class TwoGenerations<V> {
  #young = new Map<string, V>();
  #old = new Map<string, V>();
  readonly #half: number;

  /** Holds at most `capacity` entries, and at least the last `capacity / 2` that were used. */
  constructor(capacity: number) {
    this.#half = Math.max(1, capacity >> 1);
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: string, value: V): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }
}
