// How long a backend's leases are: longer the longer nothing is foreseen to overload it, back at the base at once when something is.

export interface TermSettings {
  readonly baseMs: number;
  readonly maxMs: number;
  /** Foreseen below this it is calm … */
  readonly calm: number;
  /** … and above this leases are short again. In between they stay as long as they are. */
  readonly busy: number;
}

export interface TermState {
  readonly termMs: number;
  /** Calm since then, on the monotonic clock; NaN while it is not. */
  readonly calmSinceMs: number;
}

/** So many of its own terms a backend is calm before the next ones are twice as long: each step is earned by the step before. */
const TERMS_OF_CALM = 2;
/** Of short terms that would be no calm yet. */
const LEAST_CALM_MS = 30_000;

export const firstTerm = (baseMs: number): TermState => ({ termMs: baseMs, calmSinceMs: Number.NaN });

/** Once a tick; `foreseen` is the most that is foreseen of its load, NaN when nothing is known: then nothing is promised. */
export function stepTerm(
  state: TermState,
  foreseen: number,
  nowMs: number,
  { baseMs, maxMs, calm, busy }: TermSettings,
): TermState {
  const termMs = Math.max(baseMs, Math.min(state.termMs, maxMs));
  if (!(foreseen <= busy)) return { termMs: baseMs, calmSinceMs: Number.NaN };
  if (foreseen > calm) return { termMs, calmSinceMs: Number.NaN };
  if (Number.isNaN(state.calmSinceMs)) return { termMs, calmSinceMs: nowMs };
  if (termMs >= maxMs || nowMs - state.calmSinceMs < Math.max(LEAST_CALM_MS, TERMS_OF_CALM * termMs))
    return termMs === state.termMs ? state : { ...state, termMs };
  return { termMs: Math.min(maxMs, 2 * termMs), calmSinceMs: nowMs };
}
