// Backends as the control plane knows them: found by discovery, judged by checks, steered by operators.

import type { BackendConfig, ClusterConfig } from '../../config/cluster.ts';
import type { TunnelEnding } from '../../orders/messages.ts';
import type { ClusterEntry } from '../../orders/snapshot.ts';
import type { Doubt } from '../../plan/load/doubt.ts';
import type { Decision } from '../../scoreboard/ports.ts';
import type { ForecastDesk, GateState } from '../forecast/ports.ts';
import type { Seat } from '../session/ports.ts';

export type BackendChange =
  | { readonly kind: 'insert' | 'update'; readonly backend: BackendConfig }
  | { readonly kind: 'remove'; readonly id: string };

/** A source of backends. Iteration ends when `signal` aborts; a source in trouble keeps what it said last and logs. */
export interface Discovery {
  watch(signal: AbortSignal): AsyncIterable<BackendChange>;
}

export type AdminState = 'ready' | 'drain' | 'maintenance';

/** What operators decided; survives restart and reload (a file in the state directory, written atomically). */
export interface AdminRecord {
  readonly state: AdminState;
  /** In place of the configured weight. */
  readonly weight?: number;
  /** When a drain ends, Unix ms. */
  readonly drainUntilMs?: number;
}

export interface BackendStatus {
  readonly cluster: string;
  readonly id: string;
  readonly url: string;
  readonly slot: number;
  readonly admin: AdminState;
  readonly health: 'unknown' | 'up' | 'down';
  /** Why it is down, or what the last check said. */
  readonly healthDetail: string;
  readonly ejectedUntilMs: number | null;
  /** What all of it comes to. */
  readonly state: 'up' | 'draining' | 'down' | 'maintenance';
  readonly weight: number;
  readonly effectiveWeight: number;
  readonly inFlight: number;
  /** Requests it may have at once: the limit in force, fixed or found; 0 for none. */
  readonly limit: number;
  readonly tunnels: number;
  readonly drainUntilMs: number | null;
  /** Share of its capacity in use, now and at most up to the gate's horizon; null while nothing is known. */
  readonly load: number | null;
  readonly predicted: number | null;
  readonly gate: GateState;
  /** Empty while the gate is open. */
  readonly gateReason: string;
  /** Of the pool: it takes new work only when nobody in the pool can. */
  readonly outside: boolean;
  /** Why its own load reports are not believed. */
  readonly doubt: Doubt;
  readonly requests: number;
  /** No answer, or one of 5xx. */
  readonly failures: number;
  readonly generation: number;
  readonly source: 'static' | 'file' | 'dns' | 'api';
}

/** All backends of all clusters. The composition root drives it: `configure` at each reload, `tick` four times a second. */
export interface BackendRegistry extends AsyncDisposable {
  readonly forecasts: ForecastDesk;
  /**
   * Applies the difference; resolves when each discovery has answered and each backend was checked once, or after two
   * seconds. Backends that stay keep slot, health and statistics. The caller reads `entries` then; `onChange` is not called
   * for it. Throws CONFIG_INVALID, with nothing changed, when the lists do not fit into `max_backends`.
   */
  configure(clusters: Readonly<Record<string, ClusterConfig>>): Promise<void>;
  /** What snapshots carry (without PEM texts). A new array whenever membership or a generation changed. */
  entries(): readonly Omit<ClusterEntry, 'tls'>[];
  /** Reads the board, moves outliers, slow start, panic and drains on, and returns what to publish. Pure in time: takes the clock's now. */
  tick(): ReadonlyMap<number, Decision>;
  /** Much more often than `tick`, and cheap: what to publish since a backend stands still or does no more; null mostly. */
  heedStalls(): ReadonlyMap<number, Decision> | null;
  /**
   * Tunnels to end now, because a drain nears its deadline or a backend is gone or in maintenance. `planned`: how many of a slot the planner of
   * sessions moves by itself. `perSecond` is over all workers. Each ending is named again at every call while it holds; one that is missing is over or was taken back.
   */
  tunnelsToEnd(planned: (slot: number) => number): readonly TunnelEnding[];
  status(): readonly BackendStatus[];
  /** The backends of a cluster as of the last tick, and those gone that still have tunnels, for who plans its sessions; none of a cluster that is not there. */
  seats(cluster: string): readonly Seat[];
  /** Called when `entries` changed by itself (discovery, generation). */
  onChange(run: () => void): void;
  /** Called when checks changed what some backend is fit for: a tick now spares clients a quarter of a second of it. */
  onFlip(run: () => void): void;
  /**
   * All throw LeasewayError NOT_FOUND for an unknown cluster or backend, and INTERNAL, with nothing changed, when the order
   * cannot be written down. `deadlineMs` is from now on; the cluster's own when left out. Leases are kept until then.
   */
  drain(cluster: string, id: string, deadlineMs?: number): void;
  undrain(cluster: string, id: string): void;
  maintenance(cluster: string, id: string): void;
  setWeight(cluster: string, id: string, weight: number | null): void;
  /** Throws CONFLICT when the cluster has that id already, CONFIG_INVALID when `max_backends` is reached. */
  add(cluster: string, backend: BackendConfig): void;
  /** Only backends that the API added; others are NOT_FOUND with the reason. */
  remove(cluster: string, id: string): void;
}
