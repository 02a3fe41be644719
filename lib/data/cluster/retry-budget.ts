// How many retries a cluster may see: a share of its requests, so that retries can never multiply an outage.
//
// A limit per request ("at most 3 tries") triples the load exactly when backends fail. A budget over all
// requests does not: at 20 % the worst case is 1.2 times the load (as in Finagle and linkerd). Credit fades over
// ten seconds, so that a long calm saves up no storm; a floor lets a quiet route retry at all.

import type { Clock } from '../../core/clock.ts';

const HORIZON_S = 10;

export class RetryBudget {
  readonly #clock: Clock;
  #share = 0;
  #minPerSecond = 0;
  /** Earned by requests. */
  #credit = 0;
  /** Earned by time; a second's worth at most. */
  #floor = 0;
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  /** A reload changes the rates, not what is left. */
  configure(share: number, minPerSecond: number): void {
    const first = this.#minPerSecond === 0;
    this.#share = share;
    this.#minPerSecond = minPerSecond;
    this.#floor = first ? this.#floorMost : Math.min(this.#floor, this.#floorMost);
  }

  /** A first try was made. */
  deposit(): void {
    this.#age();
    this.#credit += this.#share;
  }

  /** Takes one retry, if there is credit for it. */
  withdraw(): boolean {
    this.#age();
    if (this.#credit >= 1) this.#credit -= 1;
    else if (this.#floor >= 1) this.#floor -= 1;
    else return false;
    return true;
  }

  /** A worker's share of the floor may be less than one a second. */
  get #floorMost(): number {
    return this.#minPerSecond === 0 ? 0 : Math.max(1, this.#minPerSecond);
  }

  #age(): void {
    const now = this.#clock.monotonicMs();
    const passedS = (now - this.#lastMs) / 1000;
    this.#lastMs = now;
    // The exact fade is exponential; between two requests this is the same to within a thousandth.
    this.#credit *= Math.max(0, 1 - passedS / HORIZON_S);
    this.#floor = Math.min(this.#floor + passedS * this.#minPerSecond, this.#floorMost);
  }
}
