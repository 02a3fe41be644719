// p2c and peak_ewma: two different candidates drawn by weight, the better one taken.

import type { Random } from '../../core/random.ts';
import { Candidates, NONE, only } from './candidates.ts';
import type {
  Candidate,
  ExplainingPicker,
  Explanation,
  LoadView,
  PickerFactory,
  PickRequest,
} from './picker.ts';

/** True when `second` is better than `first`; both are indices. */
type Prefers = (candidates: Candidates, view: LoadView, first: number, second: number) => boolean;

/** A rule for two, and how it is told. */
interface Comparison {
  readonly rule: string;
  readonly prefers: Prefers;
  /** What `prefers` compares, lower being better. */
  score(candidates: Candidates, view: LoadView, index: number): number;
}

class TwoChoices implements ExplainingPicker {
  readonly #candidates: Candidates;
  readonly #view: LoadView;
  readonly #comparison: Comparison;

  constructor(candidates: readonly Candidate[], view: LoadView, random: Random, comparison: Comparison) {
    this.#candidates = new Candidates(candidates, random);
    this.#view = view;
    this.#comparison = comparison;
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const first = this.#candidates.drawAccepted(request, NONE);
    if (first === NONE) return NONE;
    const second = count === 1 ? NONE : this.#candidates.drawAccepted(request, first);
    const takesSecond =
      second !== NONE && this.#comparison.prefers(this.#candidates, this.#view, first, second);
    return slots[takesSecond ? second : first]!;
  }

  explain(request: PickRequest): Explanation {
    const standings = this.#candidates.standings(request, index => ({
      score: this.#comparison.score(this.#candidates, this.#view, index),
      figures: {},
    }));
    return { rule: this.#comparison.rule, choice: only(standings), standings };
  }
}

/**
 * p2c: fewer requests in flight for its weight. A first draw that is idle is taken as it is: it cannot be bettered, and the
 * draw was by weight, so that a quiet cluster is shared by weight too. (By (0 + 1)/weight alone the heavier of two idle
 * backends would win every time, and a light one would see nothing until its neighbour is busy.)
 */
export const leastOfTwo: PickerFactory = (candidates, view, random) =>
  new TwoChoices(candidates, view, random, FEWER_IN_FLIGHT);

/**
 * peak_ewma: lower expected wait, peak-EWMA latency × (1 + requests in flight for its share of weight), as Finagle's and
 * Linkerd's balancers. Where one of the two was never measured, requests in flight decide.
 */
export const peakEwma: PickerFactory = (candidates, view, random) =>
  new TwoChoices(candidates, view, random, SOONER);

function fewerInFlight(
  { slots, weights }: Candidates,
  view: LoadView,
  first: number,
  second: number,
): boolean {
  const inFlight = view.inFlight(slots[first]!);
  if (inFlight === 0) return false;
  return (view.inFlight(slots[second]!) + 1) / weights[second]! < (inFlight + 1) / weights[first]!;
}

/** Both measured, the lower expected wait; else the fewer in flight. */
function sooner(candidates: Candidates, view: LoadView, first: number, second: number): boolean {
  const firstMs = expectedWaitMs(candidates, view, first);
  const secondMs = expectedWaitMs(candidates, view, second);
  if (firstMs === 0 || secondMs === 0) return fewerInFlight(candidates, view, first, second);
  return secondMs < firstMs;
}

/** 0 when never measured. Weight scales the queue and not the one request that comes: the draw has counted it once already. */
function expectedWaitMs({ slots, weights, meanWeight }: Candidates, view: LoadView, index: number): number {
  const slot = slots[index]!;
  return view.latencyMs(slot) * (1 + (view.inFlight(slot) * meanWeight) / weights[index]!);
}

const FEWER_IN_FLIGHT: Comparison = {
  rule: 'of two drawn by weight the one with fewer in flight for its weight; the first at once when idle',
  prefers: fewerInFlight,
  score: ({ slots, weights }, view, index) => (view.inFlight(slots[index]!) + 1) / weights[index]!,
};

const SOONER: Comparison = {
  rule: 'of two drawn by weight the one with the lower expected wait: latency × queue for its weight',
  prefers: sooner,
  score: expectedWaitMs,
};
