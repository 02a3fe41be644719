// least_request: the fewest requests in flight for its weight, among all if they are few, else among a random handful.
//
// The least loaded of all is the best choice for one proxy alone and the worst for many: all see the same figures a moment
// late and run to the same backend. Up to FEW candidates the counts of all workers are fresh enough and the gain over two
// choices is large; beyond, a sample keeps both the cost and the herding down (Mitzenmacher 2001; Envoy samples two).

import { below, type Random } from '../../core/random.ts';
import { Candidates, lowest, NONE, only } from './candidates.ts';
import type { Candidate, ExplainingPicker, Explanation, LoadView, PickRequest } from './picker.ts';

const FEW = 16;
const SAMPLE = 5;
/** Draws to fill a sample while some are vetoed. */
const DRAWS = 15;

export class LeastRequestPicker implements ExplainingPicker {
  readonly #candidates: Candidates;
  readonly #view: LoadView;
  readonly #random: Random;
  // The best so far of the pick under way: fields, since the pick may not allocate.
  #best = NONE;
  #bestLoad = 0;
  #ties = 0;

  constructor(candidates: readonly Candidate[], view: LoadView, random: Random) {
    this.#candidates = new Candidates(candidates, random);
    this.#view = view;
    this.#random = random;
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    this.#best = NONE;
    if (count > FEW) this.#sample(request);
    if (this.#best === NONE)
      for (let index = 0; index < count; index++) if (request.accepts(slots[index]!)) this.#consider(index);
    return this.#best === NONE ? NONE : slots[this.#best]!;
  }

  explain(request: PickRequest): Explanation {
    const standings = this.#candidates.standings(request, index => ({
      score: this.#loadOf(index),
      figures: {},
    }));
    const few = this.#candidates.count <= FEW;
    return {
      rule: `fewest in flight for its weight, of ${few ? 'all' : `${SAMPLE} drawn`}`,
      choice: few ? lowest(standings) : only(standings),
      standings,
    };
  }

  #loadOf(index: number): number {
    return (this.#view.inFlight(this.#candidates.slots[index]!) + 1) / this.#candidates.weights[index]!;
  }

  #sample(request: PickRequest): void {
    const { count, slots } = this.#candidates;
    let found = 0;
    for (let draws = 0; draws < DRAWS && found < SAMPLE; draws++) {
      const index = below(this.#random, count);
      if (index === this.#best || !request.accepts(slots[index]!)) continue;
      this.#consider(index);
      found += 1;
    }
  }

  /** Among equals each is kept with the same probability. */
  #consider(index: number): void {
    const load = this.#loadOf(index);
    if (this.#best === NONE || load < this.#bestLoad) {
      this.#best = index;
      this.#bestLoad = load;
      this.#ties = 1;
    } else if (load === this.#bestLoad) {
      this.#ties += 1;
      if (below(this.#random, this.#ties) === 0) this.#best = index;
    }
  }
}
