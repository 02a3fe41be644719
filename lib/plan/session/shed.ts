// Which part of a backend's leases that no connection holds (HTTP sessions) is to leave: a fraction of their hashes, corrected each tick.
//
// A lease leaves when the hash of its id and the turn lies under the fraction. Within a turn the fraction only rises, so that who
// stayed is asked again only when more must go; when the backend has come down the turn is over and the next one
// begins with other leases.

export interface ShedSettings {
  /** A backend foreseen above this gives up leases … */
  readonly over: number;
  /** … until it is foreseen here. Both give way to the mean of the cluster. */
  readonly under: number;
  /** The others are not brought above this. */
  readonly fullAt: number;
  /** Of what it holds, at most so much a second. */
  readonly perSecond: number;
  /** After this long below `under` a turn is over. */
  readonly restMs: number;
}

export const SHED_DEFAULTS: ShedSettings = Object.freeze({
  over: 0.9,
  under: 0.8,
  fullAt: 0.87,
  perSecond: 0.05,
  restMs: 10_000,
});

export interface ShedState {
  /** Raised with each turn; part of what is hashed. */
  readonly turn: number;
  /** 0 to 1. */
  readonly fraction: number;
  /** Below `under` since; NaN while above, or when nothing is shed. */
  readonly calmSinceMs: number;
}

export const NO_SHED: ShedState = Object.freeze({ turn: 0, fraction: 0, calmSinceMs: Number.NaN });

export interface ShedView {
  /** Foreseen of it; NaN while nothing is known. */
  readonly ahead: number;
  /** Of those that could take over, without it: their mean, and how many. */
  readonly others: number;
  readonly count: number;
}

const ABOVE_MEAN = 0.04;
/** Sessions leave at their next request and loads are reported late: what is missing is made up for over about so many ticks. */
const TICKS_TO_MEND = 8;

/** `passedMs` since the tick before. */
export function stepShed(
  state: ShedState,
  { ahead, others, count }: ShedView,
  nowMs: number,
  passedMs: number,
  { over, under, fullAt, perSecond, restMs }: ShedSettings,
): ShedState {
  const sheds = state.fraction > 0;
  if (!(ahead >= 0) || count === 0) return sheds ? nextTurn(state) : state;
  const mean = (ahead + others * count) / (count + 1);
  const goal = Math.max(under, mean);
  if (!sheds && ahead <= Math.max(over, mean + ABOVE_MEAN)) return state;
  if (sheds && ahead <= goal) {
    if (Number.isNaN(state.calmSinceMs)) return { ...state, calmSinceMs: nowMs };
    return nowMs - state.calmSinceMs >= restMs ? nextTurn(state) : state;
  }
  // As much as brings it down, as much as the others have room for, and not all at once.
  const room = Math.max(0, Math.max(fullAt, mean) - others) * count;
  const wanted = Math.min(ahead - goal, room) / ahead / TICKS_TO_MEND;
  const step = Math.min(wanted, (perSecond * passedMs) / 1000);
  if (step <= 0) return state;
  return { turn: state.turn, fraction: 1 - (1 - state.fraction) * (1 - step), calmSinceMs: Number.NaN };
}

/** A drain: evenly until `leftMs` from now, from wherever it stands; nobody is left then. */
export const stepDrain = (state: ShedState, leftMs: number, passedMs: number): ShedState => ({
  turn: state.turn,
  fraction: state.fraction + (1 - state.fraction) * (leftMs <= passedMs ? 1 : passedMs / leftMs),
  calmSinceMs: Number.NaN,
});

export const nextTurn = ({ turn }: ShedState): ShedState => ({ ...NO_SHED, turn: (turn + 1) % 65_536 });
