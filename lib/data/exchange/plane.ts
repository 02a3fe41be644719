// What the data plane offers its exchanges: the worker's tools and the snapshot in force.

import type { ProxyConfig } from '../../config/proxy.ts';
import type { Clock } from '../../core/clock.ts';
import type { IdSource } from '../../core/ids.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { CoarseTimers } from '../../core/timers.ts';
import type { ClientLedger, DecisionReader, WorkerLedger } from '../../scoreboard/ports.ts';
import type { AccessLog, Tracer } from '../../telemetry/emit.ts';
import type { Compiled } from '../compile.ts';
import type { LeaseDesk } from '../leases/desk.ts';
import type { TunnelRegistry } from '../websocket/registry.ts';
import type { FollowedLeases } from './followed.ts';

export interface Plane {
  readonly clock: Clock;
  readonly random: Random;
  readonly ids: IdSource;
  readonly log: Log;
  readonly timers: CoarseTimers;
  readonly ledger: WorkerLedger;
  readonly clients: ClientLedger;
  readonly decisions: DecisionReader;
  readonly tracer: Tracer;
  /** Of this worker. */
  readonly row: number;
  readonly accessLog: AccessLog | null;
  readonly tunnels: TunnelRegistry;
  readonly leases: LeaseDesk;
  readonly followed: FollowedLeases;
  /** The snapshot in force; an exchange reads it once, at its beginning. */
  readonly compiled: Compiled;
  /** On the way out: answers close their connections. */
  readonly draining: boolean;
}

export type PlaneConfig = Omit<ProxyConfig, 'clusters'>;
