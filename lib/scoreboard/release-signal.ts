// Wakes workers that wait for a place: one shared counter, and a bit per row that says whether anybody waits.

import { type Cells, HEADER } from './layout.ts';

/** Bumps the counter and wakes, but only if somebody waits: an idle proxy pays two loads per release. */
export function raise(i32: Int32Array): void {
  if ((Atomics.load(i32, HEADER.waiting) | Atomics.load(i32, HEADER.waiting + 1)) === 0) return;
  raiseAlways(i32);
}

/** For those who act for a dead worker, which may have died between freeing a place and saying so. */
export function raiseAlways(i32: Int32Array): void {
  Atomics.add(i32, HEADER.releases, 1);
  Atomics.notify(i32, HEADER.releases);
}

/** The row does not wait any more; also for a row whose worker died. */
export function disarmRow(i32: Int32Array, row: number): void {
  Atomics.and(i32, HEADER.waiting + (row >>> 5), ~(1 << (row & 31)));
}

/**
 * One worker's ear. It listens only between a refusal and the next wake, so that wakes are as many as the worker can use
 * (one per turn of its event loop at most) and none when it waits for nothing.
 */
export class ReleaseSignal {
  readonly #i32: Int32Array;
  readonly #row: number;
  #wake: (() => void) | null = null;
  /** The bit is set and a wait is under way, or its outcome is about to be delivered. */
  #armed = false;
  /** Refused while nobody was subscribed. */
  #missed = false;

  constructor(cells: Cells, row: number) {
    this.#i32 = cells.i32;
    this.#row = row;
  }

  subscribe(wake: () => void): Disposable {
    if (this.#wake !== null) throw new Error('a worker has one subscription to released places');
    this.#wake = wake;
    if (this.#missed) queueMicrotask(() => this.#deliver());
    return {
      [Symbol.dispose]: () => {
        this.#wake = null;
      },
    };
  }

  /**
   * Listens from now on; true when it did not before. Then the caller must try once more: a place freed between its
   * refusal and the setting of the bit was freed by somebody who saw no bit. (Each writes, then reads what the other
   * wrote; Atomics are sequentially consistent, so at least one of the two sees the other.)
   */
  arm(): boolean {
    if (this.#wake === null) {
      this.#missed = true;
      return false;
    }
    if (this.#armed) return false;
    this.#armed = true;
    Atomics.or(this.#i32, HEADER.waiting + (this.#row >>> 5), 1 << (this.#row & 31));
    const seen = Atomics.load(this.#i32, HEADER.releases);
    const wait = Atomics.waitAsync(this.#i32, HEADER.releases, seen);
    if (wait.async) void wait.value.then(() => this.#deliver());
    else queueMicrotask(() => this.#deliver());
    return true;
  }

  #deliver(): void {
    this.#armed = false;
    this.#missed = false;
    disarmRow(this.#i32, this.#row);
    this.#wake?.();
  }
}
