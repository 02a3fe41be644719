// Concurrency limiters behind one port: how many requests a backend may have at once, judged by what it answered lately.
//
// A limiter has no memory of its own. What it knows of a backend is a few numbers that its caller keeps, so that several
// threads may share them (scoreboard/shared-limits.ts), and a world in virtual time may hold a thousand.

/** What is known of one backend; all numbers, so that it fits into shared cells. Begins as zeros. */
export interface LimitState {
  /** In force; not rounded. 0 before the first. */
  limit: number;
  /** Latency without a queue at the backend, in ms; 0 before it was measured. */
  baseMs: number;
  /** Mean latency of the last window, in ms. */
  sampleMs: number;
  /** The same over some twenty windows. */
  slowMs: number;
  /** The next window is at least this long. */
  windowMs: number;
  /** Spent at the limit since `baseMs` was last measured free of a queue. */
  limitedMs: number;
  /** See gradient.ts. */
  phase: number;
  /** The limit to come back to after a probe. */
  heldLimit: number;
  /** Good answers a ms before the probe. */
  heldRate: number;
}

/** What one backend answered over a span of time, to all who share the limit. */
export interface LimitWindow {
  elapsedMs: number;
  /** Answers that were neither errors nor cut, and the sum of their latencies until the head. */
  good: number;
  latencySumMs: number;
  /** Time-outs, refused or cut connections, 502 to 504: a backend that says or shows that it is overloaded. */
  pushedBack: number;
}

export interface Limiter {
  /** Until something is known. */
  readonly initial: number;
  /** Takes in a window; false when it holds too little yet and is to grow. */
  step(state: LimitState, window: LimitWindow): boolean;
}

export const freshLimit = ({ initial }: Limiter): LimitState => ({
  limit: initial,
  baseMs: 0,
  sampleMs: 0,
  slowMs: 0,
  windowMs: 0,
  limitedMs: 0,
  phase: 0,
  heldLimit: 0,
  heldRate: 0,
});

/** A number that stays. */
export const fixedLimit = (limit: number): Limiter => ({ initial: limit, step: () => true });

/** Requests that may be there at once, by a state. */
export const placesOf = (state: LimitState): number => Math.max(1, Math.round(state.limit));
