// Tells the connections of a listener to finish, so many a second, those with a tunnel last.

import type { Socket } from 'node:net';
import { type Clock, every } from '../../core/clock.ts';
import type { Session } from './session.ts';

const TICK_MS = 100;

/** Every connection is told once; new ones that a handshake still brings are told too. */
export class DrainPacer implements Disposable {
  readonly #told = new WeakSet<Session>();
  readonly #timer: Disposable;
  #credit: number;

  constructor(clock: Clock, pacePerSecond: number, open: () => ReadonlyMap<Socket, Session | null>) {
    const perTick = (Math.max(1, pacePerSecond) * TICK_MS) / 1000;
    this.#credit = perTick;
    this.#pass(clock, open());
    this.#timer = every(clock, TICK_MS, () => {
      this.#credit = Math.min(this.#credit + perTick, Math.max(1, perTick));
      this.#pass(clock, open());
    });
  }

  #pass(clock: Clock, open: ReadonlyMap<Socket, Session | null>): void {
    const nowMs = clock.monotonicMs();
    for (const session of open.values()) {
      if (session === null || this.#told.has(session)) continue;
      // A GOAWAY ends the WebSockets of an HTTP/2 connection in Firefox: whoever ends the tunnels comes first.
      if (session.tunnels > 0) continue;
      if (session.paced) {
        if (this.#credit < 1) continue;
        this.#credit -= 1;
      }
      this.#told.add(session);
      session.drain(nowMs);
    }
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}
