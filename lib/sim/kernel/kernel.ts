// Virtual time: runs events in order and jumps from one to the next; a Clock, so that what runs in life runs here unchanged.

import type { Clock } from '../../core/clock.ts';
import { EventQueue } from './event-queue.ts';

/** Handles the events of one kind; `a` and `b` are what was scheduled with it. */
export type Handler = (a: number, b: number) => void;

/** Pending at once. The largest shipped scenario stays under a tenth of it. */
const MOST_PENDING = 2 ** 20;
/** Kinds fit a byte. */
const MOST_KINDS = 256;
/** The wall clock of the world at its start: any fixed time will do, and this one is not mistaken for today. */
const WALL_START_MS = Date.UTC(2024, 0, 1);

export class Kernel implements Clock {
  readonly #queue = new EventQueue(MOST_PENDING);
  readonly #handlers: Handler[] = [];
  readonly #callbacks = new Map<number, () => void>();
  readonly #callbackKind: number;
  #nowMs = 0;
  #callbackIds = 0;
  #events = 0;

  constructor() {
    this.#callbackKind = this.register(id => {
      const run = this.#callbacks.get(id);
      this.#callbacks.delete(id);
      run?.();
    });
  }

  /** Events run so far. */
  get events(): number {
    return this.#events;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return WALL_START_MS + this.#nowMs;
  }

  after(ms: number, run: () => void): Disposable {
    this.#callbackIds = (this.#callbackIds + 1) | 0;
    const id = this.#callbackIds;
    this.#callbacks.set(id, run);
    this.schedule(ms, this.#callbackKind, id, 0);
    return { [Symbol.dispose]: () => void this.#callbacks.delete(id) };
  }

  /** The number to schedule events of this kind by. */
  register(handler: Handler): number {
    if (this.#handlers.length >= MOST_KINDS) throw new RangeError(`more than ${MOST_KINDS} kinds of events`);
    return this.#handlers.push(handler) - 1;
  }

  /** In `ms` from now; what is due in the past runs next. */
  schedule(ms: number, kind: number, a: number, b: number): void {
    this.#queue.push(this.#nowMs + Math.max(0, ms), kind, a, b);
  }

  /** Runs what is due up to and including `untilMs`, and leaves the clock there. */
  run(untilMs: number): void {
    const queue = this.#queue;
    const handlers = this.#handlers;
    while (queue.nextMs() <= untilMs) {
      queue.pop();
      this.#nowMs = queue.atMs;
      this.#events += 1;
      handlers[queue.kind]!(queue.a, queue.b);
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }
}
