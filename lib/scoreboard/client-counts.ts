// Connections by client and by listener: each worker counts its own in its row, all are summed to hold a bound.
//
// A row's table is open addressing with linear probing over at most WINDOW cells. It is written by its worker alone and
// read by the others at any time, so nothing that is counted ever moves:
//  - a key keeps its cell as long as its count is over 0;
//  - a cell whose count fell to 0 keeps its key as a marker, so that probing goes on past it; it may be given to another
//    key, and goes back to empty only when the cell behind it is empty, since then no key beyond depends on it.
//
// A bound over all workers is kept as in permits.ts: announce in the own row, then count. Who comes last sees all.

import { mix32 } from '../core/hash.ts';
import { type Cells, ROW, rowStart } from './layout.ts';
import { sumRows } from './permits.ts';
import { WORKER_GAUGES } from './ports.ts';

/** Two cache lines of keys. At half load a window is full about never; then the client is admitted uncounted. */
const WINDOW = 32;
const NONE = -1;
const CONNECTIONS = WORKER_GAUGES.indexOf('connections');

export class ClientCounts {
  readonly #cells: Cells;
  readonly #row: number;
  readonly #first: number;
  readonly #mask: number;

  constructor(cells: Cells, row: number) {
    this.#cells = cells;
    this.#row = rowStart(cells.layout, row);
    this.#first = rowStart(cells.layout, 0);
    this.#mask = cells.shape.clientCells - 1;
  }

  enter(listener: number, client: number, maxTotal: number, maxPerClient: number): boolean {
    const { i32 } = this.#cells;
    const key = keyOf(listener, client);
    // Looked at first, so that a crowd at the bound does not announce itself again and again and refuse each other.
    if (this.#total(listener) >= maxTotal || this.#ofClient(key) >= maxPerClient) return false;
    const total = this.#listenerCell(this.#row, listener);
    Atomics.add(i32, total, 1);
    if (this.#total(listener) <= maxTotal) {
      const cell = this.#claim(key);
      if (cell === NONE) return true;
      Atomics.add(i32, cell, 1);
      if (this.#ofClient(key) <= maxPerClient) return true;
      this.#leaveCell(cell);
    }
    Atomics.sub(i32, total, 1);
    return false;
  }

  leave(listener: number, client: number): void {
    const cell = this.#find(this.#row, keyOf(listener, client));
    if (cell !== NONE && Atomics.load(this.#cells.i32, cell) > 0) this.#leaveCell(cell);
    Atomics.sub(this.#cells.i32, this.#listenerCell(this.#row, listener), 1);
  }

  connections(): number {
    return sumRows(this.#cells, this.#first + ROW.gauges + CONNECTIONS);
  }

  #total(listener: number): number {
    return sumRows(this.#cells, this.#listenerCell(this.#first, listener));
  }

  #ofClient(key: number): number {
    const { i32, shape, layout } = this.#cells;
    let sum = 0;
    for (let row = 0; row < shape.workers; row++) {
      const cell = this.#find(this.#first + row * layout.rowStride, key);
      if (cell !== NONE) sum += Atomics.load(i32, cell);
    }
    return sum;
  }

  #listenerCell(row: number, listener: number): number {
    const { shape, layout } = this.#cells;
    return row + layout.listeners + Math.min(listener, shape.listeners - 1);
  }

  /** The count cell of `key` in a row, or NONE. */
  #find(row: number, key: number): number {
    const { i32, layout } = this.#cells;
    const keys = row + layout.clientKeys;
    for (let step = 0; step < WINDOW; step++) {
      const place = (key + step) & this.#mask;
      const there = Atomics.load(i32, keys + place);
      if (there === key) return row + layout.clientCounts + place;
      if (there === 0) return NONE;
    }
    return NONE;
  }

  /** As #find in the own row, but makes a place if there is none; NONE when the window is full. */
  #claim(key: number): number {
    const { i32, layout } = this.#cells;
    const keys = this.#row + layout.clientKeys;
    const counts = this.#row + layout.clientCounts;
    let free = NONE;
    for (let step = 0; step < WINDOW; step++) {
      const place = (key + step) & this.#mask;
      const there = Atomics.load(i32, keys + place);
      if (there === key) return counts + place;
      if (free === NONE && (there === 0 || Atomics.load(i32, counts + place) === 0)) free = place;
      if (there === 0) break;
    }
    if (free === NONE) return NONE;
    Atomics.store(i32, keys + free, key);
    return counts + free;
  }

  #leaveCell(cell: number): void {
    const { i32, layout } = this.#cells;
    if (Atomics.sub(i32, cell, 1) > 1) return;
    const keys = this.#row + layout.clientKeys;
    const counts = this.#row + layout.clientCounts;
    let place = cell - counts;
    if (Atomics.load(i32, keys + ((place + 1) & this.#mask)) !== 0) return;
    // Empty what is unused from here backwards; the bound is for the loop's sake, runs are short.
    for (let step = 0; step < WINDOW; step++) {
      if (Atomics.load(i32, keys + place) === 0 || Atomics.load(i32, counts + place) !== 0) return;
      Atomics.store(i32, keys + place, 0);
      place = (place - 1) & this.#mask;
    }
  }
}

/** A client counts apart at each listener. 0 means empty. */
const keyOf = (listener: number, client: number): number =>
  mix32(client ^ Math.imul(listener + 1, 0x9e3779b9)) | 0 || 1;
