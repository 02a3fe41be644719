// Deadlines of requests: all equally long, so they fall due in the order of arrival, and one pending event is enough.

import type { Kernel } from '../kernel/kernel.ts';

export class Deadlines {
  readonly #kernel: Kernel;
  readonly #ms: number;
  readonly #kind: number;
  readonly #queue: { row: number; generation: number; dueMs: number }[] = [];
  #from = 0;
  #armed = false;

  /** `late` is called for every request put in, also for one that ended long before. */
  constructor(kernel: Kernel, ms: number, late: (row: number, generation: number) => void) {
    this.#kernel = kernel;
    this.#ms = ms;
    this.#kind = kernel.register(() => {
      this.#armed = false;
      const nowMs = kernel.monotonicMs();
      for (let next = this.#queue[this.#from]; next !== undefined && next.dueMs <= nowMs; ) {
        this.#from += 1;
        late(next.row, next.generation);
        next = this.#queue[this.#from];
      }
      if (this.#from > 4096) {
        this.#queue.splice(0, this.#from);
        this.#from = 0;
      }
      this.#arm();
    });
  }

  add(row: number, generation: number): void {
    this.#queue.push({ row, generation, dueMs: this.#kernel.monotonicMs() + this.#ms });
    if (!this.#armed) this.#arm();
  }

  #arm(): void {
    const next = this.#queue[this.#from];
    if (next === undefined) return;
    this.#armed = true;
    this.#kernel.schedule(next.dueMs - this.#kernel.monotonicMs(), this.#kind, 0, 0);
  }
}
