// How many requests at once a backend bears, learnt from how its time to answer rises with what is in flight.
//
// CapacityBook learns service time and room from windows of (mean in flight, answers per second). It must try more than was
// proven, so its room is a claim until the backend was seen to be full. Here that is kept apart: `proven` is true for a while after
// seconds in which answers took half as long again as usual with as much in flight as ever. A rise in latency alone is another mix
// of requests, or a slow database behind all.

import { CapacityBook } from '../balance/capacity-book.ts';
import type { Second } from './seconds.ts';

/** As CapacityBook takes it. */
const INFLATED = 1.5;
/** Of the most in flight seen of late: below that a slow second says nothing of room. */
const BUSY = 0.7;
const PEAK_FADE = 0.995;
/** One odd second is none. */
const SECONDS_FULL = 2;
const LEAST_IN_FLIGHT = 2;
const LEAST_ANSWERS = 5;
/** A wall is believed so long after it was last met: machines and programs change. */
const HOLDS_MS = 600_000;
/** Errors come faster than answers and say nothing about how long those take. */
const MOST_ERRORS = 0.2;
/** Seconds of not being full until there is a usual rate, and how much of a new one is in it. */
const SETTLED = 10;
const NEWEST_RATE = 1 / 60;
/** Work in flight over the usual, so that few answers are no sign of few requests. */
const PILED_UP = 1.5;
/** What is missing is believed by half after this long without another such second: nobody is sent there to see. */
const BELIEVED_MS = 10_000;

export class LearnedCapacity {
  readonly #book = new CapacityBook(1);
  #peak = 0;
  #full = 0;
  #fullMs = Number.NEGATIVE_INFINITY;
  #nowMs = 0;
  #settled = 0;
  #usualRate = 0;
  #usualInFlight = 0;
  #collapsed = 0;
  #share = 1;
  #shareMs = 0;

  /** Once a whole second. */
  learn({ atMs, inFlight, latencyMs, answersPerSecond, errorsPerSecond }: Second): void {
    this.#nowMs = atMs;
    this.#learnShare(atMs, inFlight, latencyMs, answersPerSecond);
    if (answersPerSecond < LEAST_ANSWERS || errorsPerSecond > MOST_ERRORS * answersPerSecond) {
      this.#book.learn(0, 0, 0, Number.NaN, atMs);
      return;
    }
    // By Little's law, of the time until the head of the answer: long downloads fill no place at the backend's processors.
    const atWork = (answersPerSecond * latencyMs) / 1000;
    const usualMs = this.#book.serviceMs[0]!;
    const inflated = latencyMs > INFLATED * usualMs;
    const busy = inFlight >= Math.max(LEAST_IN_FLIGHT, BUSY * this.#peak);
    this.#full = inflated && busy ? this.#full + 1 : 0;
    if (this.#full >= SECONDS_FULL) this.#fullMs = atMs;
    this.#peak = Math.max(inFlight, this.#peak * PEAK_FADE);
    this.#book.learn(0, Math.max(0.01, atWork), answersPerSecond, Number.NaN, atMs);
  }

  /**
   * Answers a second, as a share of the usual, while work piles up and each answer takes longer: what is left of its capacity. 1
   * where nothing says otherwise: fewer answers to fewer requests are no loss.
   */
  share(nowMs: number): number {
    return 1 - (1 - this.#share) * 0.5 ** (Math.max(0, nowMs - this.#shareMs) / BELIEVED_MS);
  }

  /** Requests at once; NaN before anything was learnt. */
  get room(): number {
    return this.#book.room[0]!;
  }

  /** It was seen to be full not long ago, so the room is what it is and no guess. */
  get proven(): boolean {
    return this.#nowMs - this.#fullMs < HOLDS_MS;
  }

  #learnShare(atMs: number, inFlight: number, latencyMs: number, rate: number): void {
    const share = rate / this.#usualRate;
    const fewer =
      this.#settled >= SETTLED &&
      inFlight >= LEAST_IN_FLIGHT &&
      inFlight > PILED_UP * this.#usualInFlight &&
      // Who answers nothing at all stands still, which is seen sooner and over sooner.
      latencyMs > INFLATED * this.#book.serviceMs[0]! &&
      share < 1;
    this.#collapsed = fewer ? this.#collapsed + 1 : 0;
    if (this.#collapsed >= SECONDS_FULL) {
      this.#share = share;
      this.#shareMs = atMs;
    } else if (!fewer && inFlight >= LEAST_IN_FLIGHT && share >= this.share(atMs)) this.#share = 1;
    if (fewer || rate < LEAST_ANSWERS) return;
    this.#settled += 1;
    const newest = Math.max(NEWEST_RATE, 1 / this.#settled);
    this.#usualRate += newest * (rate - this.#usualRate);
    this.#usualInFlight += newest * (inFlight - this.#usualInFlight);
  }

  /** Usual time to answer; NaN before anything was learnt. */
  get serviceMs(): number {
    return this.#book.serviceMs[0]!;
  }
}
