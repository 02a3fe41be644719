// What backends report of their load with their answers: the latest of each kind, per worker and backend.
//
//   sequence · slotGeneration ·  9 values (Float32 as bits) · 9 times (monotonic ms modulo 2^32, 0 for never)
//
// One writer, the worker; one reader, the control plane, which wants value and time that belong together. The worker makes
// the sequence odd, writes, and makes it even again; the reader copies between two equal, even looks. The argument is that
// of decisions.ts: every access is an Atomics operation, so what was copied between the looks was not being written. Values
// are Int32 cells for that reason, as Float32: seven digits are more than a load has.
//
// A worker that dies in the middle leaves an odd sequence, and its row is zeroed. A look that falls into the zeroing may
// join a value with the time of the report before it: both are this backend's and were believed, so no harm is done.

import type { LoadReading } from '../core/orca/reading.ts';
import { SIGNAL_KINDS, type SignalKind } from '../core/signal-kinds.ts';
import { beatAgeMs } from './heartbeat.ts';
import { type Cells, REPORT, REPORT_CELLS, rowStart } from './layout.ts';

const KINDS = SIGNAL_KINDS.length;
/** Writing takes a fraction of a microsecond; who meets it so often reads again a quarter of a second later. */
const TRIES = 8;

/** The worker's hand. */
export class ReportWriter {
  readonly #i32: Int32Array;
  readonly #first: number;
  readonly #float = new Float32Array(1);
  readonly #bits = new Int32Array(this.#float.buffer);

  constructor({ i32, layout }: Cells, row: number) {
    this.#i32 = i32;
    this.#first = rowStart(layout, row) + layout.reports;
  }

  write(slot: number, slotGeneration: number, { mask, values }: LoadReading, nowMs: number): void {
    const i32 = this.#i32;
    const block = this.#first + slot * REPORT_CELLS;
    const sequence = Atomics.load(i32, block + REPORT.sequence) | 1;
    Atomics.store(i32, block + REPORT.sequence, sequence);
    if (Atomics.load(i32, block + REPORT.owner) !== slotGeneration) {
      // What the slot's last backend said is not this one's.
      for (let kind = 0; kind < KINDS; kind++) Atomics.store(i32, block + REPORT.times + kind, 0);
      Atomics.store(i32, block + REPORT.owner, slotGeneration);
    }
    const time = Math.floor(nowMs) | 0 || 1;
    for (let kind = 0; kind < KINDS; kind++) {
      if ((mask & (1 << kind)) === 0) continue;
      this.#float[0] = values[kind]!;
      Atomics.store(i32, block + REPORT.values + kind, this.#bits[0]!);
      Atomics.store(i32, block + REPORT.times + kind, time);
    }
    Atomics.store(i32, block + REPORT.sequence, (sequence + 1) | 0 || 2);
  }
}

/** The control plane's eye. */
export class ReportReader {
  readonly #cells: Cells;
  readonly #bits = new Int32Array(KINDS);
  readonly #floats = new Float32Array(this.#bits.buffer);
  readonly #times = new Int32Array(KINDS);

  constructor(cells: Cells) {
    this.#cells = cells;
  }

  /** Gives each kind that some worker was told, as the last of them heard it. */
  read(
    slot: number,
    slotGeneration: number,
    nowMs: number,
    take: (kind: SignalKind, value: number, ageMs: number) => void,
  ): void {
    const { shape, layout } = this.#cells;
    const values = new Float64Array(KINDS);
    const ages = new Float64Array(KINDS).fill(Number.POSITIVE_INFINITY);
    for (let row = 0; row < shape.workers; row++) {
      if (!this.#copy(rowStart(layout, row) + layout.reports + slot * REPORT_CELLS, slotGeneration)) continue;
      for (let kind = 0; kind < KINDS; kind++) {
        const ageMs = beatAgeMs(this.#times, kind, nowMs);
        if (ageMs >= ages[kind]!) continue;
        ages[kind] = ageMs;
        values[kind] = this.#floats[kind]!;
      }
    }
    for (let kind = 0; kind < KINDS; kind++)
      if (ages[kind]! < Number.POSITIVE_INFINITY) take(SIGNAL_KINDS[kind]!, values[kind]!, ages[kind]!);
  }

  /** One row's block, if it is whole and about this backend. */
  #copy(block: number, slotGeneration: number): boolean {
    const { i32 } = this.#cells;
    for (let tries = 0; tries < TRIES; tries++) {
      const sequence = Atomics.load(i32, block + REPORT.sequence);
      if (sequence === 0) return false;
      if ((sequence & 1) === 1) continue;
      const owner = Atomics.load(i32, block + REPORT.owner);
      for (let kind = 0; kind < KINDS; kind++) {
        this.#bits[kind] = Atomics.load(i32, block + REPORT.values + kind);
        this.#times[kind] = Atomics.load(i32, block + REPORT.times + kind);
      }
      if (Atomics.load(i32, block + REPORT.sequence) === sequence) return owner === slotGeneration;
    }
    return false;
  }
}
