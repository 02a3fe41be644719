// What the proxy itself sees of a backend, second by second: rates, sizes, time to answer, work in flight, errors.

import { type Second, Seconds } from './seconds.ts';

/** Counters that only rise, over all workers, since the backend came. */
export interface Counts {
  readonly attempts: number;
  readonly successes: number;
  readonly serverErrors: number;
  readonly failures: number;
  readonly cancelled: number;
  readonly latencySumMs: number;
  /** Body bytes sent to it. */
  readonly bytesIn: number;
  /** Body bytes received from it. */
  readonly bytesOut: number;
}

const SECOND_MS = 1_000;
/** A tick that comes a little early still ends the second. */
const SLACK_MS = 60;
/** Readings within a second; more ticks than that are thinned out by taking the newest. */
const MOST_READINGS = 16;
/** Answers in a second that count in full for the share of errors. */
const FULL_WEIGHT = 10;
const CALM_FADE = 0.9;
/** A minute's answers are the usual ones. */
const USUAL_FADE = 1 - 1 / 60;

interface Reading {
  readonly atMs: number;
  readonly counts: Counts;
  readonly inFlight: number;
}

export class ObservedLoad {
  /** The last second, moving on with each tick; null before there was one. */
  now: Second | null = null;
  /** Share of attempts that failed, over the last few seconds. */
  errorShare = 0;
  /** True when the last `observe` ended a whole second, which is then `now`. */
  closed = false;
  readonly #readings: Reading[] = [];
  readonly #seconds = new Seconds();
  #closedMs = Number.NEGATIVE_INFINITY;
  #usualAnswers = 0;
  #usualSumMs = 0;

  /** Mean time until the head of an answer, of about the last minute's answers; NaN while there was none. */
  get usualMs(): number {
    return this.#usualSumMs / this.#usualAnswers;
  }

  /** Once a tick. Counters that fall are another backend's: everything begins anew. */
  observe(counts: Counts, inFlight: number, connections: number, atMs: number): void {
    this.closed = false;
    const newest = this.#readings.at(-1);
    if (newest !== undefined && hasFallen(newest.counts, counts)) this.#begin();
    const due = atMs - SECOND_MS + SLACK_MS;
    while (this.#readings.length > 1 && this.#readings[1]!.atMs <= due) this.#readings.shift();
    if (this.#readings.length >= MOST_READINGS) this.#readings.pop();
    this.#readings.push({ atMs, counts, inFlight });
    const oldest = this.#readings[0]!;
    if (oldest.atMs > due) return;
    this.now = this.#secondSince(oldest, connections);
    if (atMs - this.#closedMs < SECOND_MS - SLACK_MS) return;
    this.#closedMs = atMs;
    this.closed = true;
    this.#seconds.push(this.now);
    const failed = counts.failures - oldest.counts.failures;
    this.#learnErrors(this.now, (failed * SECOND_MS) / (atMs - oldest.atMs));
    this.#learnUsual(this.now);
  }

  /** Whole seconds, the oldest first; a minute of them. */
  get seconds(): readonly Second[] {
    return this.#seconds.list();
  }

  #begin(): void {
    this.#readings.length = 0;
    this.#seconds.clear();
    this.#closedMs = Number.NEGATIVE_INFINITY;
    this.now = null;
    this.errorShare = 0;
    this.#usualAnswers = 0;
    this.#usualSumMs = 0;
  }

  #secondSince(oldest: Reading, connections: number): Second {
    const { atMs, counts } = this.#readings.at(-1)!;
    const before = oldest.counts;
    const perSecond = SECOND_MS / (atMs - oldest.atMs);
    const answers = counts.successes + counts.serverErrors - before.successes - before.serverErrors;
    const failures = counts.failures - before.failures;
    const errors = failures + counts.serverErrors - before.serverErrors;
    let inFlight = 0;
    // The oldest belongs to the second before.
    for (let i = 1; i < this.#readings.length; i++) inFlight += this.#readings[i]!.inFlight;
    return {
      atMs,
      requestsPerSecond: (counts.attempts - before.attempts) * perSecond,
      answersPerSecond: answers * perSecond,
      errorsPerSecond: errors * perSecond,
      latencyMs: answers > 0 ? (counts.latencySumMs - before.latencySumMs) / answers : Number.NaN,
      inFlight: inFlight / Math.max(1, this.#readings.length - 1),
      connections,
      bytesInPerSecond: (counts.bytesIn - before.bytesIn) * perSecond,
      bytesOutPerSecond: (counts.bytesOut - before.bytesOut) * perSecond,
    };
  }

  /** Silent seconds change nothing: who stands still has not become another. */
  #learnUsual({ answersPerSecond, latencyMs }: Second): void {
    if (!(answersPerSecond > 0)) return;
    this.#usualAnswers = this.#usualAnswers * USUAL_FADE + answersPerSecond;
    this.#usualSumMs = this.#usualSumMs * USUAL_FADE + answersPerSecond * latencyMs;
  }

  /** An attempt ends answered, with 5xx too, or failed without an answer: never both. */
  #learnErrors({ answersPerSecond, errorsPerSecond }: Second, failuresPerSecond: number): void {
    const ended = answersPerSecond + failuresPerSecond;
    if (ended <= 0) {
      this.errorShare *= CALM_FADE;
      return;
    }
    const share = errorsPerSecond / ended;
    this.errorShare += 0.5 * Math.min(1, ended / FULL_WEIGHT) * (share - this.errorShare);
  }
}

/** Another backend in the same slot may have been asked more than the one before, and have sent less. */
const hasFallen = (before: Counts, counts: Counts): boolean =>
  counts.attempts < before.attempts ||
  counts.successes < before.successes ||
  counts.serverErrors < before.serverErrors ||
  counts.failures < before.failures ||
  counts.bytesIn < before.bytesIn ||
  counts.bytesOut < before.bytesOut;
