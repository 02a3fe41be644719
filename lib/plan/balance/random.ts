// random: each candidate with a probability by its weight.

import type { Random } from '../../core/random.ts';
import { Candidates, NONE, only } from './candidates.ts';
import type { Candidate, ExplainingPicker, Explanation, LoadView, PickRequest } from './picker.ts';

export class RandomPicker implements ExplainingPicker {
  readonly #candidates: Candidates;

  constructor(candidates: readonly Candidate[], _view: LoadView, random: Random) {
    this.#candidates = new Candidates(candidates, random);
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const index = this.#candidates.drawAccepted(request, NONE);
    return index === NONE ? NONE : slots[index]!;
  }

  explain(request: PickRequest): Explanation {
    const standings = this.#candidates.standings(request, () => ({ score: Number.NaN, figures: {} }));
    return { rule: 'drawn by weight', choice: only(standings), standings };
  }
}
