// The byte layout of the scoreboard: one SharedArrayBuffer, all places computed from its shape. README.md draws it.

import { PRIORITIES, SHED_REASONS } from '../core/priority.ts';
import type { LimitState } from '../plan/overload/limiter.ts';
import { BACKEND_FLOATS, ROUTE_FLOATS, WAIT_FLOATS } from './histogram.ts';
import { WORKER_COUNTERS, WORKER_GAUGES } from './ports.ts';

/** What the places depend on. Untouched pages cost no memory, so every figure is a bound and not an expectation. */
export interface Shape {
  /** Rows: worker threads at once, 1–64. */
  readonly workers: number;
  /** Backends at once, draining ones included. */
  readonly slots: number;
  readonly routes: number;
  readonly listeners: number;
  /** Token buckets, a power of two. */
  readonly tokenBuckets: number;
  /** Cells of each row's table of clients, a power of two, at least twice the connections of one worker. */
  readonly clientCells: number;
}

/** Plain and structured-clonable: this is what travels to the threads. */
export interface Scoreboard {
  readonly buffer: SharedArrayBuffer;
  readonly shape: Shape;
}

export interface ScoreboardOptions extends Partial<Shape> {
  readonly workers: number;
  readonly slots: number;
}

/** Int32 cells of the header. Two groups on lines of their own, since the second is written at each release under load. */
export const HEADER = {
  /** Generation of the decisions in force; its lowest bit names the half. */
  generation: 0,
  /** The control plane's heartbeat, see heartbeat.ts. */
  controlBeat: 1,
  /** Rises when a place was released and somebody waits. */
  releases: 32,
  /** Bit per row: a waiter is there. Two words. */
  waiting: 33,
} as const;

/** Int32 cells at the start of each half of the decisions. */
export const HALF = { sequence: 0, count: 1, decisions: 32 } as const;
export const DECISION_CELLS = 10;

/** Int32 cells of one slot in one row; together, so that an attempt touches one cache line. */
export const SLOT = {
  inFlight: 0,
  tunnels: 1,
  permits: 2,
  failureRun: 3,
  /** Requests sent whole whose answer has not begun; when there came to be some; when one was answered last. */
  waiting: 4,
  waitingSince: 5,
  answeredAt: 6,
} as const;
const SLOT_CELLS = 8;

/** Int32 cells of one slot's load reports in one row, see load-reports.ts; a line of their own, as control reads them. */
export const REPORT = { sequence: 0, owner: 1, values: 2, times: 16 } as const;
export const REPORT_CELLS = 32;
/**
 * Cells of one backend's adaptive limit: two of Int32, then Float64 by index of the block. A line of its own, as several
 * write it; see shared-limits.ts.
 */
export const LIMIT = {
  turn: 0,
  limit: 1,
  sinceF64: 1,
  goodF64: 2,
  latencySumF64: 3,
  pushedBackF64: 4,
} as const;
export const STATE_FLOATS = {
  limit: 5,
  baseMs: 6,
  sampleMs: 7,
  windowMs: 8,
  limitedMs: 9,
  phase: 10,
  heldLimit: 11,
  heldRate: 12,
  slowMs: 13,
} as const satisfies Record<keyof LimitState, number>;
const LIMIT_CELLS = 32;

/** Float64 cells of one slot in one row: what an adaptive limit is judged by. */
export const SEEN = { good: 0, latencySumMs: 1, pushedBack: 2 } as const;
export const SEEN_FLOATS = 4;

/** Float64 cells of each row: requests shed, by reason and priority, and waits in line, by priority. */
const SHED_FLOATS = SHED_REASONS.length * PRIORITIES.length;

/** Int32 cells at the start of each row: the heartbeat, then the gauges. */
export const ROW = { beat: 0, gauges: 1 } as const;

/**
 * Two cache lines, since processors fetch them in pairs: what different threads write never shares one, or each write
 * would slow the neighbours down (false sharing).
 */
const LINE_CELLS = 32;
const HEADER_CELLS = 64;
const MAX_WORKERS = 64;
/** Where an aligned 8-byte access is one access; see the README on torn reads. */
const ARCHITECTURES = new Set(['x64', 'arm64', 'ppc64', 's390x', 'riscv64', 'loong64']);

/** Places as indices of Int32 cells, except where a name ends in F64. */
export interface Layout {
  readonly halves: readonly [number, number];
  /** slotGeneration of the backend whose totals a slot shows; written by the control plane. */
  readonly owners: number;
  /** What the slot's counters showed when its backend came. */
  readonly baselinesF64: number;
  /** Pairs of key and time. */
  readonly tokens: number;
  /** Adaptive limits, see shared-limits.ts. */
  readonly limits: number;
  readonly limitStride: number;
  readonly rows: number;
  readonly rowStride: number;
  /** Relative to the row. */
  readonly slots: number;
  readonly slotStride: number;
  readonly listeners: number;
  readonly reports: number;
  readonly clientKeys: number;
  readonly clientCounts: number;
  readonly countersF64: number;
  readonly backendsF64: number;
  readonly routesF64: number;
  /** What adaptive limits are judged by. */
  readonly seenF64: number;
  readonly shedF64: number;
  readonly waitsF64: number;
  readonly cells: number;
}

/** The views that everything else reads and writes through. */
export interface Cells {
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly shape: Shape;
  readonly layout: Layout;
}

export function createScoreboard(options: ScoreboardOptions): Scoreboard {
  if (!ARCHITECTURES.has(process.arch))
    throw new Error(`the scoreboard needs 64-bit memory accesses; ${process.arch} is not known to have them`);
  const shape: Shape = {
    workers: inRange('workers', options.workers, 1, MAX_WORKERS),
    slots: inRange('slots', options.slots, 1, 65_536),
    routes: inRange('routes', options.routes ?? 1024, 1, 65_536),
    listeners: inRange('listeners', options.listeners ?? 64, 1, 1024),
    tokenBuckets: powerOfTwo('tokenBuckets', options.tokenBuckets ?? 65_536),
    clientCells: powerOfTwo('clientCells', options.clientCells ?? 65_536),
  };
  return { buffer: new SharedArrayBuffer(layoutOf(shape).cells * 4), shape };
}

export function openCells(board: Scoreboard): Cells {
  return {
    i32: new Int32Array(board.buffer),
    f64: new Float64Array(board.buffer),
    shape: board.shape,
    layout: layoutOf(board.shape),
  };
}

/** First cell of a worker's row. */
export const rowStart = (layout: Layout, row: number): number => layout.rows + row * layout.rowStride;

export function layoutOf(shape: Shape): Layout {
  const shared = new Allotment(HEADER_CELLS);
  const halfCells = HALF.decisions + shape.slots * DECISION_CELLS;
  const halves = [shared.int32(halfCells), shared.int32(halfCells)] as const;
  const owners = shared.int32(shape.slots);
  const baselinesF64 = shared.float64(shape.slots * BACKEND_FLOATS) / 2;
  const tokens = shared.int32(shape.tokenBuckets * 2);
  const limits = shared.int32(shape.slots * LIMIT_CELLS);
  const rows = shared.int32(0);
  const row = new Allotment(0);
  row.int32(ROW.gauges + WORKER_GAUGES.length);
  const relative = {
    slots: row.int32(shape.slots * SLOT_CELLS),
    slotStride: SLOT_CELLS,
    listeners: row.int32(shape.listeners),
    reports: row.int32(shape.slots * REPORT_CELLS),
    clientKeys: row.int32(shape.clientCells),
    clientCounts: row.int32(shape.clientCells),
    countersF64: row.float64(WORKER_COUNTERS.length) / 2,
    backendsF64: row.float64(shape.slots * BACKEND_FLOATS) / 2,
    routesF64: row.float64(shape.routes * STATUS_CLASSES * ROUTE_FLOATS) / 2,
    seenF64: row.float64(shape.slots * SEEN_FLOATS) / 2,
    shedF64: row.float64(SHED_FLOATS) / 2,
    waitsF64: row.float64(PRIORITIES.length * WAIT_FLOATS) / 2,
  };
  const rowStride = row.int32(0);
  return {
    halves,
    owners,
    baselinesF64,
    tokens,
    limits,
    limitStride: LIMIT_CELLS,
    rows,
    rowStride,
    ...relative,
    cells: rows + shape.workers * rowStride,
  };
}

/** 1xx to 5xx. */
export const STATUS_CLASSES = 5;

/** Hands out regions one after the other, each on lines of its own. */
class Allotment {
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }

  /** First Int32 cell of a region of `count`. */
  int32(count: number): number {
    const start = Math.ceil(this.#next / LINE_CELLS) * LINE_CELLS;
    this.#next = start + count;
    return start;
  }

  float64(count: number): number {
    return this.int32(count * 2);
  }
}

function inRange(name: string, value: number, least: number, most: number): number {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new RangeError(`scoreboard: ${name} must be an integer from ${least} to ${most}, not ${value}`);
  return value;
}

function powerOfTwo(name: string, value: number): number {
  if (!Number.isInteger(Math.log2(value)) || value < 64)
    throw new RangeError(`scoreboard: ${name} must be a power of two from 64, not ${value}`);
  return value;
}
