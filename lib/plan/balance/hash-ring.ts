// A hash ring (Karger et al. 1997): each backend has points by its weight, a key belongs to the next point clockwise.
//
// A backend's points depend on its id and its own weight alone, never on the others: so a backend that leaves gives up its
// keys and moves no other, and all workers and proxies that know the same backends agree without talking. Only the
// number of points per unit of weight follows the size of the cluster, in powers of two, so that it changes (and with it
// some keys) only when the total weight about doubles or halves. Fewer points are a subset of more, never other ones.

import { hash32, mix32 } from '../../core/hash.ts';
import type { Candidate } from './picker.ts';

/** The largest ring: 185,363 points are 1.1 MB and some 20 ms to build. Odd, so that common sizes do not stand at its edge. */
const MOST_POINTS = 185_363;
/** Per backend of mean weight, at most: shares then lie within some 6 %. The edges are at a mean weight of 0.7 and 1.4. */
const MOST_PER_BACKEND = 362;
const GOLDEN = 0x9e3779b9;

/** Immutable. Index arithmetic is on positions, 0 to size − 1. */
export class HashRing {
  readonly size: number;
  /** Index of the candidate at each position. */
  readonly owners: Uint16Array;
  readonly #hashes: Uint32Array;
  /** For each prefix of a hash the first position at or after it: a look-up is one read and about one step. */
  readonly #starts: Uint32Array;
  readonly #shift: number;

  /** At most 65,536 candidates. */
  constructor(candidates: readonly Candidate[]) {
    const points = allPoints(candidates, pointsPerWeight(candidates)).sort();
    this.size = points.length;
    this.#hashes = new Uint32Array(this.size);
    this.owners = new Uint16Array(this.size);
    for (let position = 0; position < this.size; position++) {
      const hash = Math.floor(points[position]! / 65_536);
      this.#hashes[position] = hash;
      this.owners[position] = points[position]! - hash * 65_536;
    }
    const bits = Math.max(1, Math.ceil(Math.log2(Math.max(2, this.size))));
    this.#shift = 32 - bits;
    this.#starts = new Uint32Array(2 ** bits);
    let position = 0;
    for (let prefix = 0; prefix < this.#starts.length; prefix++) {
      while (position < this.size && this.#hashes[position]! >>> this.#shift < prefix) position += 1;
      this.#starts[prefix] = position;
    }
  }

  /** Position that the key belongs to. */
  positionOf(key: number): number {
    const hash = mix32(key);
    let position = this.#starts[hash >>> this.#shift]!;
    while (position < this.size && this.#hashes[position]! < hash) position += 1;
    return position < this.size ? position : 0;
  }
}

function pointsPerWeight(candidates: readonly Candidate[]): number {
  const total = candidates.reduce((sum, candidate) => sum + candidate.weight, 0);
  const most = Math.min(MOST_POINTS, MOST_PER_BACKEND * candidates.length);
  return 2 ** Math.floor(Math.log2(most / total));
}

/** hash × 65,536 + index, so that one numeric sort orders them, ties by index. */
function allPoints(candidates: readonly Candidate[], perWeight: number): Float64Array {
  const counts = candidates.map(({ weight }) => Math.max(1, Math.round(weight * perWeight)));
  const points = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
  let next = 0;
  for (let index = 0; index < counts.length; index++) {
    const hash = hash32(candidates[index]!.id);
    for (let point = 0; point < counts[index]!; point++)
      points[next++] = mix32(hash ^ mix32(hash + Math.imul(point, GOLDEN))) * 65_536 + index;
  }
  return points;
}
