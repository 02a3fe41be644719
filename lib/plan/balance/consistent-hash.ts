// consistent_hash: a key keeps its backend while it can, with bounded loads (Mirrokni, Thorup, Zadimoghaddam 2018).
//
// A backend may hold `bound` times its share of what is in flight (rounded up, the request to come included); a key whose
// backend is at its bound goes on to the next on the ring, always the same one, and comes back when there is room. So a
// hot key spills over neighbours instead of crushing one backend, and no backend exceeds bound × mean.

import { below, type Random } from '../../core/random.ts';
import { Candidates, NONE } from './candidates.ts';
import { HashRing } from './hash-ring.ts';
import type { Candidate, ExplainingPicker, Explanation, LoadView, PickRequest } from './picker.ts';

/** Positions walked on before the ring is given up and the list looked at; enough to pass by most of a full cluster. */
const STEPS = 256;
/** Loads read anew at each pick, in turn: the total is exact up to so many candidates, and a few picks old beyond. */
const REFRESHED = 8;

export class ConsistentHashPicker implements ExplainingPicker {
  readonly #candidates: Candidates;
  readonly #ring: HashRing;
  readonly #view: LoadView;
  readonly #random: Random;
  readonly #bound: number;
  readonly #totalWeight: number;
  /** In flight at each candidate when last read, and the sum of it: summing all at every pick would be O(n). */
  readonly #loads: Int32Array;
  #total = 0;
  #cursor = 0;
  /** Whom the pick before chose: its load changes next. */
  #last = 0;

  constructor(candidates: readonly Candidate[], view: LoadView, random: Random, bound: number) {
    this.#candidates = new Candidates(candidates, random);
    this.#ring = new HashRing(candidates);
    this.#view = view;
    this.#random = random;
    this.#bound = bound;
    this.#totalWeight = this.#candidates.meanWeight * candidates.length;
    this.#loads = new Int32Array(candidates.length);
    for (let index = 0; index < candidates.length; index++) this.#read(index);
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    this.#refresh();
    const index = this.#walk(request);
    if (index === NONE) return NONE;
    this.#last = index;
    return slots[index]!;
  }

  explain(request: PickRequest): Explanation {
    const { count, slots } = this.#candidates;
    if (count === 0) return { rule: 'no candidates', choice: NONE, standings: [] };
    for (let index = 0; index < count; index++) this.#read(index);
    const owner = this.#ring.owners[this.#ring.positionOf(request.key)]!;
    const chosen = this.#walk(request);
    const standings = this.#candidates.standings(request, index => ({
      score: Number.NaN,
      figures: { may_hold: this.#capacity(index) },
      remark: index === owner ? 'owns the key' : '',
    }));
    return {
      rule:
        chosen === owner
          ? 'the owner of the key on the ring'
          : 'the next on the ring: the owner of the key is at its bound, or may not be asked',
      choice: chosen === NONE ? NONE : slots[chosen]!,
      standings,
    };
  }

  #walk(request: PickRequest): number {
    const { slots } = this.#candidates;
    const { owners, size } = this.#ring;
    const start = this.#ring.positionOf(request.key);
    let full = NONE;
    let before = NONE;
    for (let step = 0; step < STEPS && step < size; step++) {
      const position = start + step;
      const index = owners[position < size ? position : position - size]!;
      if (index === before) continue;
      before = index;
      if (!request.accepts(slots[index]!)) continue;
      if (this.#read(index) < this.#capacity(index)) return index;
      if (full === NONE) full = index;
    }
    const roomy = this.#leastLoaded(request);
    // All that the caller accepts are at their bound: the others hold the rest of the load, and the key's own is best.
    return roomy !== NONE && (full === NONE || this.#loads[roomy]! < this.#capacity(roomy)) ? roomy : full;
  }

  /** Fewest in flight for its weight among all that the caller accepts. Rare: most of the cluster is full or vetoed. */
  #leastLoaded(request: PickRequest): number {
    const { count, slots, weights } = this.#candidates;
    const start = below(this.#random, count);
    let best = NONE;
    for (let step = 0; step < count; step++) {
      const index = start + step < count ? start + step : start + step - count;
      if (!request.accepts(slots[index]!)) continue;
      const load = this.#read(index) / weights[index]!;
      if (best === NONE || load < this.#loads[best]! / weights[best]!) best = index;
    }
    return best;
  }

  #capacity(index: number): number {
    const share = this.#candidates.weights[index]! / this.#totalWeight;
    return Math.ceil(this.#bound * share * (this.#total + 1));
  }

  #refresh(): void {
    this.#read(this.#last);
    const { count } = this.#candidates;
    for (let reads = Math.min(REFRESHED, count); reads > 0; reads--) {
      this.#read(this.#cursor);
      this.#cursor = this.#cursor + 1 < count ? this.#cursor + 1 : 0;
    }
  }

  #read(index: number): number {
    const load = this.#view.inFlight(this.#candidates.slots[index]!);
    this.#total += load - this.#loads[index]!;
    this.#loads[index] = load;
    return load;
  }
}
