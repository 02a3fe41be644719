// prequal and its relatives: a pool of probe answers, sent with the requests but never waited for, ranked by a rule.
//
// Wydrowski, Kleinberg, Rumble, Archer: Load is not what you should balance (NSDI 2024). With each request `probes` go to
// random backends; a pick looks only at the pool. An answer may be used b times,
//   b = max(1, (1 + δ) / ((1 − m/n)·probes − removed)),
// so that the pool neither runs dry nor sends everybody to the same backend; fractions are rounded by chance. With each
// request one answer is thrown out, in turn the oldest and the worst, lest only bad ones be left.

import type { Clock } from '../../core/clock.ts';
import { below, type Random } from '../../core/random.ts';
import { Candidates, NONE, only } from './candidates.ts';
import type {
  Ending,
  Learner,
  LoadReport,
  Prober,
  Strategy,
  StrategyFactory,
  Surroundings,
} from './learner.ts';
import type { Candidate, ExplainingPicker, Explanation, PickRequest, Standing } from './picker.ts';
import { ProbePool } from './probe-pool.ts';
import { CubedQueue, FewestInFlight, HotCold, type PoolRule } from './probe-rules.ts';

const POOL = 16;
/** δ of the formula above. */
const SPARE = 1;
/** Answers thrown out per request. Below one probe per request that many would empty the pool, so it is scaled down. */
const REMOVED = 1;
const LEAST_ENTRIES = 2;
/** At few probes the formula has no finite answer. */
const MOST_USES = 50;

export interface ProbingOptions {
  /** Per request; 3 in the paper. */
  readonly probes: number;
  /** Of requests in flight, over which a backend is hot; 2^-0.25 in the paper. */
  readonly quantile: number;
}

class Probing implements Strategy<ExplainingPicker>, Learner, Prober, ExplainingPicker {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #rule: PoolRule;
  readonly #probes: number;
  #candidates: Candidates;
  #pool = new ProbePool(LEAST_ENTRIES);
  #uses = 1;
  #removed = 1;
  #probesDue = 0;
  #removalsDue = 0;
  #worstIsNext = false;

  constructor({ random, clock }: Surroundings, rule: PoolRule, probes: number) {
    this.#random = random;
    this.#clock = clock;
    this.#rule = rule;
    this.#probes = probes;
    this.#candidates = new Candidates([], random);
  }

  get learner(): Learner {
    return this;
  }

  get prober(): Prober {
    return this;
  }

  picker(candidates: readonly Candidate[]): ExplainingPicker {
    const count = candidates.length;
    this.#candidates = new Candidates(candidates, this.#random);
    const capacity = Math.max(LEAST_ENTRIES, Math.min(POOL, Math.ceil(count / 2)));
    // Weights change often while a backend starts slowly: what the pool knows of those that stay is kept.
    const before = this.#pool;
    this.#pool = new ProbePool(capacity);
    this.#pool.take(before, slot => candidates.some(candidate => candidate.slot === slot));
    const kept = (1 - capacity / Math.max(count, capacity + 1)) * this.#probes;
    this.#removed = Math.min(REMOVED, kept / 2);
    const uses = (1 + SPARE) / (kept - this.#removed);
    this.#uses = Math.min(MOST_USES, Math.max(1, uses));
    return this;
  }

  pick(request: PickRequest): number {
    const candidates = this.#candidates;
    if (candidates.count === 0) return NONE;
    const pool = this.#pool;
    pool.expire(this.#clock.monotonicMs());
    this.#rule.prepare();
    let best = NONE;
    if (pool.size >= LEAST_ENTRIES)
      for (let entry = 0; entry < pool.size; entry++)
        if (request.accepts(pool.slots[entry]!) && (best === NONE || this.#rule.better(pool, entry, best)))
          best = entry;
    if (best === NONE) {
      const index = candidates.drawAccepted(request, NONE);
      return index === NONE ? NONE : candidates.slots[index]!;
    }
    const slot = pool.slots[best]!;
    pool.use(best);
    return slot;
  }

  started(): void {
    this.#probesDue = Math.min(this.#probesDue + this.#probes, 2 * POOL);
    this.#removalsDue += this.#removed;
    for (; this.#removalsDue >= 1; this.#removalsDue--) this.#throwOut();
  }

  finished(slot: number, ending: Ending, latencyMs: number): void {
    if (ending === 'success') this.#rule.answered(slot, latencyMs);
  }

  reported(): void {}

  forget(slot: number): void {
    this.#rule.forget(slot);
    this.#pool.drop(slot);
  }

  explain(request: PickRequest): Explanation {
    const pool = this.#pool;
    pool.expire(this.#clock.monotonicMs());
    this.#rule.prepare();
    const usable = pool.size >= LEAST_ENTRIES;
    let best = NONE;
    const ofSlot = new Map<number, Pick<Standing, 'score' | 'figures' | 'remark'>>();
    for (let entry = 0; entry < pool.size; entry++) {
      const slot = pool.slots[entry]!;
      let better = 0;
      for (let other = 0; other < pool.size; other++)
        if (other !== entry && this.#rule.better(pool, other, entry)) better += 1;
      ofSlot.set(slot, {
        score: better,
        figures: { probed_in_flight: pool.inFlight[entry]!, probed_latency_ms: pool.latencyMs[entry]! },
        remark: '',
      });
      if (request.accepts(slot) && (best === NONE || this.#rule.better(pool, entry, best))) best = entry;
    }
    const { slots } = this.#candidates;
    const unknown = { score: Number.NaN, figures: {}, remark: 'no probe answer in the pool' };
    const standings = this.#candidates.standings(request, index => ofSlot.get(slots[index]!) ?? unknown);
    if (usable && best !== NONE)
      return { rule: 'the best of the pool of probe answers', choice: pool.slots[best]!, standings };
    return { rule: 'too few probe answers: drawn by weight', choice: only(standings), standings };
  }

  nextProbe(): number {
    if (this.#probesDue < 1 || this.#candidates.count === 0) return NONE;
    this.#probesDue -= 1;
    return this.#candidates.slots[below(this.#random, this.#candidates.count)]!;
  }

  probed(slot: number, report: LoadReport): void {
    this.#rule.probed(slot, report.inFlight, report.latencyMs);
    const whole = Math.floor(this.#uses);
    const uses = whole + (this.#random.next() < this.#uses - whole ? 1 : 0);
    // A backend that has finished nothing yet is worth a try: no latency counts as the lowest.
    const latencyMs = Number.isNaN(report.latencyMs) ? 0 : report.latencyMs;
    this.#pool.add(slot, report.inFlight, latencyMs, this.#clock.monotonicMs(), uses);
  }

  #throwOut(): void {
    const pool = this.#pool;
    if (pool.size === 0) return;
    this.#worstIsNext = !this.#worstIsNext;
    if (this.#worstIsNext) return pool.remove(pool.oldest());
    this.#rule.prepare();
    let worst = 0;
    for (let entry = 1; entry < pool.size; entry++) if (this.#rule.better(pool, worst, entry)) worst = entry;
    pool.remove(worst);
  }
}

export const prequal =
  ({ probes, quantile }: ProbingOptions): StrategyFactory<ExplainingPicker> =>
  surroundings =>
    new Probing(surroundings, new HotCold(quantile), probes);

/** Fewest in flight in the pool. */
export const fewestProbed =
  ({ probes }: ProbingOptions): StrategyFactory =>
  surroundings =>
    new Probing(surroundings, new FewestInFlight(), probes);

export const c3 =
  ({ probes }: ProbingOptions): StrategyFactory =>
  surroundings => {
    const { slots, proxies, view } = surroundings;
    const rule = new CubedQueue(slots, proxies, slot => view.inFlight(slot));
    return new Probing(surroundings, rule, probes);
  };
