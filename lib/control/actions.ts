// What operators can ask, answered by the parts of the control plane.

import type { Clock } from '../core/clock.ts';
import { LeasewayError } from '../core/errors.ts';
import type { Explained } from '../orders/explained.ts';
import type { ControlNotice, TunnelMoved } from '../orders/messages.ts';
import type { ControlBoard, WorkerCounter } from '../scoreboard/ports.ts';
import { renderMetrics } from './admin/metrics.ts';
import type {
  ConnectionFilter,
  ControlActions,
  ExplainFilter,
  LeaseReport,
  ReloadResult,
  StatusReport,
} from './admin/ports.ts';
import { readProcess } from './admin/process-reading.ts';
import type { BackendRegistry } from './backend/ports.ts';
import type { ControlPlane } from './control-plane.ts';
import { explain } from './explain.ts';
import type { Sessions } from './session/sessions.ts';
import type { SignalBoard } from './signals/board.ts';
import type { SignalWatch } from './signals/watch.ts';
import type { ConnectionList, WorkerLinks } from './worker-links.ts';

export interface ActionParts {
  readonly version: string;
  readonly configPath: string;
  readonly startedMs: number;
  readonly workerRows: number;
  readonly board: ControlBoard;
  readonly registry: BackendRegistry;
  readonly sessions: Sessions;
  readonly signals: SignalBoard;
  readonly watch: Pick<SignalWatch, 'tick'>;
  readonly clock: Clock;
  readonly links: WorkerLinks;
  plane(): ControlPlane;
  notify(notice: ControlNotice): void;
}

/** The most connections that are looked at to answer one question. */
const MAX_LISTED = 100_000;

export class Actions implements ControlActions {
  readonly #parts: ActionParts;
  readonly #upgrades = new Map<number, (result: { pid?: number; error?: string }) => void>();
  #nextUpgrade = 1;
  /** The process is on its way out. */
  leaving = false;
  /** A successor starts from what is on disk now: changes would be lost to it. */
  upgrading = false;

  constructor(parts: ActionParts) {
    this.#parts = parts;
  }

  get revision(): number {
    return this.#parts.plane().revision;
  }

  status(): StatusReport {
    const { version, configPath, startedMs, board, registry, links, workerRows } = this.#parts;
    const plane = this.#parts.plane();
    const notReady = this.#notReady();
    const alive = new Set(links.rows);
    // What workers have heard since the last tick counts too: who asks twice sees what happened in between.
    this.#parts.watch.tick();
    const nowMs = this.#parts.clock.monotonicMs();
    return {
      version,
      pid: process.pid,
      startedMs,
      configPath,
      generation: plane.generation,
      loadedMs: plane.loadedMs,
      reloadProblems: [...plane.reloadProblems, ...plane.listenFailures],
      ready: notReady.length === 0,
      notReady,
      stopping: this.leaving,
      listeners: plane.config.listeners.map(({ address, tls }) => ({
        address,
        port:
          plane.serving.find(socket => socket.address === address)?.port ??
          Number(address.slice(address.lastIndexOf(':') + 1)),
        tls: tls !== undefined,
      })),
      workers: Array.from({ length: workerRows }, (_, row) => ({
        row,
        alive: alive.has(row),
        counters: board.worker(row) as Readonly<Record<WorkerCounter, number>>,
      })),
      backends: registry.status().map(backend => ({
        ...backend,
        sessionsStaying: this.#parts.sessions.stayingOn(backend.cluster, backend.slot),
        ...this.#parts.signals.report(backend.cluster, backend.id, nowMs),
      })),
    };
  }

  #notReady(): string[] {
    const plane = this.#parts.plane();
    if (this.leaving) return ['shutting down'];
    if (plane.serving.length === 0) return ['starting: not all workers listen yet'];
    return [];
  }

  reload(): Promise<ReloadResult> {
    return this.#parts.plane().reload();
  }

  upgrade(): Promise<{ readonly pid: number }> {
    return new Promise((resolve, reject) => {
      const requestId = this.#nextUpgrade++;
      this.#upgrades.set(requestId, ({ pid, error }) => {
        if (pid === undefined) reject(new LeasewayError('UPGRADE_FAILED', error ?? ''));
        else resolve({ pid });
      });
      this.#parts.notify({ kind: 'upgrade', requestId });
    });
  }

  /** The supervisor's answer. */
  upgraded(requestId: number, result: { pid?: number; error?: string }): void {
    this.#upgrades.get(requestId)?.(result);
    this.#upgrades.delete(requestId);
  }

  shutdown(): void {
    this.#parts.notify({ kind: 'shutdown' });
  }

  async connections({ cluster, backend, client, limit }: ConnectionFilter): Promise<ConnectionList> {
    const filtered = cluster !== undefined || backend !== undefined || client !== undefined;
    const list = await this.#parts.links.connections(filtered ? MAX_LISTED : limit);
    if (!filtered) return { total: list.total, items: list.items.slice(0, limit) };
    const items = list.items.filter(
      item =>
        (cluster === undefined || item.cluster === cluster) &&
        (backend === undefined || item.backend === backend) &&
        (client === undefined || item.client === client),
    );
    return { total: items.length, items: items.slice(0, limit) };
  }

  explain(filter: ExplainFilter): Promise<Explained> {
    const { links, registry } = this.#parts;
    const { clusters } = this.#parts.plane().config;
    const nowMs = this.#parts.clock.wallMs();
    const names = Object.keys(clusters);
    const forecast = names.includes(filter.cluster)
      ? registry.forecasts.report(filter.cluster)[0]
      : undefined;
    return explain(filter, {
      ...{ links, clusters: names, backends: registry.status(), forecast, nowMs },
    });
  }

  endConnection(id: string): void {
    const row = Number(id.slice(0, id.indexOf('-')));
    if (!this.#parts.links.rows.includes(row)) throw new LeasewayError('NOT_FOUND', `no connection ${id}`);
    this.#parts.links.broadcast({ kind: 'end-connection', id });
  }

  moveConnection(id: string, to: string | null): Promise<TunnelMoved> {
    const { links, sessions } = this.#parts;
    const moved = links.moved(id, row => {
      // What the planner knows goes through it, so that it counts there and is among the decisions.
      if (sessions.find(id) === null) {
        links.moveTunnels(row, [{ id, to, reason: 'operator' }]);
        return '';
      }
      try {
        sessions.move(id, to);
        return '';
      } catch (error) {
        if (error instanceof LeasewayError && error.code === 'CONFLICT') return error.detail;
        throw error;
      }
    });
    if (moved === undefined) throw new LeasewayError('NOT_FOUND', `no connection ${id}`);
    return moved;
  }

  metrics(): string {
    const { board, registry, sessions, startedMs } = this.#parts;
    const routes = this.#parts.plane().routeNames;
    return renderMetrics({
      status: this.status(),
      routes,
      board,
      process: readProcess(startedMs),
      forecasts: registry.forecasts.report(),
      training: registry.forecasts.training(),
      sessions: { clusters: sessions.report(), counts: sessions.counts() },
    });
  }

  /** Every change is on the board before the operator hears that it is done. */
  readonly backends: ControlActions['backends'] = {
    drain: (cluster, id, deadlineMs) => this.#change(registry => registry.drain(cluster, id, deadlineMs)),
    undrain: (cluster, id) => this.#change(registry => registry.undrain(cluster, id)),
    maintenance: (cluster, id) => this.#change(registry => registry.maintenance(cluster, id)),
    setWeight: (cluster, id, weight) => this.#change(registry => registry.setWeight(cluster, id, weight)),
    add: (cluster, backend) => this.#change(registry => registry.add(cluster, backend)),
    remove: (cluster, id) => this.#change(registry => registry.remove(cluster, id)),
  };

  readonly forecasts: ControlActions['forecasts'] = {
    report: cluster => this.#parts.registry.forecasts.report(cluster),
    training: () => this.#parts.registry.forecasts.training(),
    events: () => this.#parts.registry.forecasts.events(),
    announce: event => this.#change(registry => registry.forecasts.announce(event)),
    cancel: id => this.#change(registry => registry.forecasts.cancel(id)),
  };

  readonly sessions: ControlActions['sessions'] = {
    report: () => this.#parts.sessions.report(),
    decisions: filter => this.#parts.sessions.decisions(filter),
    find: id => this.#parts.sessions.find(id),
    move: (id, to) => this.#parts.sessions.move(id, to),
    ended: id => this.#parts.sessions.ended(id),
    drainPlan: (cluster, id, tunnels, deadlineMs) =>
      this.#parts.sessions.drainPlan(cluster, id, tunnels, deadlineMs),
    freezes: () => this.#parts.sessions.freezes(),
    freeze: cluster => this.#change(() => this.#parts.sessions.freeze(cluster)),
    unfreeze: cluster => this.#change(() => this.#parts.sessions.unfreeze(cluster)),
  };

  async leases(filter: ConnectionFilter): Promise<{ total: number; items: LeaseReport[] }> {
    const { items } = await this.connections({ ...filter, limit: MAX_LISTED });
    const leases = items.flatMap(({ id, client, route, ageMs }): LeaseReport[] => {
      const session = this.#parts.sessions.find(id);
      return session === null ? [] : [{ ...session, client, route, ageMs }];
    });
    return { total: leases.length, items: leases.slice(0, filter.limit) };
  }

  wallMs(): number {
    return this.#parts.clock.wallMs();
  }

  #change<T>(act: (registry: BackendRegistry) => T): T {
    if (this.upgrading)
      throw new LeasewayError(
        'CONFLICT',
        'an upgrade is under way: ask again in a moment, the successor answers',
      );
    const result = act(this.#parts.registry);
    this.#parts.plane().changed();
    return result;
  }
}
