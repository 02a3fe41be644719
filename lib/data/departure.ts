// A worker's way out: no new connections, what is under way finishes, long connections are ended at a pace, at the deadline the rest.

import { type Clock, every } from '../core/clock.ts';
import type { Listeners } from './listeners.ts';
import type { DataPlane } from './plane.ts';

const LOOK_EVERY_MS = 50;
/** Tunnels are ended in the first part of the time, so that their close handshakes fit into the rest. */
const TUNNEL_SHARE = 0.8;

export class Departure {
  readonly #plane: DataPlane;
  readonly #listeners: Listeners;
  readonly #clock: Clock;
  readonly #gone: (cut: number) => void;
  #looking: Disposable | null = null;
  #deadline: Disposable | null = null;

  constructor(plane: DataPlane, listeners: Listeners, clock: Clock, gone: (cut: number) => void) {
    this.#plane = plane;
    this.#listeners = listeners;
    this.#clock = clock;
    this.#gone = gone;
  }

  begin(deadlineMs: number, pacePerSecond: number, idleMs: number): void {
    if (this.#looking !== null) return;
    this.#plane.draining = true;
    this.#plane.leases.close();
    this.#listeners.stopAccepting();
    this.#listeners.drain(pacePerSecond, idleMs);
    // Fast enough to be through in time, however many there are.
    const needed = (this.#plane.tunnels.size * 1000) / Math.max(1, deadlineMs * TUNNEL_SHARE);
    this.#plane.tunnels.endAll(Math.max(pacePerSecond, Math.ceil(needed)));
    this.#looking = every(this.#clock, LOOK_EVERY_MS, () => {
      if (this.#left === 0) this.#leave(0);
    });
    this.#deadline = this.#clock.after(deadlineMs, () => {
      const cut = this.#left;
      this.#plane.tunnels.destroyAll();
      this.#listeners.destroyAll();
      this.#leave(cut);
    });
  }

  get #left(): number {
    return this.#listeners.connections + this.#plane.tunnels.size;
  }

  #leave(cut: number): void {
    this.#looking?.[Symbol.dispose]();
    this.#deadline?.[Symbol.dispose]();
    this.#plane.dispose();
    this.#gone(cut);
  }
}
