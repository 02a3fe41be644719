// What backends say of their own load, from whatever source: the view that the load score is computed from.
//
// A faulty source costs its reading and nothing else: every value here has been checked (finite, in range), and every
// value says how old it is, so that one who reads it can trust it less as it ages.

import type { SignalKind } from '../../core/signal-kinds.ts';

/** How a reading came: with an answer, on an ORCA stream, from an agent on its port, or read from a metrics page. */
export type SignalSource = 'orca' | 'orca_stream' | 'agent_check' | 'scrape';

export interface Reading {
  readonly value: number;
  /** Monotonic (`Clock.monotonicMs`), when it reached this process. */
  readonly atMs: number;
  readonly source: SignalSource;
  /** Between two questions; without, nobody asks: it comes with answers. */
  readonly everyMs?: number;
}

/** A report older than this counts no more; until then its age widens the forecast. */
export const SILENT_MS = 10_000;
/** Who is asked seldom is not silent in between, nor for one answer that was lost. */
const QUESTIONS = 2.5;

export const isCurrent = ({ atMs, everyMs = 0 }: Reading, nowMs: number): boolean =>
  nowMs - atMs <= Math.max(SILENT_MS, QUESTIONS * everyMs);

/** The latest of each kind; null where no source has ever said it. Where several do, the one that was heard last. */
export interface BackendSignals extends Readonly<Record<SignalKind, Reading | null>> {
  /** Share of its processors in use; may exceed 1 where a backend has less than it uses. */
  readonly cpu: Reading | null;
  /** Share of its memory in use, 0..1. */
  readonly memory: Reading | null;
  /** Share of the network's bandwidth in use, the larger of both directions. Where the bandwidth is known. */
  readonly network: Reading | null;
  /** Share of time in which the busiest disk was at work, 0..1. */
  readonly disk: Reading | null;
  /** The application's own word for its load; may exceed 1. */
  readonly application: Reading | null;
  /** Requests at the backend. */
  readonly inFlight: Reading | null;
  /** Requests that it can bear at once, by its own word. */
  readonly capacity: Reading | null;
  readonly requestsPerSecond: Reading | null;
  readonly errorsPerSecond: Reading | null;
}

/** Asked by cluster and backend; the answer changes as readings come, so do not keep it. Never throws. */
export interface SignalView {
  of(cluster: string, backend: string): BackendSignals;
}

/** A backend that has said nothing. */
export const NO_SIGNALS: BackendSignals = Object.freeze({
  cpu: null,
  memory: null,
  network: null,
  disk: null,
  application: null,
  inFlight: null,
  capacity: null,
  requestsPerSecond: null,
  errorsPerSecond: null,
});
