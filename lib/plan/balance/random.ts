// random: each candidate with a probability by its weight.

import type { Random } from '../../core/random.ts';
import { Candidates, NONE } from './candidates.ts';
import type { Candidate, LoadView, Picker, PickRequest } from './picker.ts';

export class RandomPicker implements Picker {
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
}
