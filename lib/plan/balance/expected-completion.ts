// ect: of a few drawn at random the backend where a request is expected to be done first, by learnt speed and room.
//
//   score = T · √(1 + ((q + 1) / K)²)
// and of those within a tenth of the lowest the one with the fewest in flight. They are equal as far as anyone can tell: were
// the lowest taken, chance would give one of several like backends nearly all of a quiet cluster's work, and nothing would be
// learnt of the others.
//
// T and K as CapacityBook learns them. With K known for certain it would be T · max(1, (q + 1) / K); K is an estimate, and
// the rounded corner prefers those with room to spare before any is full. q, what is in flight there now, is what this
// proxy itself has there, plus what others had by the last report, fading towards what others usually have:
//   q = own + others · e^(−Δt/τ) + usually · (1 − e^(−Δt/τ))
// Each request sent raises `others` as well, until the next report: the other proxies know as little and choose alike.
//
// Two things are put before the score. A backend that has stopped answering (standstill.ts). And a backend that fails: with
// a share f of failures, each costing its client time and another attempt, a good answer takes (score + f · cost) / (1 − f).

import type { Clock } from '../../core/clock.ts';
import { below, type Random } from '../../core/random.ts';
import { Candidates, lowest, NONE, only } from './candidates.ts';
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
import type { Candidate, ExplainingPicker, Explanation, LoadView, PickRequest, Standing } from './picker.ts';
import { Standstill } from './standstill.ts';

/** τ. Longer than requests last: what filled a backend lasts longer than they do. From 1.5 to 3 s nothing much changes. */
const FADE_MS = 2_000;
/** Share of a new report in what others usually have. */
const USUAL = 0.2;
/** Requests each other proxy is taken to send to where this one sends one, before it hears from there again. */
const ALIKE = 1;
/** What is learnt of our own requests counts when a backend has said nothing of all of its for so long. */
const WORD_HOLDS_MS = 10_000;
const FAILURE_MEMORY_MS = 2_000;
/** What a failure costs its client: a second, as in the peak-EWMA estimate, and where answers take long, many of them. */
const FAILURE_COST_MS = 1_000;
const FAILURE_COST = 20;
/** As there: the price stays finite. */
const LEAST_SUCCESS = 0.01;
/** A stalled backend comes after every other; among stalled ones the least silent and soonest done first. */
const STALLED_MS = 1e9;

const MOST_CHOICES = 128;
/** Drawn for a probe; the one that is worth most is asked. Each so-manyth time the one not heard of for longest instead. */
const PROBE_CHOICES = 8;
const OLDEST_EACH = 4;
/** An answer is hardly worth asking for again within this, and fully so long after. */
const NEWS_MS = 1_000;

export interface CompletionOptions {
  /** Drawn and compared by a proxy that is alone; the more share the backends, the more are drawn, up to 128. */
  readonly choices: number;
  /** Scores within this factor of the lowest are alike. */
  readonly alike: number;
  /** Per request, to backends not heard of for long. */
  readonly probes: number;
}

class ExpectedCompletion implements Strategy<ExplainingPicker>, Learner, Prober, ExplainingPicker {
  readonly #clock: Clock;
  readonly #view: LoadView;
  readonly #random: Random;
  readonly #options: CompletionOptions;
  readonly #book: CapacityBook;
  readonly #others: Float64Array;
  readonly #usually: Float64Array;
  readonly #heardMs: Float64Array;
  readonly #standstill: Standstill;
  readonly #failing: Float64Array;
  readonly #failingAtMs: Float64Array;
  readonly #own: OwnWindows;
  readonly #windowMs: Float64Array;
  readonly #windowRate: Float64Array;
  readonly #windowInFlight: Float64Array;
  readonly #otherProxies: number;
  readonly #choices: number;
  #candidates: Candidates;
  #probesDue = 0;
  #probed = 0;
  /** Of the pick under way, since it may not allocate. */
  readonly #compared = new Int32Array(MOST_CHOICES);
  readonly #scores = new Float64Array(MOST_CHOICES);

  constructor({ slots, view, clock, random, proxies }: Surroundings, options: CompletionOptions) {
    this.#clock = clock;
    this.#view = view;
    this.#random = random;
    this.#options = options;
    this.#otherProxies = proxies - 1;
    // With many proxies each has fresh news of a few backends only, and not the same ones: it must not miss them.
    this.#choices = Math.min(MOST_CHOICES, Math.ceil(options.choices * Math.sqrt(proxies)));
    this.#book = new CapacityBook(slots, proxies);
    this.#others = new Float64Array(slots);
    this.#usually = new Float64Array(slots);
    this.#heardMs = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.#standstill = new Standstill(slots);
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

  picker(candidates: readonly Candidate[]): ExplainingPicker {
    this.#candidates = new Candidates(candidates, this.#random);
    return this;
  }

  pick(request: PickRequest): number {
    const { count, level } = this.#candidates;
    if (count === 0) return NONE;
    const nowMs = this.#clock.monotonicMs();
    const all = count <= this.#choices;
    let compared = all ? this.#scoreAll(request, nowMs, level) : this.#scoreDrawn(request, nowMs);
    if (compared === 0 && all && !level) compared = this.#scoreAll(request, nowMs, true);
    return this.#fewestOfBest(compared, nowMs);
  }

  /** Unless `level`, the light are looked at as seldom as their weight says: so slow start holds at any load. */
  #scoreAll(request: PickRequest, nowMs: number, level: boolean): number {
    const { count, slots, weights, largestWeight } = this.#candidates;
    const start = below(this.#random, count);
    let compared = 0;
    for (let step = 0; step < count; step++) {
      const index = start + step < count ? start + step : start + step - count;
      if (!level && this.#random.next() * largestWeight >= weights[index]!) continue;
      if (request.accepts(slots[index]!)) this.#compare(compared++, slots[index]!, nowMs);
    }
    return compared;
  }

  #scoreDrawn(request: PickRequest, nowMs: number): number {
    const { slots } = this.#candidates;
    let index = NONE;
    let compared = 0;
    for (let draws = this.#choices; draws > 0; draws--) {
      const drawn = this.#candidates.drawAccepted(request, index);
      if (drawn === NONE) break;
      index = drawn;
      this.#compare(compared++, slots[index]!, nowMs);
    }
    return compared;
  }

  #compare(place: number, slot: number, nowMs: number): void {
    this.#compared[place] = slot;
    this.#scores[place] = this.#score(slot, nowMs);
  }

  #fewestOfBest(compared: number, nowMs: number): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < compared; i++) lowest = Math.min(lowest, this.#scores[i]!);
    let best = NONE;
    let fewest = 0;
    for (let i = 0; i < compared; i++) {
      // Written so that a score that is no number is not the best but may be the last there is.
      if (this.#scores[i]! > lowest * this.#options.alike) continue;
      const queue = this.#queue(this.#compared[i]!, nowMs);
      if (best !== NONE && queue >= fewest) continue;
      best = this.#compared[i]!;
      fewest = queue;
    }
    return best;
  }

  started(slot: number): void {
    this.#others[slot]! += ALIKE * this.#otherProxies;
    const nowMs = this.#clock.monotonicMs();
    this.#standstill.started(slot, nowMs, this.#own.inFlight(slot));
    this.#own.started(slot, nowMs, this.#view.inFlight(slot));
    this.#probesDue = Math.min(this.#probesDue + this.#options.probes, 4);
  }

  finished(slot: number, ending: Ending, latencyMs: number): void {
    const nowMs = this.#clock.monotonicMs();
    const there = this.#view.inFlight(slot);
    // Failures are no answers: they come at once and would make it look fast, or at a time-out and slow for good.
    if (ending !== 'success') this.#own.unanswered(slot, nowMs, there, latencyMs);
    const closed = ending === 'success' && this.#own.answered(slot, nowMs, there, latencyMs);
    // A backend's word on itself is of all its requests; ours, of our own, is for want of it.
    if (closed && nowMs - this.#windowMs[slot]! > WORD_HOLDS_MS) this.#learnOwn(slot, nowMs);
    const suspected = this.#standstill.suspects(slot);
    const expectedMs = suspected ? this.#book.serviceOf(slot, nowMs) : this.#doneMs(slot, nowMs);
    // A client that left says nothing, unless it had waited in vain for long.
    if (ending === 'cancelled' && !this.#standstill.isLate(latencyMs, expectedMs)) return;
    this.#standstill.ended(slot, nowMs, latencyMs, expectedMs);
    const keep = Math.exp((this.#failingAtMs[slot]! - nowMs) / FAILURE_MEMORY_MS);
    this.#failing[slot] = this.#failing[slot]! * keep + (ending === 'success' ? 0 : 1 - keep);
    this.#failingAtMs[slot] = nowMs;
  }

  #learnOwn(slot: number, nowMs: number): void {
    const { meanInFlight, perSecond, tookMs } = this.#own;
    this.#book.learn(slot, meanInFlight, perSecond, Number.NaN, nowMs, tookMs);
  }

  reported(slot: number, report: LoadReport): void {
    const nowMs = this.#clock.monotonicMs();
    if (!Number.isNaN(report.inFlight)) {
      const others = Math.max(0, report.inFlight - this.#view.inFlight(slot));
      const first = this.#heardMs[slot] === Number.NEGATIVE_INFINITY;
      this.#others[slot] = others;
      this.#usually[slot] = first ? others : this.#usually[slot]! + USUAL * (others - this.#usually[slot]!);
      this.#heardMs[slot] = nowMs;
      this.#book.told(slot, report.latencyMs, report.inFlight);
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

  /** Of a few drawn the one where news would most likely bring work: soon done by what is known, and long not heard of. */
  nextProbe(): number {
    const { count, slots } = this.#candidates;
    if (this.#probesDue < 1 || count === 0) return NONE;
    this.#probesDue -= 1;
    this.#probed = (this.#probed + 1) % OLDEST_EACH;
    const nowMs = this.#clock.monotonicMs();
    let best = NONE;
    let leastMs = Number.POSITIVE_INFINITY;
    for (let draws = Math.min(count, PROBE_CHOICES); draws > 0; draws--) {
      const slot = slots[below(this.#random, count)]!;
      const heardMs = this.#heardMs[slot]!;
      const costMs =
        this.#probed === 0
          ? heardMs
          : this.#doneMs(slot, nowMs) / Math.max(1e-9, 1 - Math.exp((heardMs - nowMs) / NEWS_MS));
      if (best !== NONE && !(costMs < leastMs)) continue;
      best = slot;
      leastMs = costMs;
    }
    return best;
  }

  forget(slot: number): void {
    this.#book.forget(slot);
    this.#own.forget(slot, this.#clock.monotonicMs());
    this.#standstill.forget(slot);
    for (const counts of [this.#others, this.#usually, this.#failing, this.#failingAtMs]) counts[slot] = 0;
    for (const times of [this.#heardMs, this.#windowMs]) times[slot] = Number.NEGATIVE_INFINITY;
  }

  explain(request: PickRequest): Explanation {
    const nowMs = this.#clock.monotonicMs();
    const { count, slots, level } = this.#candidates;
    const all = count <= this.#choices;
    const standings = this.#candidates.standings(request, index => {
      const slot = slots[index]!;
      const score = this.#score(slot, nowMs);
      const figures = {
        done_ms: this.#doneMs(slot, nowMs),
        service_ms: this.#book.serviceOf(slot, nowMs),
        room: this.#book.roomOf(slot, nowMs),
        queue: this.#queue(slot, nowMs),
        failing: this.#failingNow(slot, nowMs),
      };
      return { score, figures, ...(score >= STALLED_MS && { remark: 'has stopped answering' }) };
    });
    return {
      rule: `where it is expected to be done first, of ${all ? 'all' : `${this.#choices} drawn`}; of like ones the fewest in flight`,
      choice: all && level ? this.#announced(standings, nowMs) : only(standings),
      standings,
    };
  }

  /** The slot that wins without chance, or NONE. */
  #announced(standings: readonly Standing[], nowMs: number): number {
    const accepted = standings.filter(standing => standing.accepted);
    const least = Math.min(...accepted.map(({ score }) => score));
    const alike = accepted.filter(({ score }) => score <= least * this.#options.alike);
    return lowest(alike.map(one => ({ ...one, score: this.#queue(one.candidate.slot, nowMs) })));
  }

  #queue(slot: number, nowMs: number): number {
    const fresh = Math.exp((this.#heardMs[slot]! - nowMs) / FADE_MS);
    return this.#view.inFlight(slot) + this.#others[slot]! * fresh + this.#usually[slot]! * (1 - fresh);
  }

  #doneMs(slot: number, nowMs: number): number {
    const fill = (this.#queue(slot, nowMs) + 1) / this.#book.roomOf(slot, nowMs);
    return this.#book.serviceOf(slot, nowMs) * Math.sqrt(1 + fill * fill);
  }

  #failingNow(slot: number, nowMs: number): number {
    const failing = this.#failing[slot]!;
    return failing === 0 ? 0 : failing * Math.exp((this.#failingAtMs[slot]! - nowMs) / FAILURE_MEMORY_MS);
  }

  #score(slot: number, nowMs: number): number {
    const doneMs = this.#doneMs(slot, nowMs);
    if (this.#book.knows(slot) && this.#standstill.stands(slot, nowMs, this.#own.inFlight(slot), doneMs))
      return STALLED_MS + doneMs + this.#standstill.silentMs(slot, nowMs);
    const failing = this.#failingNow(slot, nowMs);
    return failing === 0
      ? doneMs
      : (doneMs + failing * Math.max(FAILURE_COST_MS, FAILURE_COST * doneMs)) /
          Math.max(LEAST_SUCCESS, 1 - failing);
  }
}

export const expectedCompletion =
  (options: CompletionOptions): StrategyFactory<ExplainingPicker> =>
  surroundings =>
    new ExpectedCompletion(surroundings, options);
