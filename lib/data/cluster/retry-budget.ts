// How many retries a cluster may see: a share of its requests, so that retries can never multiply an outage.
//
// A limit per request ("at most 3 tries") triples the load exactly when backends fail. A budget over all
// requests does not: at 20 % the worst case is 1.2 times the load (as in Finagle and linkerd). The bucket
// holds credit for ten seconds; a floor lets a quiet route retry at all.

import type { Clock } from '../../core/clock.ts';

const HORIZON_S = 10;

export class RetryBudget {
  readonly #clock: Clock;
  #share = 0;
  #minPerSecond = 0;
  #credit = 0;
  #lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastMs = clock.monotonicMs();
  }

  configure(share: number, minPerSecond: number): void {
    this.#share = share;
    this.#minPerSecond = minPerSecond;
    this.#credit = Math.max(this.#credit, minPerSecond);
  }

  /** A first try was made. */
  deposit(): void {
    this.#credit = Math.min(this.#credit + this.#share, this.#ceiling());
  }

  /** Takes one retry, if there is credit for it. */
  withdraw(): boolean {
    const now = this.#clock.monotonicMs();
    const earned = ((now - this.#lastMs) / 1000) * this.#minPerSecond;
    this.#lastMs = now;
    this.#credit = Math.min(this.#credit + earned, this.#ceiling());
    if (this.#credit < 1) return false;
    this.#credit -= 1;
    return true;
  }

  /** Ten seconds' worth of the floor, or of what a thousand requests a second would earn; a long calm saves up no storm. */
  #ceiling(): number {
    return HORIZON_S * Math.max(this.#minPerSecond, this.#share * 1000);
  }
}
