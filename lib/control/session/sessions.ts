// The sessions of all clusters: fed by the workers, planned each tick, asked and steered by operators.

import { join } from 'node:path';
import type { ClusterConfig } from '../../config/cluster.ts';
import type { Clock } from '../../core/clock.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { TunnelActivity, TunnelMove, TunnelMoved } from '../../orders/messages.ts';
import { drainForecast } from '../../plan/session/drain-plan.ts';
import { ClusterSessions } from './cluster-sessions.ts';
import { CookieLeases, type LeaseOutlook } from './cookie-leases.ts';
import { DecisionRing } from './decision-ring.ts';
import type { Entry } from './entry.ts';
import { Freezer } from './freezer.ts';
import type {
  ClusterSessionsReport,
  DecisionCount,
  DecisionRecord,
  DrainPlan,
  Freeze,
  Seat,
  SessionDesk,
  SessionView,
} from './ports.ts';

export interface SessionHands {
  readonly stateDir: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly maxBackends: number;
  /** The backends of a cluster as of the last tick. */
  seats(cluster: string): readonly Seat[];
  /** Over all workers and clusters. */
  tunnels(): number;
  /** Ask the workers what their tunnels do, so often. */
  watch(everyMs: number): void;
  order(worker: number, moves: readonly TunnelMove[]): void;
  /** Each decision, once. */
  decided(record: DecisionRecord): void;
}

/** How often workers tell what their tunnels do: where some can move, and where one might turn up that can. */
const WATCH_MS = 500;
const LOOK_MS = 2_000;

/** Movable tunnels of one worker, in the order in which it tells of them: sequences rise. */
type Entries = readonly Entry[];

export class Sessions implements SessionDesk {
  readonly #hands: SessionHands;
  readonly #ring: DecisionRing;
  readonly #freezer: Freezer;
  readonly #configs = new Map<string, ClusterConfig>();
  readonly #leases = new Map<string, CookieLeases>();
  /** Only of clusters in which some session was ever movable: the others cost nothing. */
  readonly #clusters = new Map<string, ClusterSessions>();
  readonly #workers = new Map<number, Entries>();
  /** By slot: whose backend it is. */
  #clusterOf: readonly (string | undefined)[] = [];

  constructor(hands: SessionHands) {
    this.#hands = hands;
    this.#ring = new DecisionRing(record => hands.decided(record));
    this.#freezer = new Freezer(join(hands.stateDir, 'freeze.json'), hands.log);
  }

  configure(clusters: Readonly<Record<string, ClusterConfig>>): void {
    for (const name of this.#configs.keys()) {
      if (Object.hasOwn(clusters, name)) continue;
      this.#configs.delete(name);
      this.#leases.delete(name);
    }
    for (const [name, config] of Object.entries(clusters)) {
      this.#configs.set(name, config);
      this.#clusters.get(name)?.configure(config);
      const leases = this.#leases.get(name);
      if (leases !== undefined) leases.configure(config);
      else this.#leases.set(name, new CookieLeases(name, config, this.#parts));
    }
  }

  /** All tunnels of a worker, in the same order each time: what is missing has closed. */
  heard(worker: number, { sequences, slots, messages, ageMs, movable }: TunnelActivity): void {
    const nowMs = this.#hands.clock.monotonicMs();
    const before = this.#workers.get(worker) ?? [];
    const after: Entry[] = [];
    let known = 0;
    for (let i = 0; i < sequences.length; i++) {
      const sequence = sequences[i]!;
      while (known < before.length && before[known]!.sequence < sequence) close(before[known++]!);
      let entry: Entry | null = null;
      if (known < before.length && before[known]!.sequence === sequence) entry = before[known++]!;
      else if (movable[i] === 1) entry = this.#open(worker, sequence, slots[i]!, ageMs[i]!, nowMs);
      if (entry === null) continue;
      entry.cluster.heard(entry, messages[i]!, slots[i]!, nowMs);
      after.push(entry);
    }
    while (known < before.length) close(before[known++]!);
    this.#workers.set(worker, after);
  }

  moved(worker: number, moves: readonly TunnelMoved[]): void {
    const nowMs = this.#hands.clock.monotonicMs();
    for (const move of moves) {
      const entry = this.#find(worker, Number(move.id.slice(move.id.indexOf('-') + 1)));
      entry?.cluster.moved(entry, move, nowMs);
    }
  }

  /** Connections of a backend that the planner moves when they have to leave. */
  plannedOn(slot: number): number {
    const name = this.#clusterOf[slot];
    return name === undefined ? 0 : (this.#clusters.get(name)?.countOn(slot) ?? 0);
  }

  /** While a backend drains, of its HTTP sessions the share that still comes; null else, and where there are none. */
  stayingOn(cluster: string, slot: number): number | null {
    return this.#leases.get(cluster)?.stayingOn(slot) ?? null;
  }

  /** A worker ended, or another has its place. */
  gone(worker: number): void {
    for (const entry of this.#workers.get(worker) ?? []) entry.cluster.lost(entry);
    this.#workers.delete(worker);
  }

  /** Once a tick, after the backends': orders go out; by slot what is to be published. */
  tick(): ReadonlyMap<number, LeaseOutlook> {
    const nowMs = this.#hands.clock.monotonicMs();
    const outlooks = new Map<number, LeaseOutlook>();
    const clusterOf: string[] = [];
    const tunnels = this.#hands.tunnels();
    for (const [name, config] of this.#configs) {
      const sessions = this.#clusters.get(name);
      if (config.sticky === undefined && tunnels === 0) continue;
      const seats = this.#hands.seats(name);
      for (const { slot } of seats) clusterOf[slot] = name;
      const frozen = this.#freezer.isFrozen(name);
      if (config.sticky !== undefined)
        for (const [slot, outlook] of this.#leases.get(name)!.tick(seats, nowMs, frozen))
          outlooks.set(slot, outlook);
      if (sessions !== undefined) this.#send(sessions.tick(seats, nowMs, frozen));
    }
    this.#clusterOf = clusterOf;
    let movable = 0;
    for (const [name, { size }] of this.#clusters) {
      movable += size;
      // The table is large; a cluster without sessions needs none.
      if (size === 0) this.#clusters.delete(name);
    }
    this.#hands.watch(movable > 0 ? WATCH_MS : tunnels > 0 ? LOOK_MS : 0);
    return outlooks;
  }

  report(): readonly ClusterSessionsReport[] {
    return [...this.#configs].map(([cluster, config]) => {
      const sessions = this.#clusters.get(cluster);
      const leases = this.#leases.get(cluster)!;
      return {
        cluster,
        mode: config.migration.mode,
        frozen: this.#freezer.isFrozen(cluster),
        sessions: sessions?.size ?? 0,
        unplanned: sessions?.unplanned ?? 0,
        underWay: sessions?.underWay ?? 0,
        stuck: sessions?.stuck ?? [],
        backends: this.#hands.seats(cluster).flatMap(({ id, slot, state }) => {
          if (state === 'gone') return [];
          const levels = sessions?.levelsOf(slot);
          return {
            backend: id,
            sessions: sessions?.countOn(slot) ?? 0,
            now: figureOf(levels?.now),
            ahead: figureOf(levels?.ahead),
            ...leases.of(slot),
          };
        }),
      };
    });
  }

  decisions(filter: {
    readonly cluster?: string | undefined;
    readonly limit: number;
  }): readonly DecisionRecord[] {
    return this.#ring.latest(filter);
  }

  counts(): readonly DecisionCount[] {
    return this.#ring.counts();
  }

  find(id: string): SessionView | null {
    const entry = this.#lookUp(id);
    return entry === undefined ? null : entry.cluster.view(entry, this.#hands.clock.monotonicMs());
  }

  move(id: string, to: string | null): DecisionRecord {
    const entry = this.#movable(id);
    const record = entry.cluster.move(entry, to, this.#hands.clock.monotonicMs());
    if (typeof record === 'string') throw new LeasewayError('CONFLICT', `session ${id}: ${record}`);
    this.#send([entry]);
    return record;
  }

  ended(id: string): void {
    const entry = this.#lookUp(id);
    entry?.cluster.noteEnded(entry);
  }

  drainPlan(cluster: string, backend: string, tunnels: number, deadlineMs?: number): DrainPlan {
    this.#known(cluster);
    const { drain, migration } = this.#configs.get(cluster)!;
    const seats = this.#hands.seats(cluster);
    const own = seats.find(({ id }) => id === backend);
    if (own === undefined) throw new LeasewayError('NOT_FOUND', `backend ${backend} of cluster ${cluster}`);
    const peers = seats
      .filter(({ slot, state }) => slot !== own.slot && state === 'up')
      .map(({ id, predicted }) => ({ id, load: predicted }));
    const movable = Math.min(tunnels, this.#clusters.get(cluster)?.countOn(own.slot) ?? 0);
    const { shares, overloaded } = drainForecast(own.predicted, movable, peers, migration.over);
    const over = overloaded.length === 0 ? '' : `${overloaded.join(', ')} would be above ${migration.over}`;
    return {
      ...{ cluster, backend, shares, movable, ending: tunnels - movable },
      load: figureOf(own.predicted),
      finishMs: this.#hands.clock.wallMs() + (tunnels === 0 ? 0 : (deadlineMs ?? drain.deadline)),
      objection: peers.length === 0 ? 'no other backend serves' : over,
    };
  }

  freezes(): readonly Freeze[] {
    return this.#freezer.all;
  }

  freeze(cluster: string | null): void {
    this.#known(cluster);
    this.#freezer.freeze(cluster, this.#hands.clock.wallMs());
    this.#hands.log.warn(`sessions of ${cluster ?? 'all clusters'} are frozen: none is moved for load`);
  }

  unfreeze(cluster: string | null): void {
    this.#known(cluster);
    this.#freezer.unfreeze(cluster);
    this.#hands.log.info(`sessions of ${cluster ?? 'all clusters'} are frozen no longer`);
  }

  get #parts() {
    const { clock, maxBackends } = this.#hands;
    return { ring: this.#ring, maxBackends, wallMs: () => clock.wallMs() };
  }

  #open(worker: number, sequence: number, slot: number, ageMs: number, nowMs: number): Entry | null {
    const name = this.#clusterOf[slot];
    const config = name === undefined ? undefined : this.#configs.get(name);
    if (name === undefined || config === undefined) return null;
    let sessions = this.#clusters.get(name);
    if (sessions === undefined) {
      sessions = new ClusterSessions(name, config, this.#parts);
      this.#clusters.set(name, sessions);
      // An operator may ask before the next tick.
      sessions.tick(this.#hands.seats(name), nowMs, false);
    }
    return sessions.open(worker, sequence, slot, ageMs, nowMs);
  }

  #send(entries: readonly Entry[]): void {
    const byWorker = new Map<number, TunnelMove[]>();
    for (const { id, worker, ordered, cluster } of entries) {
      const moves = byWorker.get(worker) ?? [];
      byWorker.set(worker, moves);
      moves.push({ id, to: cluster.nameOf(ordered!.to), reason: ordered!.reason });
    }
    for (const [worker, moves] of byWorker) this.#hands.order(worker, moves);
  }

  #lookUp(id: string): Entry | undefined {
    const [, worker, sequence] = /^(\d{1,6})-(\d{1,15})$/.exec(id) ?? [];
    return this.#find(Number(worker), Number(sequence));
  }

  #find(worker: number, sequence: number): Entry | undefined {
    const entries = this.#workers.get(worker) ?? [];
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle]!.sequence < sequence) low = middle + 1;
      else high = middle;
    }
    const entry = entries[low];
    return entry?.sequence === sequence && !entry.over ? entry : undefined;
  }

  #movable(id: string): Entry {
    const entry = this.#lookUp(id);
    if (entry !== undefined) return entry;
    throw new LeasewayError('NOT_FOUND', `no session ${id} that can move; leaseway leases lists them`);
  }

  #known(cluster: string | null): void {
    if (cluster === null || this.#configs.has(cluster)) return;
    const names = [...this.#configs.keys()].slice(0, 10).join(', ') || 'none';
    throw new LeasewayError('NOT_FOUND', `cluster ${cluster}; the clusters are: ${names}`);
  }
}

const close = (entry: Entry): void => entry.cluster.close(entry);

const figureOf = (value: number | undefined): number | null =>
  value === undefined || Number.isNaN(value) ? null : Math.round(1000 * value) / 1000;
