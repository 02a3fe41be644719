// How long to wait before the next try: full jitter, so that clients that lost one backend do not come back as one.

/** Uniform between 0 and the base doubled for each try, at most the cap (Brooker, "Exponential Backoff And Jitter", 2015). */
export const fullJitterMs = (attempt: number, baseMs: number, capMs: number, random: () => number): number =>
  random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
