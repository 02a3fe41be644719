// round_robin: in turn, smoothly by weight (a, b, a, c, a … and not a, a, a, b, c), in O(log n).
//
// Earliest deadline first, as Envoy schedules its weighted hosts: each candidate's next turn is 1/weight after its last, and
// whoever's turn is earliest is picked. nginx's smooth round robin gives the same order but walks the whole list per pick.
// First turns are random within one interval: workers and proxies that start together must not march in step on the first
// candidate.

import { below, type Random } from '../../core/random.ts';
import { Candidates, lowest, NONE } from './candidates.ts';
import type { Candidate, ExplainingPicker, Explanation, LoadView, PickRequest } from './picker.ts';

/** Turns that may pass to vetoed candidates (who lose them) before any candidate that is accepted will do. */
const PASSES = 16;
/** Deadlines start over here, long before adding 1/weight to them loses precision. */
const REBASE_AT = 2 ** 20;

export class RoundRobinPicker implements ExplainingPicker {
  readonly #candidates: Candidates;
  readonly #random: Random;
  /** Binary heap of indices by deadline. */
  readonly #heap: Int32Array;
  readonly #deadlines: Float64Array;

  constructor(candidates: readonly Candidate[], _view: LoadView, random: Random) {
    this.#candidates = new Candidates(candidates, random);
    this.#random = random;
    this.#deadlines = this.#candidates.weights.map(weight => random.next() / weight);
    const order = Array.from(candidates.keys()).sort((a, b) => this.#deadlines[a]! - this.#deadlines[b]!);
    this.#heap = Int32Array.from(order); // a sorted list is a heap
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    for (let passes = Math.min(PASSES, count); passes > 0; passes--) {
      const slot = slots[this.#next()]!;
      if (request.accepts(slot)) return slot;
    }
    const start = below(this.#random, count);
    for (let step = 0; step < count; step++) {
      const slot = slots[(start + step) % count]!;
      if (request.accepts(slot)) return slot;
    }
    return NONE;
  }

  explain(request: PickRequest): Explanation {
    const now = Math.min(...this.#deadlines);
    const standings = this.#candidates.standings(request, index => {
      const turns = this.#deadlines[index]! - now;
      return { score: turns, figures: { turns } };
    });
    return { rule: 'whose turn comes first, turns by weight', choice: lowest(standings), standings };
  }

  /** Whose turn it is; its next one is set. */
  #next(): number {
    const index = this.#heap[0]!;
    const deadline = this.#deadlines[index]!;
    if (deadline > REBASE_AT)
      for (let i = 0; i < this.#deadlines.length; i++) this.#deadlines[i]! -= deadline;
    this.#deadlines[index]! += 1 / this.#candidates.weights[index]!;
    this.#sink(index);
    return index;
  }

  /** Moves the index at the root to its place. */
  #sink(index: number): void {
    const heap = this.#heap;
    const deadlines = this.#deadlines;
    const deadline = deadlines[index]!;
    let hole = 0;
    for (let child = 1; child < heap.length; child = 2 * hole + 1) {
      if (child + 1 < heap.length && deadlines[heap[child + 1]!]! < deadlines[heap[child]!]!) child += 1;
      if (deadlines[heap[child]!]! >= deadline) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = index;
  }
}
