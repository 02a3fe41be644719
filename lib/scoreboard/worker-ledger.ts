// The data plane's hands: the one writer of a row.

import type { Clock } from '../core/clock.ts';
import type { LoadReading } from '../core/orca/reading.ts';
import { PRIORITIES, SHED_REASONS, type ShedReason } from '../core/priority.ts';
import type { Limiter } from '../plan/overload/limiter.ts';
import { beat, beatOf } from './heartbeat.ts';
import { BACKEND, BACKEND_FLOATS, bucketOf, ROUTE, ROUTE_FLOATS, WAIT, WAIT_FLOATS } from './histogram.ts';
import type { LatencyBook } from './latency.ts';
import { type Cells, ROW, rowStart, SLOT, STATUS_CLASSES } from './layout.ts';
import { ReportWriter } from './load-reports.ts';
import { Permits } from './permits.ts';
import {
  Outcome,
  type OutcomeCode,
  WORKER_COUNTERS,
  WORKER_GAUGES,
  type WorkerCounter,
  type WorkerLedger,
} from './ports.ts';
import { ReleaseSignal } from './release-signal.ts';
import { SharedLimits } from './shared-limits.ts';

/** A run of failures shares its cell with the backend it is about: another owner of the slot begins at none. */
const RUN_BITS = 16;
const RUN_MOST = 2 ** RUN_BITS - 1;
const gauges = new Map<WorkerCounter, number>(WORKER_GAUGES.map((name, index) => [name, index]));
const counters = new Map<WorkerCounter, number>(WORKER_COUNTERS.map((name, index) => [name, index]));

/** The run in `cell` if it is about the backend of this generation, else 0. */
export const failureRun = (cell: number, owner: number): number =>
  cell >>> RUN_BITS === (owner & RUN_MOST) ? cell & RUN_MOST : 0;

export class BoardLedger implements WorkerLedger {
  readonly #cells: Cells;
  readonly #row: number;
  readonly #slots: number;
  readonly #countersF64: number;
  readonly #backendsF64: number;
  readonly #routesF64: number;
  readonly #shedF64: number;
  readonly #waitsF64: number;
  readonly #limits: SharedLimits;
  readonly #clock: Clock;
  readonly #book: LatencyBook;
  readonly #signal: ReleaseSignal;
  readonly #permits: Permits;
  readonly #reports: ReportWriter;

  constructor(cells: Cells, row: number, clock: Clock, book: LatencyBook) {
    const { layout } = cells;
    this.#cells = cells;
    this.#row = rowStart(layout, row);
    this.#slots = this.#row + layout.slots;
    this.#countersF64 = this.#row / 2 + layout.countersF64;
    this.#backendsF64 = this.#row / 2 + layout.backendsF64;
    this.#routesF64 = this.#row / 2 + layout.routesF64;
    this.#shedF64 = this.#row / 2 + layout.shedF64;
    this.#waitsF64 = this.#row / 2 + layout.waitsF64;
    this.#clock = clock;
    this.#book = book;
    this.#limits = new SharedLimits(cells, row);
    this.#signal = new ReleaseSignal(cells, row);
    this.#permits = new Permits(cells, row, this.#signal);
    this.#reports = new ReportWriter(cells, row);
  }

  begin(slot: number): void {
    const { i32, f64, layout } = this.#cells;
    Atomics.add(i32, this.#slots + slot * layout.slotStride + SLOT.inFlight, 1);
    f64[this.#backendsF64 + slot * BACKEND_FLOATS + BACKEND.attempts]! += 1;
  }

  settle(slot: number, outcome: OutcomeCode, latencyMs: number): void {
    const { i32, f64, layout } = this.#cells;
    const block = this.#backendsF64 + slot * BACKEND_FLOATS;
    Atomics.sub(i32, this.#slots + slot * layout.slotStride + SLOT.inFlight, 1);
    if (outcome === Outcome.cancelled) {
      f64[block + BACKEND.cancelled]! += 1;
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    this.#countRun(slot, outcome === Outcome.failure || outcome === Outcome.gatewayError);
    if (outcome === Outcome.failure) {
      f64[block + BACKEND.failures]! += 1;
      this.#book.failed(slot, 0, nowMs);
      return;
    }
    f64[block + BACKEND.latencySumMs]! += latencyMs;
    f64[block + BACKEND.buckets + bucketOf(latencyMs / 1000)]! += 1;
    if (outcome === Outcome.success) {
      f64[block + BACKEND.successes]! += 1;
      this.#book.succeeded(slot, latencyMs, nowMs);
    } else {
      f64[block + BACKEND.serverErrors]! += 1;
      this.#book.failed(slot, latencyMs, nowMs);
    }
  }

  // Plain where nothing is ordered by it: one writer, and a reader who looks twenty times a second.
  asked(slot: number, nowMs: number): void {
    const { i32, layout } = this.#cells;
    const cells = this.#slots + slot * layout.slotStride;
    const before = i32[cells + SLOT.waiting]!;
    if (before > 0) i32[cells + SLOT.waiting] = before + 1;
    else {
      // The time first: who sees the count sees since when.
      beat(i32, cells + SLOT.waitingSince, nowMs);
      Atomics.store(i32, cells + SLOT.waiting, 1);
    }
  }

  answered(slot: number, due: boolean, nowMs: number): void {
    const { i32, layout } = this.#cells;
    const cells = this.#slots + slot * layout.slotStride;
    i32[cells + SLOT.answeredAt] = beatOf(nowMs);
    if (due) i32[cells + SLOT.waiting]! -= 1;
  }

  unanswered(slot: number): void {
    const { i32, layout } = this.#cells;
    i32[this.#slots + slot * layout.slotStride + SLOT.waiting]! -= 1;
  }

  carried(slot: number, bytesIn: number, bytesOut: number): void {
    const block = this.#backendsF64 + slot * BACKEND_FLOATS;
    this.#cells.f64[block + BACKEND.bytesIn]! += bytesIn;
    this.#cells.f64[block + BACKEND.bytesOut]! += bytesOut;
  }

  reported(slot: number, slotGeneration: number, reading: LoadReading): void {
    const { f64 } = this.#cells;
    const block = this.#backendsF64 + slot * BACKEND_FLOATS;
    f64[block + BACKEND.loadReports]! += 1;
    f64[block + BACKEND.loadValuesRefused]! += reading.refused;
    if (reading.mask !== 0) this.#reports.write(slot, slotGeneration, reading, this.#clock.monotonicMs());
  }

  tunnel(slot: number, change: 1 | -1): void {
    const { i32, layout } = this.#cells;
    Atomics.add(i32, this.#slots + slot * layout.slotStride + SLOT.tunnels, change);
  }

  acquire(slot: number, limit: number): boolean {
    return this.#permits.acquire(slot, limit);
  }

  adapt(
    slot: number,
    slotGeneration: number,
    limiter: Limiter,
    outcome: OutcomeCode,
    latencyMs: number,
  ): void {
    this.#limits.settled(slot, slotGeneration, limiter, outcome, latencyMs, this.#clock.monotonicMs());
  }

  shed(reason: ShedReason, priority: number): void {
    const cell = this.#shedF64 + SHED_REASONS.indexOf(reason) * PRIORITIES.length + priority;
    this.#cells.f64[cell]! += 1;
    this.add('shed', 1);
  }

  waited(priority: number, seconds: number): void {
    const { f64 } = this.#cells;
    const block = this.#waitsF64 + priority * WAIT_FLOATS;
    f64[block + WAIT.sumS]! += seconds;
    f64[block + WAIT.buckets + bucketOf(seconds)]! += 1;
  }

  release(slot: number): void {
    this.#permits.release(slot);
  }

  onReleased(wake: () => void): Disposable {
    return this.#signal.subscribe(wake);
  }

  request(route: number, status: number, seconds: number, bytesIn: number, bytesOut: number): void {
    const { f64, shape } = this.#cells;
    // Whatever comes, it is counted inside the row: the last route takes what is beyond the table.
    const index = route >= 0 && route < shape.routes ? route : shape.routes - 1;
    const statusClass = Math.min(STATUS_CLASSES, Math.max(1, Math.floor(status / 100)));
    const block = this.#routesF64 + (index * STATUS_CLASSES + statusClass - 1) * ROUTE_FLOATS;
    f64[block + ROUTE.sumS]! += seconds;
    f64[block + ROUTE.bytesIn]! += bytesIn;
    f64[block + ROUTE.bytesOut]! += bytesOut;
    f64[block + ROUTE.buckets + bucketOf(seconds)]! += 1;
  }

  add(counter: WorkerCounter, amount: number): void {
    const gauge = gauges.get(counter);
    if (gauge === undefined) this.#cells.f64[this.#countersF64 + counters.get(counter)!]! += amount;
    else Atomics.add(this.#cells.i32, this.#row + ROW.gauges + gauge, amount);
  }

  heartbeat(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#book.tick(nowMs);
    beat(this.#cells.i32, this.#row + ROW.beat, nowMs);
  }

  #countRun(slot: number, failed: boolean): void {
    const { i32, layout } = this.#cells;
    const cell = this.#slots + slot * layout.slotStride + SLOT.failureRun;
    const before = Atomics.load(i32, cell);
    if (!failed) {
      if (before !== 0) Atomics.store(i32, cell, 0);
      return;
    }
    const owner = Atomics.load(i32, layout.owners + slot);
    const run = Math.min(RUN_MOST, failureRun(before, owner) + 1);
    Atomics.store(i32, cell, (owner << RUN_BITS) | run);
  }
}
