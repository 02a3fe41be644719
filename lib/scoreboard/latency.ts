// Peak-EWMA latency per slot, as one worker sees it: memory of its own, since averages of several writers would need locks.

/** Finagle's and Linkerd's default: an estimate forgets a peak within some ten seconds. */
const DECAY_MS = 10_000;
/** Failures are forgiven sooner: a backend that restarted should not be shunned for half a minute. */
const FAILURE_DECAY_MS = 2_000;
/** What a failed attempt costs its client, retry and all. Above any latency worth choosing by, below a time-out. */
const FAILURE_COST_MS = 1_000;
/** At least this share of attempts is taken to succeed, so that the price stays finite. */
const LEAST_SUCCESS = 0.01;
/** A measured backend is never 0, which means "never measured". */
const LEAST_MS = 0.001;

/**
 * Peak-EWMA as in Finagle (com.twitter.finagle.loadbalancer.PeakEwma) and tower: a latency over the estimate is taken
 * over at once, one below it moves the estimate by 1 − exp(−Δt/τ), and silence lets it decay, so that a backend that
 * was slow is tried again.
 *
 * Failures are priced in, because a backend that fails fast must not look fast: with a share f of failed attempts, each
 * costing FAILURE_COST_MS and a further attempt, a good answer takes (latency + f·cost) / (1 − f) on average. A failure
 * never lowers the latency itself.
 */
export class LatencyBook {
  readonly #latencyMs: Float64Array;
  readonly #failing: Float64Array;
  /** Of the last observation; 0 for none. */
  readonly #atMs: Float64Array;
  /** The last time anything was observed or `tick` was called: fine enough for τ = 10 s, and reads need no clock. */
  #nowMs = 0;

  constructor(slots: number) {
    this.#latencyMs = new Float64Array(slots);
    this.#failing = new Float64Array(slots);
    this.#atMs = new Float64Array(slots);
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** A good answer after `latencyMs`. */
  succeeded(slot: number, latencyMs: number, nowMs: number): void {
    const keep = this.#advance(slot, nowMs, 0);
    const before = this.#latencyMs[slot]!;
    this.#latencyMs[slot] = latencyMs >= before ? latencyMs : before * keep + latencyMs * (1 - keep);
  }

  /** No answer or a bad one; `latencyMs` is 0 when there was none. */
  failed(slot: number, latencyMs: number, nowMs: number): void {
    this.#advance(slot, nowMs, 1);
    if (latencyMs > this.#latencyMs[slot]!) this.#latencyMs[slot] = latencyMs;
  }

  /** The slot has another backend now. */
  forget(slot: number): void {
    this.#latencyMs[slot] = 0;
    this.#failing[slot] = 0;
    this.#atMs[slot] = 0;
  }

  /** Expected time to a good answer; 0 when never measured. */
  costMs(slot: number): number {
    const atMs = this.#atMs[slot]!;
    if (atMs === 0) return 0;
    const idleMs = Math.max(0, this.#nowMs - atMs);
    const latencyMs = this.#latencyMs[slot]! * Math.exp(-idleMs / DECAY_MS);
    const failing = this.#failing[slot]! * Math.exp(-idleMs / FAILURE_DECAY_MS);
    if (failing === 0) return Math.max(LEAST_MS, latencyMs);
    return Math.max(LEAST_MS, (latencyMs + failing * FAILURE_COST_MS) / Math.max(LEAST_SUCCESS, 1 - failing));
  }

  /** Moves the slot on to `nowMs` with one more outcome; returns the weight that the old latency keeps. */
  #advance(slot: number, nowMs: number, failure: 0 | 1): number {
    const atMs = this.#atMs[slot]!;
    const elapsedMs = Math.max(0, nowMs - atMs);
    if (atMs === 0) this.#failing[slot] = failure;
    else {
      const keep = Math.exp(-elapsedMs / FAILURE_DECAY_MS);
      this.#failing[slot] = this.#failing[slot]! * keep + failure * (1 - keep);
    }
    this.#atMs[slot] = nowMs;
    this.#nowMs = nowMs;
    return atMs === 0 ? 0 : Math.exp(-elapsedMs / DECAY_MS);
  }
}
