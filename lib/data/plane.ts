// The data plane of one worker: the snapshot in force, and what its exchanges share.
//
// It keeps no list of them: a Set that each enters and leaves is built anew every few dozen requests, V8 joins each old table to
// the next, and one of them that grows old keeps all exchanges of that time until the next large collection.

import type { Clock } from '../core/clock.ts';
import { hash32 } from '../core/hash.ts';
import { IdSource } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Random } from '../core/random.ts';
import { CoarseTimers } from '../core/timers.ts';
import type { Explained, ExplainQuestion } from '../orders/explained.ts';
import type { Snapshot } from '../orders/snapshot.ts';
import type { ClientLedger, DecisionReader, WorkerLedger } from '../scoreboard/ports.ts';
import type { AccessLog, Tracer } from '../telemetry/emit.ts';
import { explainCluster } from './cluster/explain.ts';
import { type Compiled, compile } from './compile.ts';
import type { Descriptors } from './descriptors.ts';
import { refusalRecord } from './exchange/account.ts';
import { Exchange } from './exchange/exchange.ts';
import { FollowedLeases } from './exchange/followed.ts';
import type { Plane } from './exchange/plane.ts';
import { isLeaseCall, LeaseCall } from './leases/call.ts';
import { LeaseDesk } from './leases/desk.ts';
import type { LeaseService } from './leases/ports.ts';
import type { ClientConnection, Incoming, Reason, RequestHandler } from './ports.ts';
import { TunnelRegistry } from './websocket/registry.ts';

export interface PlaneTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: WorkerLedger;
  readonly clients: ClientLedger;
  readonly decisions: DecisionReader;
  readonly tracer: Tracer;
  /** Row of this worker, for the ids of connections. */
  readonly row: number;
  /** Worker threads in all. */
  readonly workers: number;
  readonly descriptors?: Descriptors | undefined;
}

export class DataPlane implements Plane, RequestHandler {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly ledger: WorkerLedger;
  readonly clients: ClientLedger;
  readonly decisions: DecisionReader;
  readonly tracer: Tracer;
  readonly ids = new IdSource();
  readonly timers: CoarseTimers;
  readonly tunnels: TunnelRegistry;
  readonly leases: LeaseDesk;
  readonly followed = new FollowedLeases();
  /** Null while no route gives leases to the SDK. */
  leaseService: LeaseService | null = null;
  readonly row: number;
  accessLog: AccessLog | null = null;
  draining = false;
  readonly #workers: number;
  readonly #descriptors: Descriptors | undefined;
  readonly #released: Disposable;
  #compiled: Compiled | null = null;

  constructor(tools: PlaneTools) {
    this.clock = tools.clock;
    this.random = tools.random;
    this.log = tools.log;
    this.ledger = tools.ledger;
    this.clients = tools.clients;
    this.decisions = tools.decisions;
    this.tracer = tools.tracer;
    this.row = tools.row;
    this.#workers = tools.workers;
    this.#descriptors = tools.descriptors;
    this.timers = new CoarseTimers(tools.clock);
    this.tunnels = new TunnelRegistry(tools.clock, tools.row);
    this.leases = new LeaseDesk(this);
    this.#released = tools.ledger.onReleased(() => this.#wakeLines());
  }

  get compiled(): Compiled {
    return this.#compiled!;
  }

  get ready(): boolean {
    return this.#compiled !== null;
  }

  /** Takes the snapshot whole or, when it cannot be compiled, throws and changes nothing. */
  use(snapshot: Snapshot): void {
    const { clock, random, log, decisions, ids, ledger } = this;
    this.#compiled = compile(snapshot, this.#compiled, {
      clock,
      random,
      log,
      decisions,
      ids,
      ledger,
      workers: this.#workers,
      descriptors: this.#descriptors,
      http1: snapshot.config.http1,
    });
    this.#wakeLines();
  }

  request(incoming: Incoming): void {
    if (this.leaseService !== null && isLeaseCall(incoming.head.target))
      return new LeaseCall(this, incoming, this.leaseService).begin();
    new Exchange(this, incoming).begin();
  }

  refused(connection: ClientConnection, reason: Reason, status: number): void {
    this.accessLog?.write(refusalRecord(connection, reason, status, this.clock.wallMs()));
  }

  /** Where a request of this kind would go, and why; null when there is no such cluster. */
  explain({ cluster: name, key }: ExplainQuestion): Explained | null {
    const cluster = this.#compiled?.clusters.get(name);
    if (cluster === undefined) return null;
    return explainCluster(cluster, { key: hash32(key), accepts: () => true }, this.decisions, this.row);
  }

  /** Open connections to backends, for the gauge. */
  upstreamConnections(): number {
    let open = 0;
    for (const cluster of this.#compiled?.clusters.values() ?? []) {
      for (const member of cluster.members) open += member.connections;
    }
    return open;
  }

  dispose(): void {
    this.#released[Symbol.dispose]();
    for (const cluster of this.#compiled?.clusters.values() ?? []) cluster.close();
  }

  #wakeLines(): void {
    const nowMs = this.clock.monotonicMs();
    for (const cluster of this.#compiled?.clusters.values() ?? []) cluster.line.wake(nowMs);
  }
}
