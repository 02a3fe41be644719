// What is known of the load to come, as the rest of the control plane and operators see it.

import type { TrainingConfig } from '../../config/forecast.ts';
import type { ForecastReason } from '../../plan/forecast/load-forecaster.ts';
import type { OUTLOOK_MEMBERS, OutlookQuality } from '../../plan/forecast/outlook-reach.ts';
import type { QualityReport } from '../../plan/forecast/quality.ts';
import type { Doubt } from '../../plan/load/doubt.ts';
import type { Share } from '../../plan/load/score.ts';
import type { Second } from '../../plan/load/seconds.ts';
import type { TrainingReport } from './trainings.ts';

export interface HorizonForecast {
  readonly horizonMs: number;
  readonly p50: number;
  readonly p90: number;
  /** Chance, 0 to 1, that the load is above the gate's threshold then. */
  readonly overload: number;
}

/** `diverged`: the forecast was no number, so the present load stands for it. `none`: nothing is known yet. */
export type ForecastState = 'none' | 'fine' | 'diverged';
export type GateState = 'open' | 'last_resort' | 'shut';

export interface BackendForecastReport {
  readonly cluster: string;
  readonly id: string;
  /** Null before the proxy has seen a second of it. */
  readonly load: number | null;
  /** What the load is the share of. */
  readonly resource: string | null;
  readonly ageMs: number | null;
  readonly shares: readonly Share[];
  readonly doubt: Doubt;
  readonly state: ForecastState;
  readonly horizons: readonly HorizonForecast[];
  /** Why it is what it is, at the gate's horizon. */
  readonly reason: ForecastReason;
  /** Highest load that came at this phase of both of the last two periods; null while no period is known. */
  readonly again: number | null;
  /** What the gate goes by: the most that is foreseen up to its horizon, what recurs in three seconds too, never below the present. */
  readonly predicted: number | null;
  readonly gate: GateState;
  /** In words; empty while it is open. */
  readonly gateReason: string;
  /** Of the pool: it takes new work only when nobody in the pool can. */
  readonly outside: boolean;
  /** Names of events that hold now or begin within the longest horizon. */
  readonly events: readonly string[];
  /** The last minute, second by second. */
  readonly seconds: readonly Second[];
}

export interface HorizonQuality extends QualityReport {
  readonly horizonMs: number;
}

export interface EventReport {
  readonly id: string;
  readonly cluster: string;
  readonly name: string;
  /** Null: all of the cluster's. */
  readonly backends: readonly string[] | null;
  readonly factor: number;
  readonly startMs: number;
  readonly endMs: number;
  /** From the configuration, or told to the admin API. */
  readonly source: 'config' | 'announced';
}

/** All backends together, minutes ahead. */
export interface OutlookHorizon {
  readonly horizonMs: number;
  /** Share of what those bear that work now. */
  readonly p50: number;
  readonly p90: number;
  /** The same as P90, in backends: with fewer the rest would be full. */
  readonly demandP90: number;
  readonly models: readonly { readonly name: (typeof OUTLOOK_MEMBERS)[number]; readonly weight: number }[];
  readonly quality: OutlookQuality;
}

export interface OutlookReport {
  /** Work for so many backends, without that of events. */
  readonly demand: number;
  readonly backends: number;
  /** Of the past, up to three weeks. */
  readonly knownMs: number;
  /** Unix ms of the last that the network learned from; null without one. */
  readonly trainedMs: number | null;
  readonly horizons: readonly OutlookHorizon[];
}

export interface ClusterForecastReport {
  readonly cluster: string;
  readonly meanPredicted: number | null;
  readonly quality: readonly HorizonQuality[];
  readonly events: readonly EventReport[];
  readonly backends: readonly BackendForecastReport[];
  /** Null where it is off, or nothing was seen yet. */
  readonly outlook: OutlookReport | null;
}

export interface Announcement {
  readonly cluster: string;
  readonly name: string;
  readonly backends: readonly string[] | null;
  readonly factor: number;
  /** Unix ms. */
  readonly startMs: number;
  readonly endMs: number;
}

/** What operators and metrics ask of the forecasts. */
export interface ForecastDesk {
  /** Of one cluster, or of all. Throws NOT_FOUND. */
  report(cluster?: string): readonly ClusterForecastReport[];
  events(): readonly EventReport[];
  /** Throws NOT_FOUND for an unknown cluster, CONFLICT when there are too many, INTERNAL when it cannot be written. */
  announce(event: Announcement): EventReport;
  /** Throws NOT_FOUND. */
  cancel(id: string): void;
  /** How networks may be trained, and how it goes. */
  configure(training: TrainingConfig): void;
  training(): TrainingReport;
  /** A successor decides and writes from now on. */
  standDown(): void;
}
