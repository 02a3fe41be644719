// What each side may do on the scoreboard. The layout behind it is layout.ts; the rules are in this folder's README.

import type { LoadReading } from '../core/orca/reading.ts';
import type { ShedReason } from '../core/priority.ts';
import type { SignalKind } from '../core/signal-kinds.ts';
import type { Limiter } from '../plan/overload/limiter.ts';

/** What the control plane decided about one backend. Small integers, so that a reader takes the whole board in one copy. */
export interface Decision {
  /** See BackendState. */
  state: number;
  /** Effective weight in 1/1000 (configured weight × slow start × error penalty); 0 takes no new work. */
  milliWeight: number;
  /** Requests at once over all workers; 0 for no limit. */
  concurrency: number;
  /** Of the backend in this slot when the decision was made; a mismatch means the decision is not about this backend. */
  slotGeneration: number;
  /** Predicted load score in 1/1000 of its capacity; -1 when there is no forecast. */
  milliPredicted: number;
  /** 0 open; 1 last resort, 2 shut: takes new work only when none of its cluster with a lower figure does. */
  gate: number;
  /** 1 outside the pool: takes new work only when nobody inside can. The gate counts for more. */
  outside: number;
  /** Of 65,536: dynamic leases whose hash of (id, turn) is below move at their next request. */
  shedFraction: number;
  /** Rises when another part of the leases is meant, modulo 65,536. */
  shedTurn: number;
  /** Term of the leases granted on it, ms; 0 for that of its cluster. */
  leaseMs: number;
}

/** For a backend whose load nobody forecasts. */
export const NO_FORECAST = Object.freeze({ milliPredicted: -1, gate: 0, outside: 0 });
/** Whose leases stay and are as long as configured. */
export const PLAIN_LEASES = Object.freeze({ shedFraction: 0, shedTurn: 0, leaseMs: 0 });

/** Precedence when the control plane derives it: admin state > health > outlier and panic. */
export const BackendState = {
  /** No backend in this slot. */
  none: 0,
  /** Takes new work. */
  up: 1,
  /** Keeps its leases and connections, takes no new session. */
  draining: 2,
  /** Failed its checks or was ejected: takes nothing. */
  down: 3,
  /** Taken out by an operator: takes nothing. */
  maintenance: 4,
} as const;

/** How an attempt ended, from the backend's side. */
export const Outcome = {
  success: 0,
  /** Status 500–599 that is the backend's own word (but see gatewayError); a fast failure must not look fast. */
  serverError: 1,
  /** No connection, no answer, cut, time-out. */
  failure: 2,
  /** The client left or another attempt won: says nothing about the backend. */
  cancelled: 3,
  /** Status 502, 503 or 504 from the backend: a serverError that also counts towards failures in a row. */
  gatewayError: 4,
} as const;
export type OutcomeCode = (typeof Outcome)[keyof typeof Outcome];

/** The data plane's hands: one per worker, the only writer of its row. All calls are synchronous and allocate nothing. */
export interface WorkerLedger {
  /** An attempt begins: in flight + 1. */
  begin(slot: number): void;
  /** The attempt ended. `latencyMs` is until the head of the answer; ignored unless the backend answered. */
  settle(slot: number, outcome: OutcomeCode, latencyMs: number): void;
  /** The backend has all of a request, and its answer is due. */
  asked(slot: number, nowMs: number): void;
  /** An answer begins; `due` when `asked` was told of it, which is not so where it came before the end of the request. */
  answered(slot: number, due: boolean, nowMs: number): void;
  /** An attempt ended without the answer that was due. */
  unanswered(slot: number): void;
  /** Body bytes of an attempt that ended: sent to the backend, and received from it. */
  carried(slot: number, bytesIn: number, bytesOut: number): void;
  /** What a backend said of its load with an answer, and how much of it could not be believed. */
  reported(slot: number, slotGeneration: number, reading: LoadReading): void;
  /** A tunnel (WebSocket) opened or closed; counted apart from requests. */
  tunnel(slot: number, change: 1 | -1): void;
  /** Takes one of `limit` places at the backend, shared by all workers; limit 0 always succeeds. */
  acquire(slot: number, limit: number): boolean;
  /**
   * An attempt ended at a backend whose limit adapts; arguments as of `settle`. May move the limit, so call it before the
   * place is released, whose waiters then find room.
   */
  adapt(
    slot: number,
    slotGeneration: number,
    limiter: Limiter,
    outcome: OutcomeCode,
    latencyMs: number,
  ): void;
  /** A request was refused for want of room. `priority` is an index in PRIORITIES. */
  shed(reason: ShedReason, priority: number): void;
  /** A request waited in line and was placed. */
  waited(priority: number, seconds: number): void;
  /** Gives the place back and wakes the workers that wait for one. */
  release(slot: number): void;
  /**
   * Runs `wake` soon after a place was released anywhere, if `acquire` refused since the last run: who was never refused
   * is never woken. One subscription. `wake` must try again until it is refused or nobody waits; it may run for nothing.
   */
  onReleased(wake: () => void): Disposable;
  /**
   * One finished request of a route, for the metrics: index into the snapshot's routes, status, seconds of the whole
   * exchange. Counters are per index and never reset, so a route keeps its index as long as it exists.
   */
  request(route: number, status: number, seconds: number, bytesIn: number, bytesOut: number): void;
  /** Counters and gauges named in layout.ts. */
  add(counter: WorkerCounter, amount: number): void;
  /** Tells the supervisor that the event loop turns; called at least twice a second. */
  heartbeat(): void;
}

/**
 * Bounds on clients, shared by all workers. `client` and `key` are uint32 hashes, keyed by the caller (so that nobody can
 * aim at a neighbour's bucket); `listener` is an index under 64.
 */
export interface ClientLedger {
  /** One token of the bucket `key`; 0 when taken, otherwise the milliseconds until there is one. Fixed-size table, oldest evicted. */
  takeToken(key: number, ratePerSecond: number, burst: number): number;
  /**
   * Counts a connection in, unless the listener or the client (at this listener) is at its bound. Never admits too many;
   * of two that come for the last place at the same instant both may be refused. A dead worker's counts go with its row.
   */
  enter(listener: number, client: number, maxTotal: number, maxPerClient: number): boolean;
  leave(listener: number, client: number): void;
  /** Of clients, open right now at all listeners of all workers: the sum of their gauges. */
  connections(): number;
}

/** Per worker; those before the line are gauges (zeroed when the worker dies), the others only rise. */
export const WORKER_GAUGES = [
  'connections',
  'requestsActive',
  'tunnels',
  'queued',
  'upstreamConnections',
] as const;
export const WORKER_COUNTERS = [
  'connectionsAccepted',
  'connectionsRefused',
  'requestsMalformed',
  'retries',
  'retriesRefusedByBudget',
  'shed',
  'leasesGranted',
  'leasesRenewed',
  'leasesMoved',
  'leasesShed',
  'leasesExtended',
  'leaseTokensRejected',
  'spansDropped',
  'accessLogDropped',
  'clientAborts',
  'h2GoawaysSent',
] as const;
export type WorkerCounter = (typeof WORKER_GAUGES)[number] | (typeof WORKER_COUNTERS)[number];

/** The data plane's eyes. */
export interface DecisionReader {
  /** Takes a consistent copy if a newer one was published; true when it changed. Call once per event-loop turn or request. */
  refresh(): boolean;
  /** Generation of the copy held; 0 before the first. */
  readonly generation: number;
  /** Time since the control plane's heartbeat, Infinity before the first; over 2 s the data plane ignores forecast and gate. */
  ageMs(): number;
  state(slot: number): number;
  milliWeight(slot: number): number;
  concurrency(slot: number): number;
  /** The adaptive limit in force at the backend in this slot; 0 while none was found. */
  adapted(slot: number): number;
  slotGeneration(slot: number): number;
  /** Predicted load score, 0 to 1 and beyond; NaN when there is no forecast. */
  predicted(slot: number): number;
  /** 0 open, 1 last resort, 2 shut. */
  gate(slot: number): number;
  /** Outside the pool: new work goes elsewhere while it can; it is as good as any other. */
  outside(slot: number): boolean;
  /** Not open: new work goes elsewhere while it can. */
  gated(slot: number): boolean;
  shedFraction(slot: number): number;
  shedTurn(slot: number): number;
  leaseMs(slot: number): number;
  /** In flight at the backend over all workers. */
  inFlight(slot: number): number;
  /** Expected time to a good answer as this worker sees it (peak-EWMA with failures priced in), in ms; 0 when never measured. */
  latencyMs(slot: number): number;
}

/** The control plane's view. One at a time: the supervisor starts a successor after the exit of the one before. */
export interface ControlBoard {
  /**
   * Writes a whole set of decisions into the inactive half and flips; slots not named hold no backend. Nothing happens
   * when the board says the same already, so that readers rebuild nothing. A slot whose slotGeneration changed begins its
   * totals and histogram at zero.
   */
  publish(decisions: ReadonlyMap<number, Decision>): void;
  /** Of the decisions in force; 0 before the first. Goes on where a predecessor that died left off. */
  readonly generation: number;
  heartbeat(): void;
  inFlight(slot: number): number;
  tunnels(slot: number): number;
  /** Requests over all workers that the backend has whole and has not begun to answer. */
  waiting(slot: number): number;
  /** For how long it has answered nothing while requests waited; 0 while none waits. */
  silentMs(slot: number): number;
  /** Places taken at the backend over all workers. */
  permits(slot: number): number;
  /** The adaptive limit in force at it; 0 when none was found or the limit is fixed. */
  adapted(slot: number, slotGeneration: number): number;
  /** Requests shed over all workers; `priority` is an index in PRIORITIES. */
  shed(reason: ShedReason, priority: number): number;
  /** Waits in line of the requests that were placed. */
  waits(priority: number): HistogramView;
  totals(slot: number): BackendTotals;
  /** Gives the latest of each kind of load that the backend reported with its answers, over all workers. */
  reports(
    slot: number,
    slotGeneration: number,
    take: (kind: SignalKind, value: number, ageMs: number) => void,
  ): void;
  /** True when no row shows anything in flight, so that the slot may be reused. */
  idle(slot: number): boolean;
  worker(row: number): Readonly<Record<WorkerCounter, number>>;
  /** Histogram of request durations of one route and status class (1–5), summed over workers. */
  requestHistogram(route: number, statusClass: number): HistogramView;
  /** Histogram of attempt latencies of one backend. */
  backendHistogram(slot: number): HistogramView;
}

/** Since the backend got its slot, summed over workers, dead ones included: totals never fall while it has the slot. */
export interface BackendTotals {
  readonly attempts: number;
  readonly successes: number;
  /** gatewayErrors included. */
  readonly serverErrors: number;
  readonly failures: number;
  readonly cancelled: number;
  /** failures and gatewayErrors in a row, the largest over the living workers; any other answer ends a worker's run. */
  readonly consecutiveFailures: number;
  readonly latencySumMs: number;
  /** Body bytes sent to it. */
  readonly bytesIn: number;
  /** Body bytes received from it. */
  readonly bytesOut: number;
  /** Answers that said something of the backend's load, and values in them that were refused. */
  readonly loadReports: number;
  readonly loadValuesRefused: number;
}

/** Bounds in seconds: the OpenTelemetry advice for http.server.request.duration. */
export const DURATION_BOUNDS_S = [
  0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
] as const;

/** `counts` has one more entry than the bounds. */
export interface HistogramView {
  readonly counts: readonly number[];
  readonly sumS: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
