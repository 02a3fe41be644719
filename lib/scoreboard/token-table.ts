// Token buckets of clients: one fixed-size table for all workers, without locks.
//
// Each bucket is two Int32 cells, its key and the time at which it will be full again (the "theoretical arrival time" of
// GCRA, ITU-T I.371: a token bucket as one number). Taking a token moves that time on by one interval with a
// compareExchange. A key may stand in any of the WAYS neighbours that its hash names; when it is in none, it takes an
// empty one, else the one that was full first: that is the bucket whose loss matters least, and mostly not at all.
//
// What races cost, each only if two workers meet within nanoseconds at one bucket:
//  - a bucket evicted between a worker's look at the key and its compareExchange: one token charged to the newcomer;
//  - two workers bring the same new key to two places: the first in order is used from then on, the tokens taken from the
//    other (at most one per worker) are forgotten;
//  - a worker dies between taking a bucket over and resetting its time: the newcomer inherits a debt of at most `burst`.
// And what the size costs: a client in debt loses its debt (at most `burst` tokens) when WAYS others that are deeper in
// debt share its neighbourhood.

import type { Random } from '../core/random.ts';
import type { Cells } from './layout.ts';

const WAYS = 8;
/** Time is kept in 1/32 ms, modulo 2^32: 37 hours. */
const UNITS_PER_MS = 32;
/** A debt is at most a quarter of that, so that the present and a debt are never confused. */
const MOST_DEBT = 2 ** 30;
/** Every failed exchange means that somebody else took a token of this very bucket. */
const TRIES = 16;

export class TokenTable {
  readonly #i32: Int32Array;
  readonly #start: number;
  readonly #setMask: number;
  readonly #random: Random;

  constructor(cells: Cells, random: Random) {
    this.#i32 = cells.i32;
    this.#start = cells.layout.tokens;
    this.#setMask = cells.shape.tokenBuckets / WAYS - 1;
    this.#random = random;
  }

  /** 0 when a token of `key` was taken, otherwise the milliseconds until there is one. */
  take(key: number, ratePerSecond: number, burst: number, nowMs: number): number {
    const interval = Math.min(MOST_DEBT, (1000 / ratePerSecond) * UNITS_PER_MS);
    // Four standard deviations over, or the roundings below would now and then cost the last token of a burst.
    const room = Math.min(MOST_DEBT, interval * burst) + 2 * Math.sqrt(burst);
    const now = Math.floor(nowMs * UNITS_PER_MS) | 0;
    const bucket = this.#find(key | 0 || 1, now, room);
    for (let tries = 0; tries < TRIES; tries++) {
      const full = Atomics.load(this.#i32, bucket + 1);
      const debt = debtAt(full, now, room);
      if (debt + interval > room) return Math.max(1, Math.ceil((debt + interval - room) / UNITS_PER_MS));
      // Rounded by chance, so that a rate that is no whole number of units is kept on average.
      const next = (now + Math.floor(debt + interval + this.#random.next())) | 0;
      if (Atomics.compareExchange(this.#i32, bucket + 1, full, next) === full) return 0;
    }
    return 1;
  }

  /** Cell of the key's bucket, its own or one taken over. */
  #find(key: number, now: number, room: number): number {
    const set = this.#start + ((key >>> 0) & this.#setMask) * WAYS * 2;
    for (let way = 0; way < WAYS; way++) {
      const bucket = set + way * 2;
      const there = Atomics.load(this.#i32, bucket);
      if (there === key) return bucket;
      if (there === 0) {
        const found = Atomics.compareExchange(this.#i32, bucket, 0, key);
        if (found === 0) this.#fill(bucket, now, room);
        if (found === 0 || found === key) return bucket;
      }
    }
    return this.#takeOver(set, key, now, room);
  }

  #takeOver(set: number, key: number, now: number, room: number): number {
    let oldest = set;
    let least = Number.POSITIVE_INFINITY;
    for (let way = 0; way < WAYS; way++) {
      const ahead = (Atomics.load(this.#i32, set + way * 2 + 1) - now) | 0;
      const debt = ahead > MOST_DEBT + room ? Number.NEGATIVE_INFINITY : ahead; // wrapped: idle for more than a day
      if (debt >= least) continue;
      least = debt;
      oldest = set + way * 2;
    }
    const evicted = Atomics.load(this.#i32, oldest);
    // When another worker is faster, its newcomer and ours share the bucket until one of them comes again.
    if (Atomics.compareExchange(this.#i32, oldest, evicted, key) === evicted) this.#fill(oldest, now, room);
    return oldest;
  }

  /** A newcomer owes nothing, whatever time the bucket shows. */
  #fill(bucket: number, now: number, room: number): void {
    const full = Atomics.load(this.#i32, bucket + 1);
    if (debtAt(full, now, room) > 0) Atomics.compareExchange(this.#i32, bucket + 1, full, now);
  }
}

/** Units until the bucket is full; a time further off than any debt (rounded up) is one that wrapped: long ago. */
function debtAt(full: number, now: number, room: number): number {
  const debt = (full - now) | 0;
  return debt < 0 || debt > room + 2 ? 0 : debt;
}
