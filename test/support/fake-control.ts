// A control plane that only remembers: what the admin API and the CLI are tested against.

import type { BackendConfig } from '../../lib/config/cluster.ts';
import { backendId } from '../../lib/config/cluster.ts';
import type {
  BackendReport,
  ConnectionFilter,
  ControlActions,
  ExplainFilter,
  LeaseReport,
  ReloadResult,
  StatusReport,
} from '../../lib/control/admin/ports.ts';
import {
  forecastDetailExample,
  forecastExample,
  trainingExample,
} from '../../lib/control/admin/routes/examples.ts';
import {
  decisionExample,
  drainPlanExample,
  leaseExample,
  sessionsExample,
} from '../../lib/control/admin/routes/session-examples.ts';
import type { Announcement, ClusterForecastReport, EventReport } from '../../lib/control/forecast/ports.ts';
import type { TrainingReport } from '../../lib/control/forecast/trainings.ts';
import type {
  ClusterSessionsReport,
  DecisionRecord,
  DrainPlan,
  Freeze,
  SessionView,
} from '../../lib/control/session/ports.ts';
import { LeasewayError } from '../../lib/core/errors.ts';
import type { Explained } from '../../lib/orders/explained.ts';
import type { ConnectionReport, TunnelMoved } from '../../lib/orders/messages.ts';
import { WORKER_COUNTERS, WORKER_GAUGES, type WorkerCounter } from '../../lib/scoreboard/ports.ts';

const noCounters = (): Record<WorkerCounter, number> =>
  Object.fromEntries([...WORKER_GAUGES, ...WORKER_COUNTERS].map(name => [name, 0])) as Record<
    WorkerCounter,
    number
  >;

export function fakeBackend(cluster: string, id: string, more: Partial<BackendReport> = {}): BackendReport {
  return {
    cluster,
    id,
    url: 'http://127.0.0.1:9001',
    slot: 0,
    admin: 'ready',
    health: 'up',
    healthDetail: '200 in 1 ms',
    ejectedUntilMs: null,
    state: 'up',
    weight: 1,
    effectiveWeight: 1,
    inFlight: 0,
    limit: 0,
    tunnels: 0,
    drainUntilMs: null,
    load: null,
    predicted: null,
    gate: 'open',
    gateReason: '',
    outside: false,
    doubt: 'none',
    requests: 0,
    failures: 0,
    generation: 1,
    source: 'static',
    sessionsStaying: null,
    signals: [],
    sources: [],
    ...more,
  };
}

export class FakeControl implements ControlActions {
  revision = 7;
  /** Every action in order, as `name argument …`. */
  readonly calls: string[] = [];
  status_: StatusReport;
  connections_: ConnectionReport[] = [];
  /** Null: there is no such cluster. */
  explained_: Explained | null = {
    ...{
      cluster: 'web',
      worker: 0,
      policy: 'p2c',
      rule: 'of two',
      choice: null,
      controlAgeMs: 1,
      backends: [],
    },
  };
  reload_: () => Promise<ReloadResult> = async () => ({ generation: 4, changes: ['+ cluster chat'] });
  upgrade_: () => Promise<{ pid: number }> = async () => ({ pid: 4343 });
  /** Of the drains to come. */
  drainUntilMs: number | null = null;
  /** Runs at each status(): lets a drain make progress. */
  onStatus: () => void = () => {};

  constructor(more: Partial<StatusReport> = {}) {
    this.status_ = {
      version: '0.1.0',
      pid: 4242,
      startedMs: 1_000,
      configPath: '/etc/leaseway',
      generation: 3,
      loadedMs: 2_000,
      reloadProblems: [],
      ready: true,
      notReady: [],
      stopping: false,
      listeners: [{ address: '127.0.0.1:8080', port: 8080, tls: false }],
      workers: [
        { row: 0, alive: true, counters: noCounters() },
        { row: 1, alive: true, counters: noCounters() },
      ],
      backends: [
        fakeBackend('web', 'web-1', { inFlight: 2, tunnels: 3 }),
        fakeBackend('web', 'web-2', { url: 'http://127.0.0.1:9002', slot: 1 }),
        fakeBackend('chat', 'chat-1', { url: 'http://[::1]:9003', slot: 2, source: 'api' }),
      ],
      ...more,
    };
  }

  status(): StatusReport {
    this.onStatus();
    return this.status_;
  }

  reload(): Promise<ReloadResult> {
    this.calls.push('reload');
    return this.reload_();
  }

  upgrade(): Promise<{ pid: number }> {
    this.calls.push('upgrade');
    return this.upgrade_();
  }

  shutdown(): void {
    this.calls.push('shutdown');
  }

  async connections(filter: ConnectionFilter): Promise<{ total: number; items: ConnectionReport[] }> {
    const { limit, ...wanted } = filter;
    const found = this.connections_.filter(connection =>
      Object.entries(wanted).every(([key, value]) => connection[key as keyof ConnectionReport] === value),
    );
    return { total: found.length, items: found.slice(0, limit) };
  }

  async explain(filter: ExplainFilter): Promise<Explained> {
    this.calls.push(`explain ${filter.cluster} ${filter.key} ${filter.worker}`);
    if (this.explained_ === null) throw new LeasewayError('NOT_FOUND', `no cluster ${filter.cluster}`);
    return this.explained_;
  }

  moved_: Partial<TunnelMoved> = {};

  async moveConnection(id: string, to: string | null): Promise<TunnelMoved> {
    this.calls.push(`move ${id} to ${to}`);
    const moved = {
      from: 'web-1',
      to: to ?? 'web-2',
      result: 'moved',
      holdMs: 1.25,
      reason: 'asked',
    } as const;
    return { id, ...moved, ...this.moved_ };
  }

  endConnection(id: string): void {
    this.calls.push(`end ${id}`);
  }

  forecasts_ = [
    { ...forecastExample, backends: [forecastDetailExample] } as unknown as ClusterForecastReport,
  ];
  training_ = trainingExample as TrainingReport;
  readonly forecasts = {
    report: (cluster?: string): readonly ClusterForecastReport[] => {
      const found = this.forecasts_.filter(report => cluster === undefined || report.cluster === cluster);
      if (cluster !== undefined && found.length === 0)
        throw new LeasewayError('NOT_FOUND', `cluster ${cluster}`);
      return found;
    },
    training: (): TrainingReport => this.training_,
    events: (): readonly EventReport[] => this.forecasts_.flatMap(({ events }) => events),
    announce: (event: Announcement): EventReport => {
      this.calls.push(
        `announce ${event.cluster} ${event.name} ${event.backends} ${event.factor} ${event.startMs} ${event.endMs}`,
      );
      return { id: `${event.name}-1`, ...event, source: 'announced' };
    },
    cancel: (id: string): void => void this.calls.push(`cancel ${id}`),
  };

  decisions_ = [decisionExample as DecisionRecord];
  leases_ = [leaseExample as SessionView];
  freezes_: Freeze[] = [];
  objection_ = '';
  readonly sessions = {
    report: () => [{ ...sessionsExample, frozen: this.freezes_.length > 0 } as ClusterSessionsReport],
    decisions: ({ limit }: { limit: number }) => this.decisions_.slice(0, limit),
    find: (id: string) => this.leases_.find(lease => lease.id === id) ?? null,
    move: (id: string, to: string): DecisionRecord => {
      this.calls.push(`move ${id} ${to}`);
      return { ...this.decisions_[0]!, session: id, to, outcome: 'ordered', reason: 'operator' };
    },
    ended: (id: string): void => void this.calls.push(`ended ${id}`),
    drainPlan: (cluster: string, backend: string): DrainPlan => ({
      ...drainPlanExample,
      ...{ cluster, backend, objection: this.objection_ },
    }),
    freezes: () => this.freezes_,
    freeze: (cluster: string | null): void => {
      this.calls.push(`freeze ${cluster}`);
      this.freezes_ = [...this.freezes_, { cluster, sinceMs: 900_000 }];
    },
    unfreeze: (cluster: string | null): void => {
      this.calls.push(`unfreeze ${cluster}`);
      this.freezes_ = cluster === null ? [] : this.freezes_.filter(freeze => freeze.cluster !== cluster);
    },
  };

  async leases({ limit }: ConnectionFilter): Promise<{ total: number; items: LeaseReport[] }> {
    const items = this.leases_.map(lease => ({
      ...lease,
      client: '203.0.113.7',
      route: 'chat',
      ageMs: 92_000,
    }));
    return { total: items.length, items: items.slice(0, limit) };
  }

  wallMs(): number {
    return 1_000_000;
  }

  metrics(): string {
    return '# TYPE leaseway_ready gauge\nleaseway_ready 1\n';
  }

  /** Changes one backend of the status in place. */
  change(cluster: string, id: string, more: Partial<BackendReport>): void {
    const { backends } = this.status_;
    if (!backends.some(backend => backend.cluster === cluster && backend.id === id))
      throw new LeasewayError('NOT_FOUND', `no backend ${cluster}/${id}`);
    this.status_ = {
      ...this.status_,
      backends: backends.map(backend =>
        backend.cluster === cluster && backend.id === id ? { ...backend, ...more } : backend,
      ),
    };
  }

  readonly backends = {
    drain: (cluster: string, id: string, deadlineMs?: number): void =>
      this.#did(`drain ${cluster} ${id} ${deadlineMs}`, cluster, id, {
        admin: 'drain',
        state: 'draining',
        drainUntilMs: this.drainUntilMs,
      }),
    undrain: (cluster: string, id: string): void =>
      this.#did(`undrain ${cluster} ${id}`, cluster, id, { admin: 'ready', state: 'up', drainUntilMs: null }),
    maintenance: (cluster: string, id: string): void =>
      this.#did(`maintenance ${cluster} ${id}`, cluster, id, { admin: 'maintenance', state: 'maintenance' }),
    setWeight: (cluster: string, id: string, weight: number | null): void =>
      this.#did(`weight ${cluster} ${id} ${weight}`, cluster, id, { weight: weight ?? 1 }),
    add: (cluster: string, backend: BackendConfig): void => {
      const id = backendId(backend);
      const added = fakeBackend(cluster, id, { url: backend.url, weight: backend.weight, source: 'api' });
      this.status_ = { ...this.status_, backends: [...this.status_.backends, added] };
      this.#did(`add ${cluster} ${id} ${backend.url} ${backend.weight}`, cluster, id, {});
    },
    remove: (cluster: string, id: string): void => {
      this.#did(`remove ${cluster} ${id}`, cluster, id, {});
      const backends = this.status_.backends.filter(other => other.cluster !== cluster || other.id !== id);
      this.status_ = { ...this.status_, backends };
    },
  };

  #did(call: string, cluster: string, id: string, more: Partial<BackendReport>): void {
    this.change(cluster, id, more);
    this.calls.push(call);
    this.revision += 1;
  }
}
