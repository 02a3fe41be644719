// A bounded first-in-first-out queue: the caller hears at once when it is full.

/** Fixed capacity, no allocation after construction; `push` answers false instead of growing. */
export class Ring<T> {
  readonly #items: (T | undefined)[];
  #first = 0;
  #length = 0;

  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new RangeError(`a ring needs a capacity of at least 1, not ${capacity}`);
    this.#items = new Array<T | undefined>(capacity).fill(undefined);
  }

  get capacity(): number {
    return this.#items.length;
  }

  get length(): number {
    return this.#length;
  }

  /** Adds at the end; false, and nothing happens, when the ring is full. */
  push(item: T): boolean {
    if (this.#length === this.#items.length) return false;
    this.#items[this.#index(this.#length)] = item;
    this.#length += 1;
    return true;
  }

  /** The oldest, left in place. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#items[this.#first];
  }

  /** Takes the oldest. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#items[this.#first];
    this.#items[this.#first] = undefined; // or the ring would keep what left it alive
    this.#first = this.#index(1);
    this.#length -= 1;
    return item;
  }

  /** Takes the newest, for queues that turn to last-in-first-out under overload. */
  pop(): T | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    const last = this.#index(this.#length);
    const item = this.#items[last];
    this.#items[last] = undefined;
    return item;
  }

  clear(): void {
    this.#items.fill(undefined);
    this.#first = 0;
    this.#length = 0;
  }

  /** Position of the entry that is `offset` behind the oldest. */
  #index(offset: number): number {
    const position = this.#first + offset;
    return position < this.#items.length ? position : position - this.#items.length;
  }
}
