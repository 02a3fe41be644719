// p2c and peak_ewma: two different candidates drawn by weight, the better one taken.

import type { Random } from '../../core/random.ts';
import { Candidates, NONE } from './candidates.ts';
import type { Candidate, LoadView, Picker, PickerFactory, PickRequest } from './picker.ts';

/** True when `second` is better than `first`; both are indices. */
type Prefers = (candidates: Candidates, view: LoadView, first: number, second: number) => boolean;

class TwoChoices implements Picker {
  readonly #candidates: Candidates;
  readonly #view: LoadView;
  readonly #prefersSecond: Prefers;

  constructor(candidates: readonly Candidate[], view: LoadView, random: Random, prefersSecond: Prefers) {
    this.#candidates = new Candidates(candidates, random);
    this.#view = view;
    this.#prefersSecond = prefersSecond;
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const first = this.#candidates.drawAccepted(request, NONE);
    if (first === NONE) return NONE;
    const second = count === 1 ? NONE : this.#candidates.drawAccepted(request, first);
    const takesSecond = second !== NONE && this.#prefersSecond(this.#candidates, this.#view, first, second);
    return slots[takesSecond ? second : first]!;
  }
}

/**
 * p2c: fewer requests in flight for its weight. A first draw that is idle is taken as it is: it cannot be bettered, and the
 * draw was by weight, so that a quiet cluster is shared by weight too. (By (0 + 1)/weight alone the heavier of two idle
 * backends would win every time, and a light one would see nothing until its neighbour is busy.)
 */
export const leastOfTwo: PickerFactory = (candidates, view, random) =>
  new TwoChoices(candidates, view, random, fewerInFlight);

/**
 * peak_ewma: lower expected wait, peak-EWMA latency × (1 + requests in flight for its share of weight), as Finagle's and
 * Linkerd's balancers. Where one of the two was never measured, requests in flight decide.
 */
export const peakEwma: PickerFactory = (candidates, view, random) =>
  new TwoChoices(candidates, view, random, sooner);

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

function sooner(candidates: Candidates, view: LoadView, first: number, second: number): boolean {
  const { slots, weights, meanWeight } = candidates;
  const firstMs = view.latencyMs(slots[first]!);
  const secondMs = view.latencyMs(slots[second]!);
  if (firstMs === 0 || secondMs === 0) return fewerInFlight(candidates, view, first, second);
  // Weight scales the queue and not the one request that comes: the draw has counted it once already.
  const firstWait = firstMs * (1 + (view.inFlight(slots[first]!) * meanWeight) / weights[first]!);
  const secondWait = secondMs * (1 + (view.inFlight(slots[second]!) * meanWeight) / weights[second]!);
  return secondWait < firstWait;
}
