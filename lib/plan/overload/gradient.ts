// A limit that follows the gradient of latency: base over sample. While answers take as long as without a queue, there is
// room for more; when they take twice as long, half of what is there waits.
//
//   limit ← limit + smoothing · (limit · clamp(tolerance · base / sample, 0.5, 1.5) + √limit − limit)
//
// The form is that of Envoy's adaptive concurrency filter and of Netflix' concurrency-limits (Gradient2); √limit is the
// queue that is always allowed, without which a limit could never rise. Differences, each for a reason:
//
//  - Growth is by the gradient too (over 1), so that a limit far too low is left in a few windows and not in hundreds.
//  - The base is measured, not averaged: over hours of overload a long average becomes the overload.
//  - It is measured without a pause. Who has less than half of the limit in flight has no queue of ours: that is the base.
//    Who is at the limit for `remeasureMs` is probed: the limit is halved for a moment, again while the backend still
//    answers as many (so there was a queue still), and what is seen then is the base. Envoy goes down to three requests.
//  - The first base is doubted when it was met at a full limit: half as much is sent at once. Who then answers as many in half
//    the time had a queue, and is given half again; who answers half as many had none. Before, the limit grew by a wrong base.
//  - A base that is too low by more than the tolerance starves the backend for good, since it looks slow however little it
//    gets. So a base is the mean of many answers, never of what ended first, and a limit that has lost half since its
//    base was measured is probed at once.

import type { Limiter, LimitState, LimitWindow } from './limiter.ts';

export interface GradientOptions {
  readonly initial: number;
  readonly min: number;
  readonly max: number;
  /** Latency of so many times the base is no queue yet. */
  readonly tolerance: number;
  /** At the limit for so long, the base is measured anew. */
  readonly remeasureMs: number;
}

/**
 * A fresh state begins by measuring, after a window in which short requests end before long ones. Doubting is measuring whether the
 * first base was that of an overload.
 */
const Phase = { draining: 0, measuring: 1, following: 2, drainingInDoubt: 3, doubting: 4 } as const;

/** Share of the way to the new limit that a window goes. */
const SMOOTHING = 0.5;
/** Who has less of the limit in flight needs no more. */
const LIMITED = 0.75;
const LEAST_GRADIENT = 0.5;
const MOST_GRADIENT = 1.5;
/** Shorter windows hold little and cost as much. */
const LEAST_WINDOW_MS = 10;
const MOST_WINDOW_MS = 1_000;
/** Answers in a window; a mean of ten is wrong by a third at most when work is exponential. */
const ENOUGH = 10;
/** Of a measurement, which is kept for long: the mean of so many is wrong by a tenth. In the time, what there is will do. */
const ENOUGH_TO_MEASURE = 100;
/** In doubt half the latency at the same rate is told from the same latency at half the rate: a factor of four. */
const ENOUGH_IN_DOUBT = 30;
/** And lasts so many latencies, which is as many times what is in flight. */
const LATENCIES_TO_MEASURE = 3;
const LONG_TO_MEASURE_MS = 1_000;
/** A window that is not full after so long tells of a time gone by. */
const STALE_MS = 10_000;
/** More of the answers than this pushed back: the limit falls whatever the latency of the others. */
const PUSHED_BACK_SHARE = 0.1;
const BACK_OFF = 0.9;
/** How fast the base follows an unhindered backend. */
const FOLLOW_FREE = 0.05;
/** Of the slow mean. Under load the base gives way to that alone: a low sample may be luck. */
const FOLLOW_SLOW = 0.05;
const PROBE_CUT = 0.5;
/** As many answers as before, within noise: the probe has not emptied the backend's queue. */
const UNDIMINISHED = 0.9;
/** The first base may have been measured in overload: it is soon measured again. */
const SOON_MS = 1_000;

export class GradientLimiter implements Limiter {
  readonly #options: GradientOptions;

  constructor(options: GradientOptions) {
    this.#options = options;
  }

  get initial(): number {
    return Math.min(this.#options.max, Math.max(this.#options.min, this.#options.initial));
  }

  step(state: LimitState, window: LimitWindow): boolean {
    const { elapsedMs, good, pushedBack } = window;
    if (elapsedMs < state.windowMs) return false;
    if (good + pushedBack < enoughOf(state, elapsedMs)) return this.#stale(state, elapsedMs);
    if (pushedBack > (good + pushedBack) * PUSHED_BACK_SHARE) this.#backOff(state);
    else if (good > 0) this.#learn(state, window);
    const latencies = isMeasuring(state) ? LATENCIES_TO_MEASURE : 1;
    state.windowMs = Math.min(MOST_WINDOW_MS, Math.max(LEAST_WINDOW_MS, state.sampleMs * latencies));
    return true;
  }

  /** Few answers in a long time: what there was is forgotten, and a probe is given up. */
  #stale(state: LimitState, elapsedMs: number): boolean {
    if (elapsedMs < STALE_MS) return false;
    if (state.baseMs > 0) this.#resume(state);
    return true;
  }

  #backOff(state: LimitState): void {
    if (state.baseMs > 0) this.#resume(state);
    this.#set(state, state.limit * BACK_OFF);
  }

  #learn(state: LimitState, window: LimitWindow): void {
    state.sampleMs = Math.max(window.latencySumMs / window.good, Number.MIN_VALUE);
    if (state.phase === Phase.following) this.#follow(state, window);
    // What ended in the first window began before the cut.
    else if (state.phase === Phase.draining) state.phase = Phase.measuring;
    else if (state.phase === Phase.drainingInDoubt) state.phase = Phase.doubting;
    else if (state.phase === Phase.doubting) this.#doubt(state, window);
    else this.#measured(state, window);
  }

  #follow(state: LimitState, { elapsedMs, good, latencySumMs }: LimitWindow): void {
    const { sampleMs } = state;
    state.slowMs += FOLLOW_SLOW * (sampleMs - state.slowMs);
    // Little's law: what ended in the window was there for so much of it.
    const inFlight = latencySumMs / elapsedMs;
    if (inFlight < state.limit / 2) {
      state.baseMs += FOLLOW_FREE * (sampleMs - state.baseMs);
      state.heldLimit = state.limit;
      state.limitedMs = 0;
      return;
    }
    state.baseMs = Math.min(state.baseMs, state.slowMs);
    const gradient = (this.#options.tolerance * state.baseMs) / sampleMs;
    const allowed = Math.sqrt(state.limit);
    if (gradient < 1)
      this.#toward(state, Math.min(state.limit, inFlight * Math.max(LEAST_GRADIENT, gradient) + allowed));
    else if (inFlight > state.limit * LIMITED)
      this.#toward(state, state.limit * Math.min(MOST_GRADIENT, gradient) + allowed);
    state.limitedMs += elapsedMs;
    const halved = state.limit < state.heldLimit / 2;
    if (halved || state.limitedMs >= this.#options.remeasureMs)
      this.#cut(state, state.limit, good / elapsedMs);
  }

  #toward(state: LimitState, limit: number): void {
    this.#set(state, state.limit + SMOOTHING * (limit - state.limit));
  }

  #measured(state: LimitState, { elapsedMs, good, latencySumMs }: LimitWindow): void {
    const rate = good / elapsedMs;
    const first = state.baseMs === 0;
    if (!first && rate >= state.heldRate * UNDIMINISHED && state.limit > this.#options.min) {
      // This little was enough to keep the backend busy: what was held was far too much.
      const enough = state.limit * this.#options.tolerance;
      return this.#cut(state, Math.min(state.heldLimit, enough + Math.sqrt(enough)), state.heldRate);
    }
    state.baseMs = state.sampleMs;
    state.slowMs = state.sampleMs;
    if (!first) return this.#resume(state);
    state.heldLimit = state.limit;
    // At a full limit it may be that of an overload, and what grows by it a queue.
    if (latencySumMs / elapsedMs > state.limit * LIMITED)
      this.#cut(state, state.limit, rate, Phase.drainingInDoubt);
    else this.#resumeSoon(state);
  }

  #doubt(state: LimitState, { elapsedMs, good }: LimitWindow): void {
    const rate = good / elapsedMs;
    const queued = rate / state.heldRate > state.sampleMs / state.baseMs;
    state.baseMs = state.sampleMs;
    state.slowMs = state.sampleMs;
    const enough = state.limit * this.#options.tolerance;
    const held = queued ? Math.min(state.heldLimit, enough + Math.sqrt(enough)) : state.heldLimit;
    if (queued && state.limit > this.#options.min) return this.#cut(state, held, rate, Phase.drainingInDoubt);
    this.#resumeSoon(state);
  }

  #cut(state: LimitState, heldLimit: number, heldRate: number, phase: number = Phase.draining): void {
    state.heldLimit = heldLimit;
    state.heldRate = heldRate;
    state.phase = phase;
    this.#set(state, state.limit * PROBE_CUT);
  }

  /** With a base that is soon measured again. */
  #resumeSoon(state: LimitState): void {
    this.#resume(state);
    state.limitedMs = Math.max(0, this.#options.remeasureMs - SOON_MS);
  }

  #resume(state: LimitState): void {
    if (state.phase !== Phase.following) this.#set(state, state.heldLimit);
    state.phase = Phase.following;
    state.limitedMs = 0;
  }

  #set(state: LimitState, limit: number): void {
    state.limit = Math.min(this.#options.max, Math.max(this.#options.min, limit));
  }
}

const isMeasuring = ({ phase }: LimitState): boolean => phase === Phase.measuring || phase === Phase.doubting;

function enoughOf(state: LimitState, elapsedMs: number): number {
  if (!isMeasuring(state) || elapsedMs >= LONG_TO_MEASURE_MS) return ENOUGH;
  return state.phase === Phase.doubting ? ENOUGH_IN_DOUBT : ENOUGH_TO_MEASURE;
}
