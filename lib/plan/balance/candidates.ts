// What every policy needs of its candidates, in arrays: slots and weights by index, and draws among those the caller accepts.

import { below, type Random } from '../../core/random.ts';
import type { Candidate, PickRequest, Standing } from './picker.ts';

/** Index for "none". */
export const NONE = -1;

/** Draws that the caller vetoes before the whole list is looked at. */
const DRAWS = 8;

/** Candidates in the order given; drawing by weight is O(1). Immutable once built. */
export class Candidates {
  readonly count: number;
  readonly slots: Int32Array;
  readonly weights: Float64Array;
  readonly meanWeight: number;
  readonly largestWeight: number;
  /** All weights are the same. */
  readonly level: boolean;
  readonly #list: readonly Candidate[];
  readonly #random: Random;
  /** Walker's alias method in Vose's form: index i is kept with probability keep[i], else its alias is taken. */
  readonly #keep: Float64Array;
  readonly #alias: Int32Array;

  constructor(candidates: readonly Candidate[], random: Random) {
    this.#list = candidates;
    this.count = candidates.length;
    this.slots = Int32Array.from(candidates, candidate => candidate.slot);
    this.weights = Float64Array.from(candidates, candidate => candidate.weight);
    this.meanWeight = this.weights.reduce((sum, weight) => sum + weight, 0) / Math.max(1, this.count);
    this.largestWeight = this.weights.reduce((largest, weight) => Math.max(largest, weight), 0);
    this.level = this.weights.every(weight => weight === this.largestWeight);
    this.#random = random;
    this.#keep = new Float64Array(this.count).fill(1);
    this.#alias = new Int32Array(this.count);
    this.#buildAlias();
  }

  /** An index by weight. Not for an empty list. */
  draw(): number {
    const index = below(this.#random, this.count);
    return this.#random.next() < this.#keep[index]! ? index : this.#alias[index]!;
  }

  /** An index by weight among those the caller accepts, `other` left out; NONE when there is none. */
  drawAccepted(request: PickRequest, other: number): number {
    for (let draws = 0; draws < DRAWS; draws++) {
      const index = this.draw();
      if (index !== other && request.accepts(this.slots[index]!)) return index;
    }
    return this.#sweep(request, other);
  }

  /** For `explain`: each candidate with what `standing` says of the one at this index. */
  standings(
    request: PickRequest,
    standing: (index: number) => Pick<Standing, 'score' | 'figures'> & Partial<Pick<Standing, 'remark'>>,
  ): Standing[] {
    return this.#list.map((candidate, index) => ({
      candidate,
      accepted: request.accepts(candidate.slot),
      remark: '',
      ...standing(index),
    }));
  }

  /** As drawAccepted, but looks at all once: reservoir sampling by weight (Chao 1982). */
  #sweep(request: PickRequest, other: number): number {
    let chosen = NONE;
    let total = 0;
    for (let index = 0; index < this.count; index++) {
      if (index === other || !request.accepts(this.slots[index]!)) continue;
      const weight = this.weights[index]!;
      total += weight;
      if (this.#random.next() * total < weight) chosen = index;
    }
    return chosen;
  }

  #buildAlias(): void {
    const scaled = this.weights.map(weight => weight / this.meanWeight);
    const small: number[] = [];
    const large: number[] = [];
    scaled.forEach((weight, index) => {
      (weight < 1 ? small : large).push(index);
    });
    while (small.length > 0 && large.length > 0) {
      const less = small.pop()!;
      const more = large.at(-1)!;
      this.#keep[less] = scaled[less]!;
      this.#alias[less] = more;
      scaled[more]! -= 1 - scaled[less]!;
      if (scaled[more]! < 1) small.push(large.pop()!);
    }
    // What is left on either side is 1 but for rounding, and keeps itself.
  }
}

/** The slot of the one accepted candidate with the lowest score; NONE when several share it, or there is none. */
export function lowest(standings: readonly Standing[]): number {
  const accepted = standings.filter(({ accepted }) => accepted);
  const best = Math.min(...accepted.map(({ score }) => score));
  const first = accepted.filter(({ score }) => score === best);
  return first.length === 1 ? first[0]!.candidate.slot : NONE;
}

/** The slot of the one candidate that is accepted; NONE when there are more or none. */
export function only(standings: readonly Standing[]): number {
  const accepted = standings.filter(({ accepted }) => accepted);
  return accepted.length === 1 ? accepted[0]!.candidate.slot : NONE;
}
