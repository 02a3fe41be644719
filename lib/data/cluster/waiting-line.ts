// Requests that wait for a place at a backend: first in, first out, bounded in number; each waiter bounds its own time.

export interface Waiter {
  /** A place was released somewhere. True when the waiter is done with the line. */
  wake(): boolean;
}

export class WaitingLine {
  /** A Set keeps the order of arrival and lets a client that leaves step out at no cost. */
  readonly #waiters = new Set<Waiter>();
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

  /** Everyone tries once, in order: the first may wait for another backend than the one that became free. */
  wake(): void {
    for (const waiter of this.#waiters) if (waiter.wake()) this.#waiters.delete(waiter);
  }
}
