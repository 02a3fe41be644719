// Requests that wait for a place at a backend: first in, first out, bounded in number; each waiter bounds its own time.

/** Waits for whatever backend has room first. */
export const ANY_BACKEND = -1;

export interface Waiter {
  /** The slot it must have, ANY_BACKEND, or null when its choice is like nobody else's. */
  readonly waitsFor: number | null;
  /** A place was released somewhere. True when the waiter is done with the line. */
  wake(): boolean;
}

export class WaitingLine {
  /** A Set keeps the order of arrival and lets a client that leaves step out at no cost. */
  readonly #waiters = new Set<Waiter>();
  /** What had no room in the pass under way. */
  readonly #refused = new Set<number>();
  capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** False when the line is full. */
  join(waiter: Waiter): boolean {
    if (this.#waiters.size >= this.capacity) return false;
    this.#waiters.add(waiter);
    return true;
  }

  leave(waiter: Waiter): void {
    this.#waiters.delete(waiter);
  }

  /**
   * Lets them try in order; the first may wait for another backend than the one that became free. Who waits for what an
   * earlier one was refused in this pass would be refused too: with a full line a release costs a few tries, not hundreds.
   */
  wake(): void {
    this.#refused.clear();
    for (const waiter of this.#waiters) {
      const kind = waiter.waitsFor;
      if (kind !== null && this.#refused.has(kind)) continue;
      if (waiter.wake()) this.#waiters.delete(waiter);
      else if (kind !== null) this.#refused.add(kind);
    }
  }
}
