// One cluster at work: its members come and go, are checked, ejected, drained, and every tick gets its verdicts.

import type { ClusterConfig, ConcurrencyConfig } from '../../config/cluster.ts';
import { messageOf } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';
import type { ClusterEntry } from '../../orders/snapshot.ts';
import { standstillMs } from '../../plan/balance/gate.ts';
import { BackendState, type Decision, NO_FORECAST, PLAIN_LEASES } from '../../scoreboard/ports.ts';
import type { ClusterForecast, Foreseen, Outlook, Subject } from '../forecast/cluster-forecast.ts';
import type { Forecasts } from '../forecast/forecasts.ts';
import type { Seat } from '../session/ports.ts';
import type { AgentView } from '../signals/board.ts';
import type { AdminState } from './admin-state.ts';
import { type Backend, stateAt } from './backend.ts';
import type { LoadBackendFile } from './discovery/backend-list.ts';
import { changesBetween } from './discovery/changes.ts';
import { moveOutliers } from './ejections.ts';
import type { RaiseReason } from './generations.ts';
import { type CheckHands, ClusterChecks } from './health/cluster-checks.ts';
import type { Health } from './health/rise-fall.ts';
import { named } from './identity.ts';
import { type Judgement, judge, type Standpoint } from './judge.ts';
import type { SourceKind } from './membership.ts';
import { Roster, type RosterHands } from './roster.ts';
import { Sources } from './sources.ts';

/** What all clusters share. */
export interface ClusterHands extends RosterHands, CheckHands {
  readonly random: Random;
  readonly load: LoadBackendFile;
  readonly admin: AdminState;
  readonly agents: AgentView;
  readonly forecasts: Forecasts;
  /** A backend's health is not what it was. */
  flipped(): void;
}

/** The fixed limit, or the ceiling of one that adapts. */
const mostAtOnce = (concurrency: ConcurrencyConfig): number =>
  typeof concurrency === 'number' ? concurrency : concurrency.adaptive.max;

export interface Leaving {
  readonly slot: number;
  /** Unix ms; null for one that is out already. */
  readonly endByMs: number | null;
}

/** A disk that refuses is asked again after this. */
const RETRY_MS = 10_000;

export class Cluster implements Disposable {
  readonly name: string;
  readonly #hands: ClusterHands;
  readonly #roster: Roster;
  readonly #checks: ClusterChecks;
  readonly #sources: Sources;
  readonly #forecast: ClusterForecast;
  #config: ClusterConfig;
  /** False until the first round is over: who comes up before then was not late. */
  #settled = false;
  #panic = false;
  #drainRetryMs = 0;
  #lastTick: {
    readonly judgement: Judgement;
    readonly outlooks: ReadonlyMap<number, Outlook>;
    readonly of: readonly Backend[];
  } | null = null;

  constructor(name: string, config: ClusterConfig, hands: ClusterHands) {
    this.name = name;
    this.#hands = hands;
    this.#config = config;
    this.#forecast = hands.forecasts.open(name, config);
    this.#checks = new ClusterChecks(name, config, hands, (backend, before) =>
      this.#flipped(backend, before),
    );
    this.#roster = new Roster(name, hands, {
      arrived: backend => {
        if (this.#config.health === undefined) this.startSlowly(backend);
        this.#checks.start(backend);
      },
      left: backend => backend.stop(),
    });
    this.#sources = new Sources(name, {
      ...hands,
      added: () => hands.admin.added(name),
      known: source => this.#roster.known(source),
      apply: (source, change) => this.#roster.apply(source, change),
    });
    this.#sources.configure(config);
  }

  get config(): ClusterConfig {
    return this.#config;
  }

  get backends(): ReadonlyMap<string, Backend> {
    return this.#roster.backends;
  }

  /** Backends that wait for a slot count too. */
  get size(): number {
    return this.#roster.size;
  }

  configure(config: ClusterConfig): void {
    if (JSON.stringify(this.#config) !== JSON.stringify(config)) this.#hands.changed();
    this.#config = config;
    this.#forecast.configure(config);
    this.#checks.configure(config, this.backends.values());
    this.#sources.configure(config);
  }

  /** Resolves when discoveries have answered and every backend found so far was checked once. */
  async firstRound(): Promise<void> {
    await this.#sources.answered();
    await Promise.all([...this.backends.values()].map(backend => backend.judged));
  }

  /** From now on, who comes up comes late and starts slowly. */
  settle(): void {
    this.#settled = true;
  }

  /** An operator added or removed a backend: done when this returns, since the answer to the order shows it. */
  apiChanged(): void {
    const added = this.#hands.admin.added(this.name).map(named);
    for (const change of changesBetween(this.#roster.known('api'), added)) this.#roster.apply('api', change);
  }

  sourceOf(id: string): SourceKind | undefined {
    return this.#roster.sourceOf(id);
  }

  entry(): Omit<ClusterEntry, 'tls'> {
    const backends = [...this.backends.values()].map(({ id, url, slot, weight }) => ({
      id,
      url,
      weight: this.#hands.admin.get(this.name, id).weight ?? weight,
      slot: slot.index,
      slotGeneration: slot.generation,
      generation: this.#hands.ledger.generations.of(this.name, id),
    }));
    return { name: this.name, config: this.#config, backends };
  }

  /** Members that wait for a slot, drains that are over, outliers, panic; adds decisions, which are to be published. */
  tick(into: Map<number, Decision>): void {
    this.#roster.retrySlotless();
    this.#endDrains();
    this.#heedAgents();
    this.#moveOutliers();
    const judgement = this.judge();
    this.#notePanic(judgement);
    const outlooks = this.#foresee(judgement);
    this.#decide(judgement, outlooks, into);
    this.#lastTick = { judgement, outlooks, of: [...this.backends.values()] };
  }

  /** As of the last tick. */
  seats(): readonly Seat[] {
    if (this.#lastTick === null) return [];
    const { judgement, outlooks, of } = this.#lastTick;
    return of.map(({ id, slot }, index): Seat => {
      const { state, effectiveWeight } = judgement.verdicts[index]!;
      const { state: admin, drainUntilMs } = this.#hands.admin.get(this.name, id);
      return {
        ...{ id, slot: slot.index, slotGeneration: slot.generation, state },
        takesNew: effectiveWeight > 0 && (outlooks.get(slot.index)?.gate ?? 0) === 0,
        requests: this.#hands.board.totals(slot.index).attempts,
        drainUntilMs: admin === 'drain' ? (drainUntilMs ?? null) : null,
        ...this.#forecast.scoreOf(id),
        calendar: this.#forecast.calendarOf(id),
      };
    });
  }

  /** Between ticks: gates of those that stand still, or do no more, into the decisions of the last tick. True when there were any. */
  heedStalls(into: Map<number, Decision>): boolean {
    const nowMs = this.#hands.clock.monotonicMs();
    let changed = false;
    for (const backend of this.backends.values()) {
      const { index } = backend.slot;
      const decision = into.get(index);
      if (decision?.slotGeneration !== backend.slot.generation) continue;
      if (!this.#forecast.heed(backend.id, this.#silentMs(index), nowMs)) continue;
      into.set(index, { ...decision, gate: this.#forecast.gateOf(index) });
      changed = true;
    }
    return changed;
  }

  #silentMs(slot: number): number {
    const { board } = this.#hands;
    return standstillMs(board.waiting(slot), board.silentMs(slot));
  }

  /** Verdicts in the order of `backends`, as of now. */
  judge(): Judgement {
    const views = [...this.backends.values()].map(backend => this.#standpoint(backend));
    const { slow_start: slowStartMs, panic: panicShare } = this.#config.balance;
    return judge(views, this.#hands.clock.monotonicMs(), { slowStartMs, panicShare });
  }

  foreseen(id: string): Foreseen {
    return this.#forecast.foreseen(id);
  }

  /** Backends whose operators want their tunnels gone. */
  leaving(): readonly Leaving[] {
    const wallMs = this.#hands.clock.wallMs();
    return [...this.backends.values()].flatMap(({ id, slot }): Leaving[] => {
      const admin = this.#hands.admin.get(this.name, id);
      const state = stateAt(admin, wallMs);
      if (state === 'ready') return [];
      return [{ slot: slot.index, endByMs: state === 'drain' ? (admin.drainUntilMs ?? 0) : null }];
    });
  }

  /** The leases of this backend end. */
  raise(id: string, reason: RaiseReason): void {
    this.#hands.ledger.generations.raise(this.name, id, reason);
    this.#hands.ledger.touch();
    this.#hands.changed();
  }

  /** It came up beside others that served already; at the start all are equally cold. */
  startSlowly(backend: Backend): void {
    backend.upSinceMs = this.#settled ? this.#hands.clock.monotonicMs() : null;
  }

  /** The cluster is no longer configured. */
  leave(): void {
    this.#roster.removeAll();
    this.#hands.forecasts.close(this.name);
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#sources[Symbol.dispose]();
    for (const backend of this.backends.values()) backend.stop();
  }

  #flipped(backend: Backend, before: Health): void {
    if (backend.standing.health === 'up') this.startSlowly(backend);
    if (before === 'up') this.raise(backend.id, 'failover');
    this.#hands.flipped();
  }

  #standpoint(backend: Backend): Standpoint {
    const admin = this.#hands.admin.get(this.name, backend.id);
    const agent = this.#hands.agents.agent(this.name, backend.id);
    return backend.standpoint(admin, agent, this.#config.health !== undefined, this.#hands.clock.wallMs());
  }

  /** As when checks fail: what is down loses its leases. */
  #heedAgents(): void {
    for (const backend of this.backends.values()) {
      const { down, why } = this.#hands.agents.agent(this.name, backend.id);
      if (down === backend.agentDown) continue;
      backend.agentDown = down;
      const said = { cluster: this.name, backend: backend.id };
      if (down) {
        this.#hands.log.warn(
          `cluster ${this.name}: the agent of ${backend.id} says it is down: ${why}`,
          said,
        );
        this.raise(backend.id, 'failover');
      } else {
        this.#hands.log.info(`cluster ${this.name}: the agent of ${backend.id} says it is up`, said);
        this.startSlowly(backend);
      }
    }
  }

  #moveOutliers(): void {
    const { board, clock, log } = this.#hands;
    const { ejected, returned } = moveOutliers(
      [...this.backends.values()],
      backend => board.totals(backend.slot.index),
      backend => this.#standpoint(backend),
      clock.monotonicMs(),
      this.#config.outlier,
    );
    for (const backend of returned) {
      this.startSlowly(backend);
      log.info(`cluster ${this.name}: backend ${backend.id} is back on probation`, {
        cluster: this.name,
        backend: backend.id,
      });
    }
    for (const backend of ejected) {
      const forMs = backend.outlier.lastEjectionMs;
      log.warn(
        `cluster ${this.name}: backend ${backend.id} is ejected for ${forMs} ms: ${backend.ejectionDetail}`,
        { cluster: this.name, backend: backend.id, ejectedMs: forMs },
      );
      this.raise(backend.id, 'failover');
    }
  }

  /** By slot: what is foreseen of those that take new work. */
  #foresee({ verdicts, panic }: Judgement): ReadonlyMap<number, Outlook> {
    const { board, clock } = this.#hands;
    const { capacity, limits } = this.#config;
    // A limit that is found by itself moves with the load: it is no measure of it.
    const fixed = typeof limits.concurrency === 'number' ? limits.concurrency : 0;
    let index = 0;
    const subjects = [...this.backends.values()].map((backend): Subject => {
      const { state, effectiveWeight } = verdicts[index++]!;
      const { index: slot, generation } = backend.slot;
      const own = backend.capacity ?? capacity ?? {};
      return {
        id: backend.id,
        slot,
        slotGeneration: generation,
        capacity: fixed > 0 ? { concurrency: fixed, ...own } : own,
        // Before the first decision the slot's counters are still those of its last owner.
        working: backend.decided && state === 'up' && effectiveWeight > 0,
        inFlight: board.inFlight(slot),
        connections: board.tunnels(slot),
        counts: board.totals(slot),
        silentMs: this.#silentMs(slot),
      };
    });
    return this.#forecast.tick(subjects, clock.monotonicMs(), clock.wallMs(), panic);
  }

  #decide(
    { verdicts }: Judgement,
    outlooks: ReadonlyMap<number, Outlook>,
    into: Map<number, Decision>,
  ): void {
    let index = 0;
    for (const backend of this.backends.values()) {
      const { state, effectiveWeight } = verdicts[index++]!;
      const { slot } = backend;
      backend.decided = true;
      into.set(slot.index, {
        state: BackendState[state],
        // A weight over 0 takes some work, however small the share.
        milliWeight: effectiveWeight > 0 ? Math.max(1, Math.round(effectiveWeight * 1000)) : 0,
        concurrency: this.#concurrency(backend),
        slotGeneration: slot.generation,
        ...(outlooks.get(slot.index) ?? NO_FORECAST),
        ...PLAIN_LEASES,
      });
    }
  }

  /** The smaller of what is configured and what its agent asks for; 0 is no limit. */
  #concurrency({ id }: Backend): number {
    const own = mostAtOnce(this.#config.limits.concurrency);
    const { maxConnections } = this.#hands.agents.agent(this.name, id);
    return own > 0 && maxConnections > 0 ? Math.min(own, maxConnections) : own + maxConnections;
  }

  #notePanic({ panic, usable, judged }: Judgement): void {
    if (panic === this.#panic) return;
    this.#panic = panic;
    const fields = { cluster: this.name, usable, judged };
    if (panic)
      this.#hands.log.error(
        `cluster ${this.name}: only ${usable} of ${judged} backends are usable; health is ignored`,
        fields,
      );
    else
      this.#hands.log.info(`cluster ${this.name}: enough backends are usable; health counts again`, fields);
  }

  /** What is past its deadline is out until someone gives it back, after a restart too. */
  #endDrains(): void {
    const { admin, clock, log } = this.#hands;
    if (clock.monotonicMs() < this.#drainRetryMs) return;
    for (const id of this.backends.keys()) {
      const { state, weight, drainUntilMs = 0 } = admin.get(this.name, id);
      if (state !== 'drain' || clock.wallMs() < drainUntilMs) continue;
      const fields = { cluster: this.name, backend: id };
      try {
        admin.set(this.name, id, { state: 'maintenance', ...(weight === undefined ? {} : { weight }) });
        this.raise(id, 'drain');
        log.info(`cluster ${this.name}: backend ${id} is drained and in maintenance`, fields);
      } catch (error) {
        this.#drainRetryMs = clock.monotonicMs() + RETRY_MS;
        log.error(messageOf(error), fields);
        return;
      }
    }
  }
}
