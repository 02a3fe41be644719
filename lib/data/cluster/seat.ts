// A backend's seat with what its cluster learns: tells the learner of its requests, and of nothing once they are over.
//
// A policy keeps what it learns in arrays by seat, which are as long as the cluster needs and not as the whole scoreboard. A
// seat belongs to one owner of one slot. It is given to another only when the last request of the one before has ended, so
// that no late ending is taken for the newcomer's.

import type { Ending, Learner, LoadReport } from '../../plan/balance/learner.ts';

export class Seat {
  readonly index: number;
  readonly slot: number;
  readonly slotGeneration: number;
  readonly #learner: Learner;
  readonly #empty: (seat: Seat) => void;
  #inFlight = 0;
  #left = false;

  /** `empty` hears when its owner has left and nothing is in flight any more. */
  constructor(
    index: number,
    owner: { readonly slot: number; readonly slotGeneration: number },
    learner: Learner,
    empty: (seat: Seat) => void,
  ) {
    this.index = index;
    this.slot = owner.slot;
    this.slotGeneration = owner.slotGeneration;
    this.#learner = learner;
    this.#empty = empty;
  }

  /** Requests of this worker that the learner was told of and that have not ended. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Call when the scoreboard shows it already. */
  started(): void {
    this.#inFlight += 1;
    this.#learner.started(this.index);
  }

  /** Call when the scoreboard shows it no more. */
  finished(ending: Ending, latencyMs: number): void {
    this.#inFlight -= 1;
    this.#learner.finished(this.index, ending, latencyMs);
    if (this.#left && this.#inFlight === 0) this.#empty(this);
  }

  reported(report: LoadReport): void {
    if (!this.#left) this.#learner.reported(this.index, report);
  }

  /** Its owner takes no part any more. */
  leave(): void {
    if (this.#left) return;
    this.#left = true;
    if (this.#inFlight === 0) this.#empty(this);
  }
}
