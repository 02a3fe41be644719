// The data plane's eyes: a copy of the decisions, live counts of all workers, and this worker's own latencies.

import type { Clock } from '../core/clock.ts';
import type { LoadView } from '../plan/balance/picker.ts';
import { copyDecisions, DECISION, DecisionCopy } from './decisions.ts';
import { beatAgeMs } from './heartbeat.ts';
import type { LatencyBook } from './latency.ts';
import { type Cells, DECISION_CELLS, HEADER, rowStart, SLOT } from './layout.ts';
import { sumRows } from './permits.ts';
import type { DecisionReader } from './ports.ts';
import { limitInForce } from './shared-limits.ts';

export class BoardReader implements DecisionReader, LoadView {
  readonly #cells: Cells;
  readonly #clock: Clock;
  readonly #book: LatencyBook;
  /** Of slot 0 in row 0. */
  readonly #inFlight: number;
  #held: DecisionCopy;
  /** Takes the next copy, so that a failed one spoils nothing. */
  #spare: DecisionCopy;

  constructor(cells: Cells, clock: Clock, book: LatencyBook) {
    this.#cells = cells;
    this.#clock = clock;
    this.#book = book;
    this.#inFlight = rowStart(cells.layout, 0) + cells.layout.slots + SLOT.inFlight;
    this.#held = new DecisionCopy(cells.shape.slots);
    this.#spare = new DecisionCopy(cells.shape.slots);
  }

  get generation(): number {
    return this.#held.generation;
  }

  refresh(): boolean {
    if (Atomics.load(this.#cells.i32, HEADER.generation) === this.#held.generation) return false;
    if (!copyDecisions(this.#cells, this.#spare)) return false;
    const before = this.#held;
    this.#held = this.#spare;
    this.#spare = before;
    this.#forgetReplaced(before);
    return true;
  }

  ageMs(): number {
    return beatAgeMs(this.#cells.i32, HEADER.controlBeat, this.#clock.monotonicMs());
  }

  state(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.state]!;
  }

  milliWeight(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.milliWeight]!;
  }

  concurrency(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.concurrency]!;
  }

  adapted(slot: number): number {
    return limitInForce(this.#cells, slot, this.slotGeneration(slot));
  }

  slotGeneration(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.slotGeneration]!;
  }

  predicted(slot: number): number {
    const milli = this.#held.cells[slot * DECISION_CELLS + DECISION.milliPredicted]!;
    return milli < 0 ? Number.NaN : milli / 1000;
  }

  gate(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.gate]!;
  }

  outside(slot: number): boolean {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.outside] === 1;
  }

  gated(slot: number): boolean {
    return this.gate(slot) !== 0;
  }

  shedFraction(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.shedFraction]!;
  }

  shedTurn(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.shedTurn]!;
  }

  leaseMs(slot: number): number {
    return this.#held.cells[slot * DECISION_CELLS + DECISION.leaseMs]!;
  }

  inFlight(slot: number): number {
    return sumRows(this.#cells, this.#inFlight + slot * this.#cells.layout.slotStride);
  }

  latencyMs(slot: number): number {
    return this.#book.costMs(slot);
  }

  /** What was learned about a backend says nothing about the next one in its slot. */
  #forgetReplaced(before: DecisionCopy): void {
    const slots = Math.max(before.count, this.#held.count);
    for (let slot = 0; slot < slots; slot++) {
      const cell = slot * DECISION_CELLS + DECISION.slotGeneration;
      if (before.cells[cell] !== this.#held.cells[cell]) this.#book.forget(slot);
    }
  }
}
