// All sessions that a planner may move: columns by row, and for each backend the rows that are on it.
//
// Columns instead of objects: 100,000 sessions are looked at four times a second, and activity comes in batches.

import assert from 'node:assert/strict';

const NOWHERE = -1;

export class SessionTable {
  readonly size: number;
  /** Slot; -1 for a row that is free. */
  readonly backend: Int32Array;
  /** Work asked for, in any unit that is the same for all sessions of the cluster: bytes or messages a second, smoothed. */
  readonly activity: Float64Array;
  /** Monotonic ms. */
  readonly openedMs: Float64Array;
  /** Monotonic ms of the last change of backend; that of the opening at first. */
  readonly placedMs: Float64Array;
  /** What moving it loses, as seconds of its own activity: warm state that the new backend has to build again. */
  readonly movingCostS: Float32Array;
  /** 0: moved for failure and at the end of a drain only (static leases, clients that cannot be moved). */
  readonly movable: Uint8Array;
  /** 1 while a move is under way. */
  readonly moving: Uint8Array;
  readonly #free: number[] = [];
  readonly #rows: Int32Array[];
  readonly #counts: Int32Array;
  /** Where a row stands in the list of its backend. */
  readonly #at: Int32Array;
  readonly #sums: Float64Array;

  /** `slots`: backends are numbered below this. */
  constructor(size: number, slots: number) {
    this.size = size;
    this.backend = new Int32Array(size).fill(NOWHERE);
    this.activity = new Float64Array(size);
    this.openedMs = new Float64Array(size);
    this.placedMs = new Float64Array(size);
    this.movingCostS = new Float32Array(size);
    this.movable = new Uint8Array(size);
    this.moving = new Uint8Array(size);
    this.#at = new Int32Array(size);
    this.#rows = Array.from({ length: slots }, () => new Int32Array(16));
    this.#counts = new Int32Array(slots);
    this.#sums = new Float64Array(slots);
    for (let row = size - 1; row >= 0; row--) this.#free.push(row);
  }

  get slots(): number {
    return this.#rows.length;
  }

  get count(): number {
    return this.size - this.#free.length;
  }

  countOn(slot: number): number {
    return this.#counts[slot]!;
  }

  activityOn(slot: number): number {
    return this.#sums[slot]!;
  }

  /** Rows on a backend, in no order; valid until the next change. */
  on(slot: number): Int32Array {
    return this.#rows[slot]!.subarray(0, this.#counts[slot]!);
  }

  /** A row for a new session, or -1 when there is no room: it is then simply not planned for. */
  open(slot: number, activity: number, nowMs: number, movable = true): number {
    const row = this.#free.pop();
    if (row === undefined) return NOWHERE;
    this.activity[row] = activity;
    this.openedMs[row] = nowMs;
    this.placedMs[row] = nowMs;
    this.movingCostS[row] = 0;
    this.movable[row] = movable ? 1 : 0;
    this.moving[row] = 0;
    this.#enter(row, slot);
    return row;
  }

  close(row: number): void {
    this.#leave(row);
    this.backend[row] = NOWHERE;
    this.#free.push(row);
  }

  place(row: number, slot: number, nowMs: number): void {
    this.#leave(row);
    this.#enter(row, slot);
    this.placedMs[row] = nowMs;
  }

  setActivity(row: number, activity: number): void {
    const slot = this.backend[row]!;
    assert(slot !== NOWHERE);
    this.#sums[slot]! += activity - this.activity[row]!;
    this.activity[row] = activity;
  }

  /** Sums anew what was added and subtracted a million times. */
  tally(slot: number): void {
    let sum = 0;
    for (const row of this.on(slot)) sum += this.activity[row]!;
    this.#sums[slot] = sum;
  }

  #enter(row: number, slot: number): void {
    const count = this.#counts[slot]!;
    let rows = this.#rows[slot]!;
    if (count === rows.length) {
      const grown = new Int32Array(2 * rows.length);
      grown.set(rows);
      rows = grown;
      this.#rows[slot] = rows;
    }
    rows[count] = row;
    this.#at[row] = count;
    this.#counts[slot] = count + 1;
    this.#sums[slot]! += this.activity[row]!;
    this.backend[row] = slot;
  }

  #leave(row: number): void {
    const slot = this.backend[row]!;
    assert(slot !== NOWHERE);
    const rows = this.#rows[slot]!;
    const last = --this.#counts[slot]!;
    const moved = rows[last]!;
    rows[this.#at[row]!] = moved;
    this.#at[moved] = this.#at[row]!;
    // Exactly nothing is left by the last, whatever rounding left.
    this.#sums[slot] = last === 0 ? 0 : this.#sums[slot]! - this.activity[row]!;
  }
}
