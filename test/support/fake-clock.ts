// A Clock that moves only when a test says so: timers run in the order of their time, then of their making.

import type { Clock } from '../../lib/core/clock.ts';

interface Timer {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void;
}

export class FakeClock implements Clock {
  #monotonicMs: number;
  #wallMs: number;
  #sequence = 0;
  readonly #timers = new Set<Timer>();

  constructor(wallMs = 1_700_000_000_000, monotonicMs = 1_000) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  after(ms: number, run: () => void): Disposable {
    const timer = { atMs: this.#monotonicMs + Math.max(0, ms), sequence: this.#sequence++, run };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Timers that wait; a part that was disposed leaves none. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Moves on by `ms` and runs every timer due on the way, each at its own time. */
  advance(ms: number): void {
    const endMs = this.#monotonicMs + ms;
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) this.#fire(next);
    this.#moveTo(endMs);
  }

  /** As `advance`, but lets promises settle after each timer. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    await settle();
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#fire(next);
      await settle();
    }
    this.#moveTo(endMs);
  }

  /** Steps the wall clock alone, as an operator or NTP does. */
  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  #next(endMs: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.atMs > endMs) continue;
      if (
        first === undefined ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.sequence < first.sequence)
      )
        first = timer;
    }
    return first;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#moveTo(timer.atMs);
    timer.run();
  }

  #moveTo(monotonicMs: number): void {
    this.#wallMs += monotonicMs - this.#monotonicMs;
    this.#monotonicMs = monotonicMs;
  }
}

/** Lets everything that waits on promises alone run on. */
export const settle = (): Promise<void> => new Promise(resolve => setImmediate(resolve));
