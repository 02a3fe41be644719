// One adaptive limit per backend, shared by all workers: each counts what it saw in its own row; whoever finds a window
// over takes its turn, sums the rows and moves the limit on.
//
//   turn   when the next look is due (monotonic ms, modulo 2³²); taken by compareExchange, which also sets the next
//   limit  low bits of the slot's generation, and the limit in force; stored last, by whoever has the turn
//   the rest of the cells: what the limiter knows, and what the rows summed to when the window began
//
// Why one state and not one per worker, combined: a limit is an integral over what was seen. Each worker would integrate
// its own part of the answers, 1/n of them, n times slower or noisier, and one that was started again in the middle of an
// overload would take the queue it finds for the backend's nature. Here it finds what all have learnt.
//
// The turn is a time, not a lock: nobody waits for it and nobody can die holding it. Who dies after taking it loses one
// window. Who sleeps after taking it finds another's turn in the cell when it wakes, and writes nothing. If it was put to
// sleep between that look and its last store, two states are mixed: each of their numbers is one that a limiter wrote, the
// limit is within its bounds whatever they are, and the next window takes it from there.

import type { Limiter, LimitState, LimitWindow } from '../plan/overload/limiter.ts';
import { type Cells, LIMIT, rowStart, SEEN, SEEN_FLOATS, STATE_FLOATS } from './layout.ts';
import { Outcome, type OutcomeCode } from './ports.ts';

const GENERATION_BITS = 16;
const MOST = 2 ** GENERATION_BITS - 1;
/** A window that was not full is looked at again so soon. */
const AGAIN_MS = 4;
/** What is known of a backend is for its generation alone: both in one cell, read by one load. */
const packed = (slotGeneration: number, limit: number): number =>
  ((slotGeneration & MOST) << GENERATION_BITS) | Math.min(MOST, limit);

/** The limit in force at the backend of this generation; 0 when none was found yet. */
export function limitInForce({ i32, layout }: Cells, slot: number, slotGeneration: number): number {
  const cell = Atomics.load(i32, layout.limits + slot * layout.limitStride + LIMIT.limit);
  return cell >>> GENERATION_BITS === (slotGeneration & MOST) ? cell & MOST : 0;
}

export class SharedLimits {
  readonly #cells: Cells;
  /** Of slot 0 in the own row, and in row 0. */
  readonly #ownF64: number;
  readonly #firstF64: number;
  /** Used again at each turn. */
  readonly #state: LimitState;
  readonly #window: LimitWindow = { elapsedMs: 0, good: 0, latencySumMs: 0, pushedBack: 0 };

  constructor(cells: Cells, row: number) {
    this.#cells = cells;
    const { layout } = cells;
    this.#ownF64 = rowStart(layout, row) / 2 + layout.seenF64;
    this.#firstF64 = rowStart(layout, 0) / 2 + layout.seenF64;
    this.#state = Object.fromEntries(Object.keys(STATE_FLOATS).map(key => [key, 0])) as unknown as LimitState;
  }

  /** A request at the backend ended. Moves the limit on when it is time. */
  settled(
    slot: number,
    slotGeneration: number,
    limiter: Limiter,
    outcome: OutcomeCode,
    latencyMs: number,
    nowMs: number,
  ): void {
    const { i32, f64, layout } = this.#cells;
    const own = this.#ownF64 + slot * SEEN_FLOATS;
    if (outcome === Outcome.success) {
      f64[own + SEEN.good]! += 1;
      f64[own + SEEN.latencySumMs]! += latencyMs;
    } else if (outcome === Outcome.failure || outcome === Outcome.gatewayError)
      f64[own + SEEN.pushedBack]! += 1;
    const turn = layout.limits + slot * layout.limitStride + LIMIT.turn;
    const due = Atomics.load(i32, turn);
    const now = Math.floor(nowMs) | 0;
    const known = limitInForce(this.#cells, slot, slotGeneration) !== 0;
    if (known && ((now - due) | 0) < 0) return;
    const mine = (now + AGAIN_MS) | 0;
    if (mine === due || Atomics.compareExchange(i32, turn, due, mine) !== due) return;
    this.#move(slot, slotGeneration, limiter, nowMs, known, mine);
  }

  #move(
    slot: number,
    slotGeneration: number,
    limiter: Limiter,
    nowMs: number,
    known: boolean,
    mine: number,
  ): void {
    const { i32, f64, layout } = this.#cells;
    const cell = layout.limits + slot * layout.limitStride;
    const at = cell / 2;
    const state = this.#state;
    const window = this.#window;
    const seen = this.#firstF64 + slot * SEEN_FLOATS;
    const good = this.#sum(seen + SEEN.good);
    const latencySumMs = this.#sum(seen + SEEN.latencySumMs);
    const pushedBack = this.#sum(seen + SEEN.pushedBack);
    for (const key of KEYS) state[key] = known ? f64[at + STATE_FLOATS[key]]! : 0;
    if (known) {
      window.elapsedMs = nowMs - f64[at + LIMIT.sinceF64]!;
      window.good = good - f64[at + LIMIT.goodF64]!;
      window.latencySumMs = latencySumMs - f64[at + LIMIT.latencySumF64]!;
      window.pushedBack = pushedBack - f64[at + LIMIT.pushedBackF64]!;
      if (!limiter.step(state, window)) return;
    } else state.limit = limiter.initial;
    // Another's turn by now: this one came too late.
    if (Atomics.load(i32, cell + LIMIT.turn) !== mine) return;
    for (const key of KEYS) f64[at + STATE_FLOATS[key]] = state[key];
    f64[at + LIMIT.sinceF64] = nowMs;
    f64[at + LIMIT.goodF64] = good;
    f64[at + LIMIT.latencySumF64] = latencySumMs;
    f64[at + LIMIT.pushedBackF64] = pushedBack;
    Atomics.store(i32, cell + LIMIT.limit, packed(slotGeneration, Math.max(1, Math.round(state.limit))));
    Atomics.compareExchange(
      i32,
      cell + LIMIT.turn,
      mine,
      (Math.floor(nowMs) + Math.ceil(state.windowMs)) | 0,
    );
  }

  #sum(cell: number): number {
    const { f64, shape, layout } = this.#cells;
    let sum = 0;
    for (let row = 0; row < shape.workers; row++) sum += f64[cell + (row * layout.rowStride) / 2]!;
    return sum;
  }
}

const KEYS = Object.keys(STATE_FLOATS) as (keyof LimitState)[];
