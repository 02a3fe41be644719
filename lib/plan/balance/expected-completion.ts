// ect: of a few drawn at random the backend where a request is expected to be done first, by learnt speed and room.
//
//   score = T · √(1 + ((q + 1) / K)²)
// T and K as CapacityBook learns them. With K known for certain it would be T · max(1, (q + 1) / K); K is an estimate, and
// the rounded corner prefers those with room to spare before any is full. q, what is in flight there now, is what this
// proxy itself has there, plus what others had by the last report, fading towards what others usually have:
//   q = own + others · e^(−Δt/τ) + usually · (1 − e^(−Δt/τ))
// Each request sent raises `others` as well, until the next report: the other proxies know as little and choose alike.
//
// Two things are put before the score. A backend that has stopped answering: of `own` requests, each expected to take E,
// own · gap / E answers should have come in the gap since the last; e^-7 is a silence that chance does not explain. And a
// backend that fails: every failed attempt costs its client another, so its share of failures is priced in.

import type { Clock } from '../../core/clock.ts';
import { below, type Random } from '../../core/random.ts';
import { Candidates, NONE } from './candidates.ts';
import { CapacityBook } from './capacity-book.ts';
import type {
  Ending,
  Learner,
  LoadReport,
  Prober,
  Strategy,
  StrategyFactory,
  Surroundings,
} from './learner.ts';
import { OwnWindows } from './own-windows.ts';
import type { Candidate, LoadView, Picker, PickRequest } from './picker.ts';

/** τ. Longer than requests last: what filled a backend lasts longer than they do. From 1.5 to 3 s nothing much changes. */
const FADE_MS = 2_000;
/** Share of a new report in what others usually have. */
const USUAL = 0.2;
/** Requests each other proxy is taken to send to where this one sends one, before it hears from there again. */
const ALIKE = 1;
/** What is learnt of our own requests counts when a backend has said nothing of all of its for so long. */
const WORD_HOLDS_MS = 10_000;
/** Answers missing before a silent backend is taken for stalled. */
const MISSING = 7;
const FAILURE_MEMORY_MS = 2_000;
/** As the price of a failure in the peak-EWMA estimate. */
const FAILURE_COST_MS = 1_000;
/** A stalled backend comes after every other, and among stalled ones the least silent first. */
const STALLED_MS = 1e9;

export interface CompletionOptions {
  /** Drawn and compared. */
  readonly choices: number;
  /** Per request, to backends not heard of for long. */
  readonly probes: number;
}

class ExpectedCompletion implements Strategy, Learner, Prober, Picker {
  readonly #clock: Clock;
  readonly #view: LoadView;
  readonly #random: Random;
  readonly #options: CompletionOptions;
  readonly #book: CapacityBook;
  readonly #others: Float64Array;
  readonly #usually: Float64Array;
  readonly #heardMs: Float64Array;
  /** Last answer, or the start of the first request since none was out. */
  readonly #movedMs: Float64Array;
  readonly #failing: Float64Array;
  readonly #failingAtMs: Float64Array;
  readonly #own: OwnWindows;
  readonly #windowMs: Float64Array;
  readonly #windowRate: Float64Array;
  readonly #windowInFlight: Float64Array;
  readonly #otherProxies: number;
  #candidates: Candidates;
  #probesDue = 0;

  constructor({ slots, view, clock, random, proxies }: Surroundings, options: CompletionOptions) {
    this.#clock = clock;
    this.#view = view;
    this.#random = random;
    this.#options = options;
    this.#otherProxies = proxies - 1;
    this.#book = new CapacityBook(slots);
    this.#others = new Float64Array(slots);
    this.#usually = new Float64Array(slots);
    this.#heardMs = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.#movedMs = new Float64Array(slots);
    this.#failing = new Float64Array(slots);
    this.#failingAtMs = new Float64Array(slots);
    this.#own = new OwnWindows(slots);
    this.#windowMs = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.#windowRate = new Float64Array(slots);
    this.#windowInFlight = new Float64Array(slots);
    this.#candidates = new Candidates([], random);
  }

  get learner(): Learner {
    return this;
  }

  get prober(): Prober {
    return this;
  }

  picker(candidates: readonly Candidate[]): Picker {
    this.#candidates = new Candidates(candidates, this.#random);
    return this;
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const nowMs = this.#clock.monotonicMs();
    const all = count <= this.#options.choices;
    const start = all ? below(this.#random, count) : 0;
    let best = NONE;
    let bestMs = 0;
    for (let step = Math.min(count, this.#options.choices); step > 0; step--) {
      const index = all ? (start + step) % count : this.#candidates.drawAccepted(request, best);
      if (index === NONE || !request.accepts(slots[index]!)) continue;
      const scoreMs = this.#score(slots[index]!, nowMs);
      if (best === NONE || scoreMs < bestMs) {
        best = index;
        bestMs = scoreMs;
      }
    }
    return best === NONE ? NONE : slots[best]!;
  }

  started(slot: number): void {
    this.#others[slot]! += ALIKE * this.#otherProxies;
    const nowMs = this.#clock.monotonicMs();
    this.#own.started(slot, nowMs);
    if (this.#view.inFlight(slot) <= 1) this.#movedMs[slot] = nowMs;
    this.#probesDue = Math.min(this.#probesDue + this.#options.probes, 4);
  }

  finished(slot: number, ending: Ending): void {
    const nowMs = this.#clock.monotonicMs();
    const closed = this.#own.finished(slot, nowMs);
    // A backend's word on itself is of all its requests; ours, of our own, is for want of it.
    if (closed && nowMs - this.#windowMs[slot]! > WORD_HOLDS_MS)
      this.#book.learn(slot, this.#own.meanInFlight, this.#own.perSecond, Number.NaN, nowMs);
    if (ending === 'cancelled') return;
    this.#movedMs[slot] = nowMs;
    const keep = Math.exp((this.#failingAtMs[slot]! - nowMs) / FAILURE_MEMORY_MS);
    this.#failing[slot] = this.#failing[slot]! * keep + (ending === 'failure' ? 1 - keep : 0);
    this.#failingAtMs[slot] = nowMs;
  }

  reported(slot: number, report: LoadReport): void {
    const nowMs = this.#clock.monotonicMs();
    if (!Number.isNaN(report.inFlight)) {
      const others = Math.max(0, report.inFlight - this.#view.inFlight(slot));
      const first = this.#heardMs[slot] === Number.NEGATIVE_INFINITY;
      this.#others[slot] = others;
      this.#usually[slot] = first ? others : this.#usually[slot]! + USUAL * (others - this.#usually[slot]!);
      this.#heardMs[slot] = nowMs;
    }
    const { meanInFlight, requestsPerSecond, utilization } = report;
    if (Number.isNaN(meanInFlight) || Number.isNaN(requestsPerSecond)) return;
    // The same window comes with many answers and is evidence once.
    if (meanInFlight === this.#windowInFlight[slot] && requestsPerSecond === this.#windowRate[slot]) return;
    this.#windowInFlight[slot] = meanInFlight;
    this.#windowRate[slot] = requestsPerSecond;
    this.#windowMs[slot] = nowMs;
    this.#book.learn(slot, meanInFlight, requestsPerSecond, utilization, nowMs);
  }

  probed(slot: number, report: LoadReport): void {
    this.reported(slot, report);
  }

  /** Of two at random the one not heard of for longer. */
  nextProbe(): number {
    const { count, slots } = this.#candidates;
    if (this.#probesDue < 1 || count === 0) return NONE;
    this.#probesDue -= 1;
    const one = slots[below(this.#random, count)]!;
    const other = slots[below(this.#random, count)]!;
    return this.#heardMs[one]! <= this.#heardMs[other]! ? one : other;
  }

  #score(slot: number, nowMs: number): number {
    const own = this.#view.inFlight(slot);
    const fresh = Math.exp((this.#heardMs[slot]! - nowMs) / FADE_MS);
    const queue = own + this.#others[slot]! * fresh + this.#usually[slot]! * (1 - fresh);
    const serviceMs = this.#book.serviceOf(slot);
    const fill = (queue + 1) / this.#book.roomOf(slot);
    const doneMs = serviceMs * Math.sqrt(1 + fill * fill);
    if (own > 0) {
      const silentMs = nowMs - this.#movedMs[slot]!;
      if (own * silentMs > MISSING * doneMs) return STALLED_MS + silentMs;
    }
    const failing = this.#failing[slot]! * Math.exp((this.#failingAtMs[slot]! - nowMs) / FAILURE_MEMORY_MS);
    return doneMs + (failing > 0 ? failing * FAILURE_COST_MS : 0);
  }
}

export const expectedCompletion =
  (options: CompletionOptions): StrategyFactory =>
  surroundings =>
    new ExpectedCompletion(surroundings, options);
