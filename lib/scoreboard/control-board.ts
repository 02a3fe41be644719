// The control plane's view: it writes decisions, and sums what the workers wrote.

import type { Clock } from '../core/clock.ts';
import { PRIORITIES, SHED_REASONS, type ShedReason } from '../core/priority.ts';
import type { SignalKind } from '../core/signal-kinds.ts';
import { slotsNamed, writeDecisions } from './decisions.ts';
import { beat, beatAgeMs } from './heartbeat.ts';
import {
  BACKEND,
  BACKEND_FLOATS,
  backendView,
  ROUTE_FLOATS,
  routeView,
  sumBlock,
  WAIT_FLOATS,
  waitView,
} from './histogram.ts';
import { type Cells, HEADER, ROW, rowStart, SLOT, STATUS_CLASSES } from './layout.ts';
import { ReportReader } from './load-reports.ts';
import { sumRows } from './permits.ts';
import {
  type BackendTotals,
  type ControlBoard,
  type Decision,
  type HistogramView,
  WORKER_COUNTERS,
  WORKER_GAUGES,
  type WorkerCounter,
} from './ports.ts';
import { limitInForce } from './shared-limits.ts';
import { failureRun } from './worker-ledger.ts';

export class BoardOfControl implements ControlBoard {
  readonly #cells: Cells;
  readonly #clock: Clock;
  readonly #reports: ReportReader;

  constructor(cells: Cells, clock: Clock) {
    this.#cells = cells;
    this.#clock = clock;
    this.#reports = new ReportReader(cells);
  }

  publish(decisions: ReadonlyMap<number, Decision>): void {
    const count = slotsNamed(this.#cells, decisions);
    for (const [slot, decision] of decisions) this.#welcome(slot, decision.slotGeneration);
    writeDecisions(this.#cells, count, decisions);
  }

  get generation(): number {
    return Atomics.load(this.#cells.i32, HEADER.generation);
  }

  heartbeat(): void {
    beat(this.#cells.i32, HEADER.controlBeat, this.#clock.monotonicMs());
  }

  inFlight(slot: number): number {
    return sumRows(this.#cells, this.#slotCell(0, slot) + SLOT.inFlight);
  }

  tunnels(slot: number): number {
    return sumRows(this.#cells, this.#slotCell(0, slot) + SLOT.tunnels);
  }

  waiting(slot: number): number {
    return sumRows(this.#cells, this.#slotCell(0, slot) + SLOT.waiting);
  }

  silentMs(slot: number): number {
    const { i32, shape } = this.#cells;
    const nowMs = this.#clock.monotonicMs();
    let waitedMs = 0;
    let answeredMs = Number.POSITIVE_INFINITY;
    for (let row = 0; row < shape.workers; row++) {
      const cells = this.#slotCell(row, slot);
      // A sign of life is one for all workers' requests.
      answeredMs = Math.min(answeredMs, beatAgeMs(i32, cells + SLOT.answeredAt, nowMs));
      if (Atomics.load(i32, cells + SLOT.waiting) > 0)
        waitedMs = Math.max(waitedMs, beatAgeMs(i32, cells + SLOT.waitingSince, nowMs));
    }
    return Math.min(waitedMs, answeredMs);
  }

  permits(slot: number): number {
    return sumRows(this.#cells, this.#slotCell(0, slot) + SLOT.permits);
  }

  adapted(slot: number, slotGeneration: number): number {
    return limitInForce(this.#cells, slot, slotGeneration);
  }

  shed(reason: ShedReason, priority: number): number {
    const { layout } = this.#cells;
    return this.#sumFloats(layout.shedF64 + SHED_REASONS.indexOf(reason) * PRIORITIES.length + priority);
  }

  waits(priority: number): HistogramView {
    const block = this.#cells.layout.waitsF64 + priority * WAIT_FLOATS;
    return waitView(Array.from({ length: WAIT_FLOATS }, (_, cell) => this.#sumFloats(block + cell)));
  }

  totals(slot: number): BackendTotals {
    const block = this.#backend(slot);
    return {
      attempts: block[BACKEND.attempts]!,
      successes: block[BACKEND.successes]!,
      serverErrors: block[BACKEND.serverErrors]!,
      failures: block[BACKEND.failures]!,
      cancelled: block[BACKEND.cancelled]!,
      consecutiveFailures: this.#longestRun(slot),
      latencySumMs: block[BACKEND.latencySumMs]!,
      bytesIn: block[BACKEND.bytesIn]!,
      bytesOut: block[BACKEND.bytesOut]!,
      loadReports: block[BACKEND.loadReports]!,
      loadValuesRefused: block[BACKEND.loadValuesRefused]!,
    };
  }

  reports(
    slot: number,
    slotGeneration: number,
    take: (kind: SignalKind, value: number, ageMs: number) => void,
  ): void {
    this.#reports.read(slot, slotGeneration, this.#clock.monotonicMs(), take);
  }

  idle(slot: number): boolean {
    const { i32, shape } = this.#cells;
    for (let row = 0; row < shape.workers; row++) {
      const cell = this.#slotCell(row, slot);
      // Each cell by itself and not the sum, which may pass through 0 while work moves from one row to another.
      for (const figure of [SLOT.inFlight, SLOT.tunnels, SLOT.permits])
        if (Atomics.load(i32, cell + figure) !== 0) return false;
    }
    return true;
  }

  worker(row: number): Readonly<Record<WorkerCounter, number>> {
    const { i32, f64, layout } = this.#cells;
    const start = rowStart(layout, row);
    const figures = [
      ...WORKER_GAUGES.map((name, at) => [name, Atomics.load(i32, start + ROW.gauges + at)] as const),
      ...WORKER_COUNTERS.map((name, at) => [name, f64[start / 2 + layout.countersF64 + at]!] as const),
    ];
    return Object.fromEntries(figures) as Record<WorkerCounter, number>;
  }

  requestHistogram(route: number, statusClass: number): HistogramView {
    const { f64, shape, layout } = this.#cells;
    if (!(route >= 0 && route < shape.routes && statusClass >= 1 && statusClass <= STATUS_CLASSES))
      throw new RangeError(`no histogram of route ${route}, status class ${statusClass}`);
    const block = layout.routesF64 + (route * STATUS_CLASSES + statusClass - 1) * ROUTE_FLOATS;
    return routeView(
      sumBlock(ROUTE_FLOATS, shape.workers, (row, cell) => f64[rowStart(layout, row) / 2 + block + cell]!),
    );
  }

  backendHistogram(slot: number): HistogramView {
    return backendView(this.#backend(slot));
  }

  /** A new backend in the slot begins at zero: what the counters show by now is taken off from here on. */
  #welcome(slot: number, slotGeneration: number): void {
    const { i32, f64, layout } = this.#cells;
    if (Atomics.load(i32, layout.owners + slot) === slotGeneration) return;
    const baseline = layout.baselinesF64 + slot * BACKEND_FLOATS;
    f64.set(this.#counted(slot), baseline);
    // Last, so that a successor of a thread that died in between does it all again.
    Atomics.store(i32, layout.owners + slot, slotGeneration);
  }

  /** What this backend's attempts came to. */
  #backend(slot: number): number[] {
    const { f64, layout } = this.#cells;
    const baseline = layout.baselinesF64 + slot * BACKEND_FLOATS;
    return this.#counted(slot).map((sum, cell) => sum - f64[baseline + cell]!);
  }

  #counted(slot: number): number[] {
    const { f64, shape, layout } = this.#cells;
    const block = layout.backendsF64 + slot * BACKEND_FLOATS;
    return sumBlock(
      BACKEND_FLOATS,
      shape.workers,
      (row, cell) => f64[rowStart(layout, row) / 2 + block + cell]!,
    );
  }

  #longestRun(slot: number): number {
    const { i32, shape, layout } = this.#cells;
    const owner = Atomics.load(i32, layout.owners + slot);
    let longest = 0;
    for (let row = 0; row < shape.workers; row++) {
      const cell = Atomics.load(i32, this.#slotCell(row, slot) + SLOT.failureRun);
      longest = Math.max(longest, failureRun(cell, owner));
    }
    return longest;
  }

  /** Over all rows; `cell` is relative to the row. */
  #sumFloats(cell: number): number {
    const { f64, shape, layout } = this.#cells;
    let sum = 0;
    for (let row = 0; row < shape.workers; row++) sum += f64[rowStart(layout, row) / 2 + cell]!;
    return sum;
  }

  #slotCell(row: number, slot: number): number {
    const { layout } = this.#cells;
    return rowStart(layout, row) + layout.slots + slot * layout.slotStride;
  }
}
