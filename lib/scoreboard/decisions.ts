// The control plane's decisions: two halves, one in force, the other written and then put in force by one store.
//
//   generation ──── G ────►  half G & 1:        sequence = G, cells of snapshot G
//                            other half:        sequence = G − 1, or 0 while G + 1 is being written
//
//   writer                                  reader
//   sequence of the other half := 0         g := generation; nothing to do when it holds g
//   cells of the other half                 half g & 1: sequence = g ?
//   sequence of the other half := G + 1     copy the cells
//   generation := G + 1                     sequence still = g ?  then the copy is snapshot g, else again
//
// A reader never takes a mixture, however long it sleeps: suppose a cell it copied was written after its first look at
// the sequence and before its second. The writer had set the sequence to 0 before, and sets it to another generation
// after. If the 0 came after the first look, the second look finds it changed; if it came before, the first look found 0.
// The argument needs one order of all these accesses for all threads, so each is an Atomics operation: with plain
// loads a processor of weak order (arm64) may look at the sequence before it has read the last cells.
//
// A writer that dies leaves the half that is in force whole, and its successor begins the other one anew.

import { type Cells, DECISION_CELLS, HALF, HEADER } from './layout.ts';
import type { Decision } from './ports.ts';

const WRITING = 0;
/** Each failure means that two publications went by during one copy; at four a second that is never. */
const TRIES = 16;

/** A consistent copy of one half. */
export class DecisionCopy {
  readonly cells: Int32Array;
  generation = 0;
  /** Slots that the copy speaks of; the cells behind are zero. */
  count = 0;

  constructor(slots: number) {
    this.cells = new Int32Array(slots * DECISION_CELLS);
  }
}

/** Fills `into` with the decisions in force; false when they changed under it too often. */
export function copyDecisions(cells: Cells, into: DecisionCopy): boolean {
  const { i32, layout } = cells;
  let touched = into.count;
  for (let tries = 0; tries < TRIES; tries++) {
    const generation = Atomics.load(i32, HEADER.generation);
    const half = layout.halves[generation & 1]!;
    if (Atomics.load(i32, half + HALF.sequence) !== generation) continue;
    const count = Atomics.load(i32, half + HALF.count);
    const length = count * DECISION_CELLS;
    touched = Math.max(touched, count);
    for (let cell = 0; cell < length; cell++)
      into.cells[cell] = Atomics.load(i32, half + HALF.decisions + cell);
    if (Atomics.load(i32, half + HALF.sequence) !== generation) continue;
    into.cells.fill(0, length, touched * DECISION_CELLS);
    into.count = count;
    into.generation = generation;
    return true;
  }
  // What was copied over is of no generation: a whole copy must follow before it may be read.
  into.count = touched;
  into.generation = 0;
  return false;
}

/** Puts a whole set in force, unless it is in force already; slots under `count` not named get zeros. Only the control plane calls it. */
export function writeDecisions(cells: Cells, count: number, decisions: ReadonlyMap<number, Decision>): void {
  const { i32, layout } = cells;
  const generation = Atomics.load(i32, HEADER.generation);
  if (generation !== 0 && inForce(cells, layout.halves[generation & 1]!, count, decisions)) return;
  // 0 means none, so it is left out where the count wraps; 2 goes to the other half as 0 would.
  const next = (generation + 1) | 0 || 2;
  const half = layout.halves[next & 1]!;
  Atomics.store(i32, half + HALF.sequence, WRITING);
  Atomics.store(i32, half + HALF.count, count);
  for (let slot = 0; slot < count; slot++) {
    const decision = decisions.get(slot);
    const at = half + HALF.decisions + slot * DECISION_CELLS;
    for (let cell = 0; cell < DECISION_CELLS; cell++) Atomics.store(i32, at + cell, cellOf(decision, cell));
  }
  Atomics.store(i32, half + HALF.sequence, next);
  Atomics.store(i32, HEADER.generation, next);
}

/** Order of the cells. */
export const DECISION = {
  state: 0,
  milliWeight: 1,
  concurrency: 2,
  slotGeneration: 3,
  milliPredicted: 4,
  gate: 5,
  shedFraction: 6,
  shedTurn: 7,
  leaseMs: 8,
  outside: 9,
} as const;
const FIELDS = Object.keys(DECISION) as (keyof typeof DECISION)[];

function cellOf(decision: Decision | undefined, cell: number): number {
  return decision === undefined ? 0 : decision[FIELDS[cell]!];
}

/** One more than the highest slot named; throws for one that is not on the board. */
export function slotsNamed(cells: Cells, decisions: ReadonlyMap<number, Decision>): number {
  let count = 0;
  for (const slot of decisions.keys()) {
    if (!Number.isInteger(slot) || slot < 0 || slot >= cells.shape.slots)
      throw new RangeError(`slot ${slot} is not on a scoreboard of ${cells.shape.slots}`);
    count = Math.max(count, slot + 1);
  }
  return count;
}

function inForce(
  cells: Cells,
  half: number,
  count: number,
  decisions: ReadonlyMap<number, Decision>,
): boolean {
  const { i32 } = cells;
  if (Atomics.load(i32, half + HALF.count) !== count) return false;
  for (let slot = 0; slot < count; slot++) {
    const decision = decisions.get(slot);
    const at = half + HALF.decisions + slot * DECISION_CELLS;
    for (let cell = 0; cell < DECISION_CELLS; cell++)
      if (Atomics.load(i32, at + cell) !== (cellOf(decision, cell) | 0)) return false;
  }
  return true;
}
