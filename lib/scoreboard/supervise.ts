// The supervisor's part: it watches heartbeats, and returns what a dead worker held.

import type { Clock } from '../core/clock.ts';
import { beatAgeMs } from './heartbeat.ts';
import { HEADER, openCells, ROW, rowStart, type Scoreboard } from './layout.ts';
import { WORKER_GAUGES } from './ports.ts';
import { disarmRow, raiseAlways } from './release-signal.ts';

export class HeartbeatReader {
  readonly #i32: Int32Array;
  readonly #workers: readonly number[];
  readonly #clock: Clock;

  constructor(board: Scoreboard, clock: Clock) {
    const { i32, layout, shape } = openCells(board);
    this.#i32 = i32;
    this.#workers = Array.from({ length: shape.workers }, (_, row) => rowStart(layout, row) + ROW.beat);
    this.#clock = clock;
  }

  /** Since the worker of this row last beat; Infinity when it has not begun. */
  workerAgeMs(row: number): number {
    return beatAgeMs(this.#i32, this.#workers[row]!, this.#clock.monotonicMs());
  }

  controlAgeMs(): number {
    return beatAgeMs(this.#i32, HEADER.controlBeat, this.#clock.monotonicMs());
  }
}

/**
 * Zeroes what the worker of this row had open: attempts, tunnels, places, runs of failures, gauges, client connections;
 * its counters stay, so that totals never fall. Call it after the thread's exit and before the row has another worker: from
 * then to then the caller is the row's one writer. Safe while all other threads go on.
 */
export function releaseRow(board: Scoreboard, row: number): void {
  const { i32, layout } = openCells(board);
  const start = rowStart(layout, row);
  disarmRow(i32, row);
  clear(i32, start + ROW.beat, ROW.gauges - ROW.beat + WORKER_GAUGES.length);
  clear(i32, start + layout.slots, layout.countersF64 * 2 - layout.slots);
  raiseAlways(i32);
}

/** Writes only where something is, so that untouched pages stay untouched. */
function clear(i32: Int32Array, start: number, count: number): void {
  for (let cell = start; cell < start + count; cell++)
    if (Atomics.load(i32, cell) !== 0) Atomics.store(i32, cell, 0);
}
