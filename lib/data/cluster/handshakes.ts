// How many WebSockets at a time may ask one backend to take them over: when a backend dies, all of its connections want to go
// elsewhere in the same millisecond, and those who take them in have work of their own. The others wait in line.

import type { Clock } from '../../core/clock.ts';

/** Handshakes under way at one backend, from one worker: a quarter of the usual backlog of a listening socket with four workers. */
const MOST_AT_ONCE = 32;
/** Who waits for a place under a concurrency limit hears of none: it looks again. */
const LOOK_AGAIN_MS = 20;

export class Handshakes {
  readonly #clock: Clock;
  /** By slot. */
  readonly #underWay = new Map<number, number>();
  /** In the order in which they came; each a connection, so there are no more than those. */
  readonly #line = new Set<() => boolean>();
  #timer: Disposable | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#line.size;
  }

  hasRoom(slot: number): boolean {
    return (this.#underWay.get(slot) ?? 0) < MOST_AT_ONCE;
  }

  begin(slot: number): void {
    this.#underWay.set(slot, (this.#underWay.get(slot) ?? 0) + 1);
  }

  end(slot: number): void {
    const left = this.#underWay.get(slot)! - 1;
    if (left === 0) this.#underWay.delete(slot);
    else this.#underWay.set(slot, left);
    this.#serve();
  }

  /** Calls `run` when there may be room, until it says true. Disposing takes it out of the line. */
  wait(run: () => boolean): Disposable {
    this.#line.add(run);
    this.#arm();
    return { [Symbol.dispose]: () => void this.#line.delete(run) };
  }

  #serve(): void {
    for (const run of this.#line) {
      if (!run()) return;
      this.#line.delete(run);
    }
  }

  #arm(): void {
    this.#timer ??= this.#clock.after(LOOK_AGAIN_MS, () => {
      this.#timer = null;
      this.#serve();
      if (this.#line.size > 0) this.#arm();
    });
  }
}
