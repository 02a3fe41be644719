// When a WebSocket changes its backend, and what is done in which order: decisions alone, no socket and no timer.
//
//               move (overlap)                  opened              aligned               closed
//   steady ───────────────────► dialling ───────────────► aligning ─────────► draining ─────────────► steady
//     │                            │ refused, late           │ late              │ (strict: dials now)   ▲
//     │ move (strict): aligning    ▼                         ▼                   ▼                       │
//     │                         steady (nothing happened)  steady            redialling ── opened ───────┘
//     └─ lost (the backend died without Close) ───────────────────────────────► │ refused too often, late: abandon
//
// The client is held in draining and redialling, and only from an instant at which no message of its own is under way.
// README.md has the table.

/** `overlap` has the new backend before it leaves the old one; `strict` lets the old one settle what it has first. */
export type MoveMode = 'overlap' | 'strict';
export type MovePhase = 'steady' | 'dialling' | 'aligning' | 'draining' | 'redialling' | 'over';

export interface MoveState {
  readonly phase: MovePhase;
  readonly mode: MoveMode;
  /** A new leg has answered 101 and waits. */
  readonly ready: boolean;
  /** The leg that was left said Close, so all it had sent came before. */
  readonly clean: boolean;
  /** The leg that is left gets no more time than its message needs. */
  readonly late: boolean;
  /** Dials since the client is held. */
  readonly tries: number;
  /** Of the clock; NaN while the client is not held. */
  readonly heldSinceMs: number;
  /** Legs lost lately, and when the first of them was. */
  readonly losses: number;
  readonly lossesSinceMs: number;
  readonly why: string;
}

export type MoveEvent =
  /** An order, or a drain. */
  | { readonly kind: 'move'; readonly mode: MoveMode; readonly why: string }
  | { readonly kind: 'opened' }
  | { readonly kind: 'refused'; readonly why: string }
  /** No message of the client is under way. */
  | { readonly kind: 'aligned' }
  /** The leg in use said Close. `between`: not in the middle of a message. */
  | { readonly kind: 'closed'; readonly between: boolean }
  /** It died without one. `between`: nor in the middle of one of the client's. */
  | { readonly kind: 'lost'; readonly between: boolean; readonly why: string }
  /** The new leg died while it waited. */
  | { readonly kind: 'spoilt'; readonly why: string }
  /** The leg that is left, and is late, is between two messages. */
  | { readonly kind: 'between' }
  /** The time that `timer` gave is over. */
  | { readonly kind: 'late' }
  /** There is nothing left to move: the client closes, the framing is not understood, the connection is ended. */
  | { readonly kind: 'fixed'; readonly why: string };

export type MoveEffect =
  /** Open a leg: to where the order says, or anywhere. */
  | { readonly do: 'dial' }
  /** Give up the new leg, open or not. */
  | { readonly do: 'undial' }
  /** Watch for the end of the client's message: `aligned`, at once when there is none. */
  | { readonly do: 'align' }
  | { readonly do: 'unalign' }
  /** Keep what the client sends. */
  | { readonly do: 'hold' }
  /** Tell the leg in use to finish: Close, or the notice that it has agreed on. */
  | { readonly do: 'leave' }
  /** Say when that leg is between two messages. */
  | { readonly do: 'hurry' }
  /** The new leg is the one in use: its bytes first, then the client's that were held. */
  | { readonly do: 'switch' }
  /** The connection cannot be kept. */
  | { readonly do: 'abandon' }
  /** Replaces the one before. */
  | { readonly do: 'timer'; readonly of: 'dial' | 'hold' }
  | { readonly do: 'untimer' }
  | {
      readonly do: 'report';
      readonly result: 'moved' | 'unclean' | 'failed';
      readonly holdMs: number;
      readonly why: string;
    };

export interface Stepped {
  readonly state: MoveState;
  readonly effects: readonly MoveEffect[];
}

/** Legs to try for a client that is held, before it is told to come back. */
export const MAX_TRIES = 3;
/** A connection whose backends keep dying may be what kills them: so many within the time, then it ends. */
export const MAX_LOSSES = 3;
export const LOSSES_WITHIN_MS = 60_000;

export const STEADY: MoveState = Object.freeze({
  phase: 'steady',
  mode: 'overlap',
  ready: false,
  clean: false,
  late: false,
  tries: 0,
  heldSinceMs: Number.NaN,
  losses: 0,
  lossesSinceMs: 0,
  why: '',
});

const NOTHING: readonly MoveEffect[] = [];
const UNTIMER: MoveEffect = { do: 'untimer' };
const DIAL: MoveEffect = { do: 'dial' };
const UNDIAL: MoveEffect = { do: 'undial' };
const SWITCH: MoveEffect = { do: 'switch' };
const ABANDON: MoveEffect = { do: 'abandon' };
const DIAL_TIMER: MoveEffect = { do: 'timer', of: 'dial' };
const HOLD_TIMER: MoveEffect = { do: 'timer', of: 'hold' };

export const isHeld = ({ phase }: MoveState): boolean => phase === 'draining' || phase === 'redialling';

export function step(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  switch (state.phase) {
    case 'steady':
      return steady(state, event, nowMs);
    case 'dialling':
      return dialling(state, event, nowMs);
    case 'aligning':
      return aligning(state, event, nowMs);
    case 'draining':
      return draining(state, event, nowMs);
    case 'redialling':
      return redialling(state, event, nowMs);
    default:
      return stay(state);
  }
}

function steady(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  switch (event.kind) {
    case 'move': {
      const begun = { ...state, mode: event.mode, why: event.why };
      if (event.mode === 'strict') return to({ ...begun, phase: 'aligning' }, [DIAL_TIMER, { do: 'align' }]);
      return to({ ...begun, phase: 'dialling' }, [DIAL_TIMER, DIAL]);
    }
    case 'lost':
      return lostHere(state, event, [], nowMs);
    case 'closed':
    case 'fixed':
      return to({ ...state, phase: 'over' }, []);
    default:
      return stay(state);
  }
}

function dialling(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  switch (event.kind) {
    case 'opened':
      return to({ ...state, phase: 'aligning', ready: true }, [HOLD_TIMER, { do: 'align' }]);
    case 'refused':
      return calledOff(state, [], event.why);
    case 'late':
      return calledOff(state, [UNDIAL], 'the new backend did not answer in time');
    case 'lost':
      // The leg that is being dialled for the order serves the failure as well.
      return lostHere(state, event, [UNDIAL], nowMs);
    case 'closed':
      return ended(state, [UNDIAL], 'the backend closed the connection');
    case 'fixed':
      return ended(state, [UNDIAL], event.why);
    default:
      return stay(state);
  }
}

function aligning(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  const undo: readonly MoveEffect[] = state.ready ? [{ do: 'unalign' }, UNDIAL] : [{ do: 'unalign' }];
  switch (event.kind) {
    case 'aligned':
      return to({ ...state, phase: 'draining', heldSinceMs: nowMs }, [
        { do: 'hold' },
        HOLD_TIMER,
        { do: 'leave' },
      ]);
    case 'late':
      return calledOff(state, undo, 'the client was in the middle of a message all the time');
    case 'spoilt':
      return calledOff(state, undo, event.why);
    case 'lost':
      return lostHere(state, event, undo, nowMs);
    case 'closed':
      return ended(state, undo, 'the backend closed the connection');
    case 'fixed':
      return ended(state, undo, event.why);
    default:
      return stay(state);
  }
}

function draining(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  switch (event.kind) {
    case 'closed':
      if (!event.between)
        return given(state, [UNDIAL], 'the old backend closed in the middle of a message', nowMs);
      return left({ ...state, clean: true }, nowMs);
    case 'lost':
      // Half a message reached the client, and nobody can send it the other half.
      if (!event.between) return given(state, [UNDIAL], event.why, nowMs);
      return left(state, nowMs);
    case 'between':
      return state.late ? left(state, nowMs) : stay(state);
    case 'late':
      if (state.late)
        return given(state, [UNDIAL], 'the old backend stuck in the middle of a message', nowMs);
      return to({ ...state, late: true }, [HOLD_TIMER, { do: 'hurry' }]);
    case 'spoilt':
      return to({ ...state, ready: false }, []);
    case 'fixed':
      return ended(state, [UNDIAL], event.why, nowMs);
    default:
      return stay(state);
  }
}

function redialling(state: MoveState, event: MoveEvent, nowMs: number): Stepped {
  switch (event.kind) {
    case 'opened':
      return arrived(state, nowMs);
    case 'refused':
    case 'spoilt':
      if (state.tries >= MAX_TRIES) return given(state, [], event.why, nowMs);
      return to({ ...state, tries: state.tries + 1 }, [DIAL]);
    case 'late':
      return given(state, [UNDIAL], 'no other backend answered in time', nowMs);
    case 'fixed':
      return ended(state, [UNDIAL], event.why, nowMs);
    default:
      return stay(state);
  }
}

/** The leg in use died, without having been left. */
function lostHere(
  state: MoveState,
  { between, why }: { readonly between: boolean; readonly why: string },
  undo: readonly MoveEffect[],
  nowMs: number,
): Stepped {
  const fresh = nowMs - state.lossesSinceMs > LOSSES_WITHIN_MS;
  const losses = fresh ? 1 : state.losses + 1;
  const known = { ...state, losses, lossesSinceMs: fresh ? nowMs : state.lossesSinceMs };
  if (!between) return given(known, undo, why, nowMs);
  if (losses > MAX_LOSSES) return given(known, undo, 'its backends keep dying', nowMs);
  const held: MoveState = { ...known, phase: 'redialling', clean: false, heldSinceMs: nowMs, why };
  // One that stands, or is on its way, is taken.
  if (state.ready) return arrived(held, nowMs, [{ do: 'hold' }]);
  if (state.phase === 'dialling') return to({ ...held, tries: 1 }, [{ do: 'hold' }, HOLD_TIMER]);
  return to({ ...held, tries: 1 }, [{ do: 'hold' }, HOLD_TIMER, DIAL]);
}

/** The leg that was left is done with: over to the new one, or to find one. */
function left(state: MoveState, nowMs: number): Stepped {
  if (state.ready) return arrived(state, nowMs);
  return to({ ...state, phase: 'redialling', tries: 1 }, [HOLD_TIMER, DIAL]);
}

function arrived(state: MoveState, nowMs: number, before: readonly MoveEffect[] = []): Stepped {
  const result = state.clean ? 'moved' : 'unclean';
  return to(rested(state), [
    ...before,
    UNTIMER,
    SWITCH,
    { do: 'report', result, holdMs: heldFor(state, nowMs), why: state.why },
  ]);
}

/** As if nothing had been asked. */
const calledOff = (state: MoveState, undo: readonly MoveEffect[], why: string): Stepped =>
  to(rested(state), [...undo, UNTIMER, { do: 'report', result: 'failed', holdMs: 0, why }]);

/** Somebody ends the connection in order: there is nothing to move any more. */
const ended = (state: MoveState, undo: readonly MoveEffect[], why: string, nowMs = 0): Stepped =>
  to({ ...state, phase: 'over' }, [
    ...undo,
    UNTIMER,
    { do: 'report', result: 'failed', holdMs: heldFor(state, nowMs), why },
  ]);

/** The connection is given up. */
const given = (state: MoveState, undo: readonly MoveEffect[], why: string, nowMs: number): Stepped =>
  to({ ...state, phase: 'over', why }, [
    ...undo,
    UNTIMER,
    ABANDON,
    { do: 'report', result: 'failed', holdMs: heldFor(state, nowMs), why },
  ]);

const heldFor = ({ heldSinceMs }: MoveState, nowMs: number): number =>
  Number.isNaN(heldSinceMs) ? 0 : nowMs - heldSinceMs;

function rested({ losses, lossesSinceMs }: MoveState): MoveState {
  return losses === 0 ? STEADY : { ...STEADY, losses, lossesSinceMs };
}

const stay = (state: MoveState): Stepped => ({ state, effects: NOTHING });
const to = (state: MoveState, effects: readonly MoveEffect[]): Stepped => ({ state, effects });
