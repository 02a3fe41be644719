// The clocks of one exchange: one for the whole, one for the phase it is in.

import type { CoarseTimers, TimerHandle, TimerTarget } from '../../core/timers.ts';

/** What it means when a timer fires: its tag. */
export const Phase = { whole: 1, head: 2, idle: 3, queue: 4 } as const;

export class Phases {
  readonly #timers: CoarseTimers;
  readonly #target: TimerTarget;
  #whole: TimerHandle = 0;
  #phase: TimerHandle = 0;
  #phaseMs = 0;

  constructor(timers: CoarseTimers, target: TimerTarget) {
    this.#timers = timers;
    this.#target = target;
  }

  /** The limit on the whole exchange; 0 for none. */
  limit(ms: number): void {
    if (ms > 0) this.#whole = this.#timers.start(ms, this.#target, Phase.whole);
  }

  /** Ends the phase before and begins another; 0 ms is no limit. */
  enter(ms: number, tag: number): void {
    this.leave();
    if (ms === 0) return;
    this.#phaseMs = ms;
    this.#phase = this.#timers.start(ms, this.#target, tag);
  }

  /** Something moved: the phase has its whole time again. */
  refresh(): void {
    if (this.#phase !== 0) this.#timers.refresh(this.#phase, this.#phaseMs);
  }

  leave(): void {
    if (this.#phase !== 0) this.#timers.cancel(this.#phase);
    this.#phase = 0;
  }

  end(): void {
    this.leave();
    if (this.#whole !== 0) this.#timers.cancel(this.#whole);
    this.#whole = 0;
  }
}
