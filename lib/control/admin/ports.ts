// What the admin API can ask of the control plane; the composition root implements it.

import type { BackendConfig } from '../../config/cluster.ts';
import type { Explained, ExplainQuestion } from '../../orders/explained.ts';
import type { ConnectionReport, TunnelMoved } from '../../orders/messages.ts';
import type { WorkerCounter } from '../../scoreboard/ports.ts';
import type { BackendRegistry, BackendStatus } from '../backend/ports.ts';
import type { SignalReport, SourceReport } from '../signals/board.ts';

/** A backend, with what it says of its own load and how that is known, and what its sessions do. */
export interface BackendReport extends BackendStatus {
  /** While it drains, of its HTTP sessions the share that still comes; null else. */
  readonly sessionsStaying: number | null;
  readonly signals: readonly SignalReport[];
  readonly sources: readonly SourceReport[];
}

import type { ForecastDesk } from '../forecast/ports.ts';
import type { SessionDesk, SessionView } from '../session/ports.ts';

export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly startedMs: number;
  readonly configPath: string;
  /** Of the snapshot in use. */
  readonly generation: number;
  readonly loadedMs: number;
  /** The last reload's problems when it was refused; empty when it was taken. */
  readonly reloadProblems: readonly string[];
  readonly ready: boolean;
  /** Why not ready; empty when it is. */
  readonly notReady: readonly string[];
  readonly stopping: boolean;
  readonly listeners: readonly { readonly address: string; readonly port: number; readonly tls: boolean }[];
  readonly workers: readonly {
    readonly row: number;
    readonly alive: boolean;
    readonly counters: Readonly<Record<WorkerCounter, number>>;
  }[];
  readonly backends: readonly BackendReport[];
}

export interface ReloadResult {
  readonly generation: number;
  /** Lines such as `+ cluster chat`, `~ route api`; empty when nothing changed. */
  readonly changes: readonly string[];
}

export interface ConnectionFilter {
  readonly cluster?: string;
  readonly backend?: string;
  readonly client?: string;
  readonly limit: number;
}

export interface ExplainFilter extends ExplainQuestion {
  /** Row; the first that lives when left out. */
  readonly worker?: number;
}

/** A session that can move, with what its worker says of its connection. */
export type LeaseReport = SessionView & Pick<ConnectionReport, 'client' | 'route' | 'ageMs'>;

export interface ControlActions {
  status(): StatusReport;
  /** Throws LeasewayError CONFIG_INVALID whose detail is the formatted problems. */
  reload(): Promise<ReloadResult>;
  /** Resolves with the new process's id once it serves; throws UPGRADE_FAILED. */
  upgrade(): Promise<{ readonly pid: number }>;
  shutdown(): void;
  connections(
    filter: ConnectionFilter,
  ): Promise<{ readonly total: number; readonly items: readonly ConnectionReport[] }>;
  endConnection(id: string): void;
  /** Throws NOT_FOUND for a cluster or worker that is not there, UNREACHABLE when the worker is silent. */
  explain(filter: ExplainFilter): Promise<Explained>;
  /** Resolves with how it ended; throws NOT_FOUND when no worker can have it. With null it goes to any other backend. */
  moveConnection(id: string, to: string | null): Promise<TunnelMoved>;
  /** OpenMetrics/Prometheus text. */
  metrics(): string;
  readonly backends: Pick<BackendRegistry, 'drain' | 'undrain' | 'maintenance' | 'setWeight' | 'remove'> & {
    add(cluster: string, backend: BackendConfig): void;
  };
  readonly forecasts: Pick<ForecastDesk, 'report' | 'training' | 'events' | 'announce' | 'cancel'>;
  readonly sessions: Omit<SessionDesk, 'counts'>;
  leases(
    filter: ConnectionFilter,
  ): Promise<{ readonly total: number; readonly items: readonly LeaseReport[] }>;
  /** Unix ms. */
  wallMs(): number;
  /** Rises whenever admin state changes; writes carry it in If-Match. */
  readonly revision: number;
}
