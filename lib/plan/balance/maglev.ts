// maglev: a key has its backend by one look into a table (Eisenbud et al., Maglev, NSDI 2016, section 3.4).
//
// Every backend has an order of preference over all entries of a table of prime size M: offset + j · skip (mod M), both from
// its id. In turn each takes the first entry of its order that is free, until the table is full. So shares are even to
// within one entry, a look-up is one read, and when a backend leaves, nearly only its entries change owner.
//
// Weights are turns: who has half the largest weight takes an entry every second round. Orders depend on ids alone and turns
// go by id, so all who know the same backends and weights have the same table.

import { hash32, mix32 } from '../../core/hash.ts';
import { Candidates, NONE } from './candidates.ts';
import type { Candidate, ExplainingPicker, Explanation, PickRequest } from './picker.ts';

const FREE = 0xffff;
const SALT = 0x5bd1e995;
const GOLDEN = 0x9e3779b9;
/**
 * Further looks when the owner of a key is vetoed, each at an entry of its own: keys of one backend spread over all others. The
 * neighbours of an entry would not do, since the orders are arithmetic and so neighbours' owners are mostly the same.
 */
const LOOKS = 64;
/** Full weights only are turns of one entry; below this share of the largest a backend has one entry at least. */
const LEAST_TURN = 1e-6;

/** Index of the owner at each of `size` entries, a prime over the number of candidates; at most 65,534 candidates. */
export function maglevTable(candidates: readonly Candidate[], size: number): Uint16Array {
  const table = new Uint16Array(size).fill(FREE);
  const count = candidates.length;
  if (count === 0) return table;
  const largest = Math.max(...candidates.map(({ weight }) => weight));
  const order = Array.from(candidates.keys()).sort((a, b) =>
    candidates[a]!.id < candidates[b]!.id ? -1 : candidates[a]!.id > candidates[b]!.id ? 1 : 0,
  );
  const turn = candidates.map(({ weight }) => Math.max(LEAST_TURN, weight / largest));
  // All begin with a turn due, lest one of small weight be left without.
  const due = new Float64Array(count).fill(1);
  const next = Int32Array.from(candidates, ({ id }) => hash32(id) % size);
  const skip = Int32Array.from(candidates, ({ id }) => (hash32(id, SALT) % (size - 1)) + 1);
  let free = size;
  for (;;)
    for (const index of order) {
      if (due[index]! < 1) {
        due[index]! += turn[index]!;
        continue;
      }
      due[index]! += turn[index]! - 1;
      let entry = next[index]!;
      while (table[entry] !== FREE) entry = (entry + skip[index]!) % size;
      table[entry] = index;
      next[index] = (entry + skip[index]!) % size;
      free -= 1;
      if (free === 0) return table;
    }
}

export class MaglevPicker implements ExplainingPicker {
  readonly #candidates: Candidates;
  readonly #table: Uint16Array;

  /** `size` is a prime; 65,537 in the paper. */
  constructor(candidates: readonly Candidate[], size: number) {
    this.#candidates = new Candidates(candidates, { next: () => 0 });
    this.#table = maglevTable(candidates, size);
  }

  pick(request: PickRequest): number {
    const { count, slots } = this.#candidates;
    if (count === 0) return NONE;
    const table = this.#table;
    for (let look = 0; look < LOOKS; look++) {
      const slot = slots[table[this.#entryOf(request.key, look)]!]!;
      if (request.accepts(slot)) return slot;
    }
    const owner = table[this.#entryOf(request.key, 0)]!;
    for (let step = 1; step < count; step++) {
      const slot = slots[(owner + step) % count]!;
      if (request.accepts(slot)) return slot;
    }
    return NONE;
  }

  #entryOf(key: number, look: number): number {
    return mix32(key + Math.imul(look, GOLDEN)) % this.#table.length;
  }

  explain(request: PickRequest): Explanation {
    const { count, slots } = this.#candidates;
    if (count === 0) return { rule: 'no candidates', choice: NONE, standings: [] };
    const owner = this.#table[this.#entryOf(request.key, 0)]!;
    const entries = new Int32Array(count);
    for (const index of this.#table) entries[index]! += 1;
    const choice = this.pick(request);
    const standings = this.#candidates.standings(request, index => ({
      score: Number.NaN,
      figures: { share: entries[index]! / this.#table.length },
      remark: index === owner ? 'owns the key' : '',
    }));
    return {
      rule:
        choice === slots[owner]
          ? 'the owner of the key in the table'
          : 'the next in the table: the owner of the key may not be asked',
      choice,
      standings,
    };
  }
}
