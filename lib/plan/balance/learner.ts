// The ports of policies that learn: what a data plane tells them of its requests, reports and probes. Beside the Picker.
//
// A picker is replaced whole when the candidates change; what was learnt must outlive it. So a stateful policy is a
// Strategy: made once per cluster, it hands out pickers that read what its learner keeps by slot.

import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Candidate, LoadView, Picker } from './picker.ts';

/** What a backend says of itself, with an answer or a probe. NaN where it says nothing. One instance may be reused. */
export interface LoadReport {
  /** Requests at the backend as it wrote the report. */
  inFlight: number;
  /** Its mean over the backend's last window. */
  meanInFlight: number;
  /** Answers per second over that window. */
  requestsPerSecond: number;
  /** Of its allocation, over that window; may exceed 1. */
  utilization: number;
  /** The backend's own estimate of how long a request takes at its present load. */
  latencyMs: number;
}

/** How a request ended, from the proxy's side. */
export type Ending = 'success' | 'failure' | 'cancelled';

/** Hears of every request. Synchronous, allocates nothing. A report with an answer comes before the `finished` of it. */
export interface Learner {
  started(slot: number): void;
  /** `latencyMs` since `started`. */
  finished(slot: number, ending: Ending, latencyMs: number): void;
  reported(slot: number, report: LoadReport): void;
  /** The slot gets another owner. Nothing is in flight there. */
  forget(slot: number): void;
}

/** Asks backends how they are, beside the requests. */
export interface Prober {
  /** Called with each request until it answers -1: the slot to probe now, without waiting for the answer. */
  nextProbe(): number;
  /** An answer to a probe; some never come. */
  probed(slot: number, report: LoadReport): void;
}

export interface Strategy<P extends Picker = Picker> {
  /** Reads what was learnt; built anew when the candidates change. */
  picker(candidates: readonly Candidate[]): P;
  /** Null when it learns nothing. */
  readonly learner: Learner | null;
  /** Null when it sends no probes. */
  readonly prober: Prober | null;
}

/** What a strategy stands in. */
export interface Surroundings {
  /** Slots are under this. */
  readonly slots: number;
  readonly view: LoadView;
  /** Since the control plane, whose judgement the candidates are, last gave a sign of life. */
  controlAgeMs(): number;
  readonly clock: Clock;
  readonly random: Random;
  /** Proxies that balance over the same backends, this one included. */
  readonly proxies: number;
}

export type StrategyFactory<P extends Picker = Picker> = (surroundings: Surroundings) => Strategy<P>;
