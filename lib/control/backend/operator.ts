// What operators may do to backends: each order is on disk before it is answered, and says what it did.

import type { BackendConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { AdminState } from './admin-state.ts';
import { type Backend, stateAt } from './backend.ts';
import type { Cluster } from './cluster.ts';
import { named } from './identity.ts';
import type { AdminRecord } from './ports.ts';

/** Names listed in a NOT_FOUND. */
const MAX_NAMED = 10;

export class Operator {
  readonly #clusters: ReadonlyMap<string, Cluster>;
  readonly #admin: AdminState;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #maxBackends: number;

  constructor(
    clusters: ReadonlyMap<string, Cluster>,
    admin: AdminState,
    clock: Clock,
    log: Log,
    maxBackends: number,
  ) {
    this.#clusters = clusters;
    this.#admin = admin;
    this.#clock = clock;
    this.#log = log;
    this.#maxBackends = maxBackends;
  }

  /** `deadlineMs` is from now on; the cluster's own when left out. A backend in maintenance is out already and stays so. */
  drain(clusterName: string, id: string, deadlineMs?: number): void {
    const { cluster } = this.#find(clusterName, id);
    const record = this.#admin.get(clusterName, id);
    if (stateAt(record, this.#clock.wallMs()) === 'maintenance') return;
    const drainUntilMs = Math.round(this.#clock.wallMs() + (deadlineMs ?? cluster.config.drain.deadline));
    this.#admin.set(clusterName, id, { ...record, state: 'drain', drainUntilMs });
    this.#say(clusterName, id, `drains until ${new Date(drainUntilMs).toISOString()}`);
  }

  /** Before a drain's deadline the leases stay as they are; afterwards they have ended. */
  undrain(clusterName: string, id: string): void {
    const { cluster, backend } = this.#find(clusterName, id);
    const record = this.#admin.get(clusterName, id);
    if (record.state === 'ready') return;
    const wasOut = stateAt(record, this.#clock.wallMs()) === 'maintenance';
    this.#admin.set(clusterName, id, { state: 'ready', ...weightOf(record) });
    if (wasOut) {
      // The deadline passed and no tick has seen it yet: the leases it ended stay ended.
      if (record.state === 'drain') cluster.raise(id, 'drain');
      cluster.startSlowly(backend);
    }
    this.#say(clusterName, id, 'is ready again');
  }

  maintenance(clusterName: string, id: string): void {
    const { cluster } = this.#find(clusterName, id);
    const record = this.#admin.get(clusterName, id);
    if (record.state === 'maintenance') return;
    this.#admin.set(clusterName, id, { state: 'maintenance', ...weightOf(record) });
    cluster.raise(id, 'maintenance');
    this.#say(clusterName, id, 'is in maintenance');
  }

  /** Null gives back the configured weight. */
  setWeight(clusterName: string, id: string, weight: number | null): void {
    this.#find(clusterName, id);
    if (weight !== null && !(weight >= 0 && weight <= 1000))
      throw new LeasewayError('CONFIG_INVALID', `weight is ${weight}; expected a number from 0 to 1000`);
    const { weight: _old, ...rest } = this.#admin.get(clusterName, id);
    this.#admin.set(clusterName, id, weight === null ? rest : { ...rest, weight });
    this.#say(clusterName, id, weight === null ? 'has its configured weight' : `has weight ${weight}`);
  }

  add(clusterName: string, backend: BackendConfig): void {
    const cluster = this.#cluster(clusterName);
    const entry = named(backend);
    const source = cluster.sourceOf(entry.id) ?? (this.#added(clusterName, entry.id) ? 'api' : undefined);
    if (source !== undefined)
      throw new LeasewayError(
        'CONFLICT',
        `cluster ${clusterName} has a backend ${entry.id} (from ${source})`,
      );
    const count = [...this.#clusters.values()].reduce((sum, { size }) => sum + size, 0);
    if (count >= this.#maxBackends) throw tooMany(count + 1, this.#maxBackends);
    this.#admin.add(clusterName, entry);
    cluster.apiChanged();
  }

  remove(clusterName: string, id: string): void {
    const cluster = this.#cluster(clusterName);
    if (!this.#added(clusterName, id)) {
      this.#find(clusterName, id);
      throw new LeasewayError(
        'NOT_FOUND',
        `backend ${id} of cluster ${clusterName} was not added by the API: it comes from ${cluster.sourceOf(id)}; take it out there, or use maintenance`,
      );
    }
    this.#admin.remove(clusterName, id);
    cluster.apiChanged();
  }

  #added(clusterName: string, id: string): boolean {
    return this.#admin.added(clusterName).some(added => added.id === id);
  }

  #cluster(name: string): Cluster {
    const cluster = this.#clusters.get(name);
    if (cluster !== undefined) return cluster;
    throw new LeasewayError('NOT_FOUND', `cluster ${name}; the clusters are: ${listed(this.#clusters)}`);
  }

  #find(clusterName: string, id: string): { readonly cluster: Cluster; readonly backend: Backend } {
    const cluster = this.#cluster(clusterName);
    const backend = cluster.backends.get(id);
    if (backend !== undefined) return { cluster, backend };
    throw new LeasewayError(
      'NOT_FOUND',
      `backend ${id} of cluster ${clusterName}; it has: ${listed(cluster.backends)}`,
    );
  }

  #say(cluster: string, backend: string, what: string): void {
    this.#log.info(`cluster ${cluster}: backend ${backend} ${what}`, { cluster, backend });
  }
}

const weightOf = ({ weight }: AdminRecord): Pick<AdminRecord, 'weight'> =>
  weight === undefined ? {} : { weight };

export const tooMany = (count: number, maxBackends: number): LeasewayError =>
  new LeasewayError(
    'CONFIG_INVALID',
    `${count} backends are more than max_backends, which is ${maxBackends}; raise it in leaseway.yaml and restart`,
  );

function listed(things: ReadonlyMap<string, unknown>): string {
  const names = [...things.keys()];
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : '';
  return names.length === 0 ? 'none' : names.slice(0, MAX_NAMED).join(', ') + more;
}
