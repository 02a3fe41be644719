// Places at a backend, shared by all workers: each row counts what its worker holds, and a place is taken by announcing
// it first and counting after.
//
//   acquire:  all rows ≥ limit?  ── yes ──► refused
//             own row + 1              announced: from here on everybody counts it
//             all rows ≤ limit?  ── yes ──► taken
//             own row − 1              somebody announced at the same time: again, a few times
//
// Why no shared count with compareExchange: a worker may die between the exchange and the note of what it holds, and
// then nobody can tell whether the place was taken. Here one cell is both, its owner is its only writer, and a dead
// worker's places come back by zeroing its row, at any moment, whatever it was in the middle of.
//
// Never over the limit: of all who hold a place, one announced last. It counted after that, all the others were in their
// rows all the while, so it counted every holder, and went on only if that was within the limit. (Sums are not
// snapshots; the argument needs only that each row was read at some time after the announcement.)
//
// Never stuck: a worker may be refused because of an announcement that is then taken back. Whoever takes one back and
// then sees room says so, like one who releases. README.md has the argument in full.

import { type Cells, rowStart, SLOT } from './layout.ts';
import { type ReleaseSignal, raise } from './release-signal.ts';

/** Meetings in a row at the last place; each lasts as long as two sums, so a second try nearly always settles it. */
const TRIES = 4;

export class Permits {
  readonly #cells: Cells;
  readonly #signal: ReleaseSignal;
  /** Of slot 0 in the own row. */
  readonly #own: number;
  readonly #first: number;

  constructor(cells: Cells, row: number, signal: ReleaseSignal) {
    this.#cells = cells;
    this.#signal = signal;
    this.#own = rowStart(cells.layout, row) + cells.layout.slots + SLOT.permits;
    this.#first = rowStart(cells.layout, 0) + cells.layout.slots + SLOT.permits;
  }

  acquire(slot: number, limit: number): boolean {
    if (limit === 0) {
      Atomics.add(this.#cells.i32, this.#own + slot * this.#cells.layout.slotStride, 1);
      return true;
    }
    return this.#try(slot, limit) || (this.#signal.arm() && this.#try(slot, limit));
  }

  release(slot: number): void {
    const { i32, layout } = this.#cells;
    Atomics.sub(i32, this.#own + slot * layout.slotStride, 1);
    raise(i32);
  }

  #try(slot: number, limit: number): boolean {
    const { i32, layout } = this.#cells;
    const own = this.#own + slot * layout.slotStride;
    for (let tries = 0; tries < TRIES; tries++) {
      if (this.#taken(slot) >= limit) return false;
      Atomics.add(i32, own, 1);
      if (this.#taken(slot) <= limit) return true;
      Atomics.sub(i32, own, 1);
    }
    if (this.#taken(slot) < limit) raise(i32);
    return false;
  }

  #taken(slot: number): number {
    return sumRows(this.#cells, this.#first + slot * this.#cells.layout.slotStride);
  }
}

/** Sum of one cell over all rows; `cell` is that of row 0. Allocates nothing. */
export function sumRows(cells: Cells, cell: number): number {
  const { i32, shape, layout } = cells;
  let sum = 0;
  let at = cell;
  for (let row = 0; row < shape.workers; row++) {
    sum += Atomics.load(i32, at);
    at += layout.rowStride;
  }
  return sum;
}
