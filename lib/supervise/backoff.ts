// How long to wait before a thread that died is started again: soon at first, ever longer while it keeps dying.

const FIRST_MS = 50;
const LONGEST_MS = 5_000;
/** A thread that lived this long died of something new. */
const CALM_MS = 10_000;

export interface BackoffState {
  readonly delayMs: number;
  readonly startedMs: number;
}

export const started = (before: BackoffState | undefined, nowMs: number): BackoffState => ({
  delayMs: before?.delayMs ?? FIRST_MS,
  startedMs: nowMs,
});

/** The state after a death; its `delayMs` is what to wait now. */
export function died(state: BackoffState, nowMs: number): BackoffState {
  const calm = nowMs - state.startedMs >= CALM_MS;
  return { delayMs: calm ? FIRST_MS : Math.min(state.delayMs * 2, LONGEST_MS), startedMs: state.startedMs };
}
