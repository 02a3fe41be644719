// Notices that nothing has passed for a while, at the cost of a look now and then instead of a timer set by every byte.

import type { CoarseTimers, TimerHandle, TimerTarget } from '../../core/timers.ts';

const LOOKS = 4;

export interface IdleOwner {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Nothing has passed for the time, a quarter more at most. */
  idle(): void;
}

export class IdleWatch implements TimerTarget, Disposable {
  readonly #owner: IdleOwner;
  readonly #timers: CoarseTimers;
  readonly #lookMs: number;
  #before = 0;
  #same = 0;
  #next: TimerHandle = 0;

  /** 0 never ends anything. */
  constructor(owner: IdleOwner, timers: CoarseTimers, idleMs: number) {
    this.#owner = owner;
    this.#timers = timers;
    this.#lookMs = idleMs / LOOKS;
    if (idleMs > 0) this.#next = timers.start(this.#lookMs, this);
  }

  onTimeout(): void {
    const now = this.#owner.bytesIn + this.#owner.bytesOut;
    this.#same = now === this.#before ? this.#same + 1 : 0;
    this.#before = now;
    if (this.#same >= LOOKS) return this.#owner.idle();
    this.#next = this.#timers.start(this.#lookMs, this);
  }

  [Symbol.dispose](): void {
    this.#timers.cancel(this.#next);
  }
}
