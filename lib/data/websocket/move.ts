// What a move that is under way holds: the leg that is asked for, then waits, and a time limit; and how it is given up.

import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { GOING_AWAY, maskedCloseFrame } from './frames.ts';
import type { Leg } from './leg.ts';
import type { OpenLeg } from './legs.ts';

export class Move {
  /** Backend of the order; null for any. */
  readonly to: string | null;
  dialling: Disposable | null = null;
  opened: OpenLeg | null = null;
  leg: Leg | null = null;
  #timer: Disposable | null = null;

  constructor(to: string | null) {
    this.to = to;
  }

  wait(clock: Clock, ms: number, late: () => void): void {
    this.stop();
    this.#timer = clock.after(ms, late);
  }

  stop(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
  }

  callOff(clock: Clock, random: Random): void {
    this.dialling?.[Symbol.dispose]();
    this.dialling = null;
    const { leg } = this;
    this.leg = null;
    if (leg === null) return;
    if (!leg.socket.writableEnded) leg.socket.write(maskedCloseFrame(GOING_AWAY, random));
    leg.leave(clock);
  }
}
