// The figures of one run in a world of sessions.

export interface SessionFigures {
  /** Share of all backend-seconds with a load over 1. */
  readonly overload: number;
  /** Load over 1 summed over time, per backend and second: how much, not only how often. */
  readonly excess: number;
  /** Per session and hour. */
  readonly moves: number;
  /** Most moves begun in ten seconds, per second. */
  readonly peak: number;
  /** Sessions cut: at the end of a drain, or with their backend. */
  readonly dropped: number;
  /** Fullest backend over the mean, averaged over time. */
  readonly spread: number;
  readonly sessions: number;
}

export const SESSION_FIGURE_NAMES = ['overload', 'excess', 'moves', 'peak', 'dropped', 'spread'] as const;
export type SessionFigureName = (typeof SESSION_FIGURE_NAMES)[number];
