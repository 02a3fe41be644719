// One connection to a backend as a relay holds it: read from the start, so that its death is seen, but kept back until it is in use.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';

/** Between our last byte and the other side's consent. */
const GRACE_MS = 1000;

export interface LegOwner {
  legData(leg: Leg, chunk: Uint8Array): void;
  /** It takes more. */
  legDrained(leg: Leg): void;
  /** It has said its last byte. */
  legEnded(leg: Leg): void;
  legClosed(leg: Leg): void;
}

export class Leg {
  readonly socket: Duplex;
  readonly cooperative: boolean;
  readonly #owner: LegOwner;
  readonly #maxWaiting: number;
  /** What came before it was in use; null from then on. */
  #waiting: Uint8Array[] | null = [];
  #waitingBytes = 0;
  #ended = false;
  #left = false;
  error = '';

  constructor(owner: LegOwner, socket: Duplex, rest: Uint8Array, cooperative: boolean, maxWaiting: number) {
    this.#owner = owner;
    this.socket = socket;
    this.cooperative = cooperative;
    this.#maxWaiting = maxWaiting;
    if (rest.length > 0) this.#keep(rest);
    socket.on('data', this.#data);
    socket.on('drain', this.#drain);
    socket.on('end', this.#end);
    socket.on('error', this.#failed);
    socket.on('close', this.#close);
    // It may have closed while it was handed over, and will not say so again.
    if (socket.closed) queueMicrotask(this.#close);
    else if (this.#waitingBytes < maxWaiting) socket.resume();
  }

  /** From now on what it says goes to its owner: first what waited. */
  use(): void {
    const waiting = this.#waiting!;
    this.#waiting = null;
    for (const chunk of waiting) this.#owner.legData(this, chunk);
    if (this.#ended) this.#owner.legEnded(this);
    else this.socket.resume();
  }

  /** Nobody listens any more; it gets the time to close in order. */
  leave(clock: Clock): void {
    this.#left = true;
    this.#waiting = null;
    const { socket } = this;
    if (socket.destroyed) return;
    socket.resume();
    if (!socket.writableEnded) socket.end();
    const timer = clock.after(GRACE_MS, () => socket.destroy());
    socket.once('close', () => timer[Symbol.dispose]());
  }

  /** It ends now; nobody listens any more. */
  cut(): void {
    this.#left = true;
    this.#waiting = null;
    this.socket.destroy();
  }

  #keep(chunk: Uint8Array): void {
    this.#waiting!.push(chunk);
    this.#waitingBytes += chunk.length;
    if (this.#waitingBytes >= this.#maxWaiting) this.socket.pause();
  }

  readonly #data = (chunk: Uint8Array): void => {
    if (this.#left) return;
    if (this.#waiting === null) this.#owner.legData(this, chunk);
    else this.#keep(chunk);
  };

  readonly #drain = (): void => {
    if (!this.#left) this.#owner.legDrained(this);
  };

  readonly #end = (): void => {
    this.#ended = true;
    if (!this.#left) this.#owner.legEnded(this);
  };

  readonly #failed = (error: Error): void => {
    this.error ||= error.message;
  };

  readonly #close = (): void => {
    if (!this.#left) this.#owner.legClosed(this);
  };
}
