// The movable sessions of one cluster: who is where, how busy, and four times a second which of them move.

import { isDeepStrictEqual } from 'node:util';
import type { ClusterConfig } from '../../config/cluster.ts';
import type { TunnelMoved } from '../../orders/messages.ts';
import {
  type Move,
  PLANNER_DEFAULTS,
  type PlannerSettings,
  SessionPlanner,
  type Standing,
  type Stuck,
} from '../../plan/session/planner.ts';
import { SessionTable } from '../../plan/session/table.ts';
import { BackendModels } from './backend-models.ts';
import type { DecisionRing } from './decision-ring.ts';
import { Entry } from './entry.ts';
import type { DecisionOutcome, DecisionRecord, Seat, SessionView } from './ports.ts';

/** Movable sessions of a cluster that are planned for; those beyond are served and never moved for load. */
const MAX_SESSIONS = 131_072;
/** A session costs its backend something while it is silent: as much as a message in twenty seconds. */
const SILENT = 0.05;
/** Activity is the mean of about so long. */
const SMOOTH_MS = 5_000;
/** So long after the first session its cluster's loads are set against what is asked. */
const ACQUAINTED_MS = 3_000;
/** A worker that does not answer an order within this time has lost it. */
const ANSWER_MS = 60_000;
/** What would have been done is shown once, and planned again after this. */
const SHADOW_MS = 10_000;
const ABSENT: Standing = Object.freeze({ state: 'absent', takesNew: false, deadlineMs: 0 });

export interface ClusterHands {
  readonly maxBackends: number;
  readonly ring: DecisionRing;
  wallMs(): number;
}

export class ClusterSessions {
  readonly name: string;
  unplanned = 0;
  readonly #hands: ClusterHands;
  readonly #table: SessionTable;
  readonly #entries: (Entry | undefined)[] = [];
  /** Those with a move ordered, and not answered. */
  readonly #ordered = new Set<Entry>();
  #config: ClusterConfig;
  #models: BackendModels;
  #planner: SessionPlanner;
  #seats = new Map<number, Seat>();
  #standings: Standing[] = [];
  #stuck: readonly Stuck[] = [];
  #tallied = 0;
  /** Tick in which there was a session first. */
  #firstMs = Number.NaN;

  constructor(name: string, config: ClusterConfig, hands: ClusterHands) {
    this.name = name;
    this.#hands = hands;
    this.#config = config;
    this.#table = new SessionTable(MAX_SESSIONS, hands.maxBackends);
    this.#models = new BackendModels(this.#table, config.forecast !== 'off');
    this.#planner = new SessionPlanner(plannerSettings(config), this.#table, this.#models.levels);
  }

  get size(): number {
    return this.#table.count;
  }

  get underWay(): number {
    return this.#ordered.size;
  }

  get stuck(): readonly { readonly backend: string; readonly why: string }[] {
    return this.#stuck.map(({ slot, why }) => ({ backend: this.nameOf(slot), why }));
  }

  /** Moves that are under way go on; the new planner does not know them, so their answers only move rows. */
  configure(config: ClusterConfig): void {
    const before = this.#config;
    this.#config = config;
    const models = (before.forecast === 'off') !== (config.forecast === 'off');
    const same = isDeepStrictEqual(plannerSettings(before), plannerSettings(config));
    if (!models && same) return;
    for (const entry of [...this.#ordered]) this.#settle(entry);
    if (models) this.#models = new BackendModels(this.#table, config.forecast !== 'off');
    this.#planner = new SessionPlanner(plannerSettings(config), this.#table, this.#models.levels);
  }

  /** Null when there is no room for it. `ageMs`: a control thread that is new hears of old ones. */
  open(worker: number, sequence: number, slot: number, ageMs: number, nowMs: number): Entry | null {
    // Until it is known, it is as busy as the others there.
    const count = this.#table.countOn(slot);
    const activity = count === 0 ? SILENT : this.#table.activityOn(slot) / count;
    const row = this.#table.open(slot, activity, nowMs, this.#config.sticky?.type !== 'static');
    if (row < 0) {
      this.unplanned += 1;
      return null;
    }
    this.#table.openedMs[row] = nowMs - ageMs;
    this.#table.placedMs[row] = nowMs - ageMs;
    const entry = new Entry(this, worker, sequence, row, nowMs);
    this.#entries[row] = entry;
    return entry;
  }

  close(entry: Entry): void {
    if (entry.over) return;
    entry.over = true;
    if (entry.ordered !== null) this.#end(entry, 'failed', 'the connection closed');
    this.#planner.forget(entry.row);
    this.#entries[entry.row] = undefined;
    this.#table.close(entry.row);
  }

  /** Whole messages since the last time, and where it is. */
  heard(entry: Entry, messages: number, slot: number, nowMs: number): void {
    if (entry.over) return;
    const { row } = entry;
    // Moved, and the report of it is still to come.
    if (slot !== this.#table.backend[row] && entry.ordered === null) this.#table.place(row, slot, nowMs);
    const passedMs = nowMs - entry.countedMs;
    // The first word of it counts from nobody knows when.
    if (passedMs <= 0) return;
    entry.countedMs = nowMs;
    const rate = SILENT + (1000 * messages) / passedMs;
    const before = this.#table.activity[row]!;
    const weight = passedMs / Math.min(SMOOTH_MS, nowMs - entry.sinceMs);
    this.#table.setActivity(row, before + Math.min(1, weight) * (rate - before));
  }

  /** A worker's word: of a move that was ordered, or of one that it began when a backend died. */
  moved(entry: Entry, { result, from, to, holdMs, reason }: TunnelMoved, nowMs: number): void {
    if (entry.over) return;
    if (entry.ordered?.shadow) this.#settle(entry);
    const { row, ordered } = entry;
    const slot = this.#slotOf(to);
    const succeeded = (result === 'moved' || result === 'unclean') && slot !== undefined;
    if (ordered !== null) this.#settle(entry, succeeded, nowMs);
    if (succeeded && this.#table.backend[row] !== slot) this.#table.place(row, slot, nowMs);
    const why = ordered?.reason ?? 'failover';
    const told = { from, to, outcome: result, holdMs, detail: result === 'moved' ? '' : reason };
    this.#note(why, entry, told, ordered);
    // Its client was told to come again: it counts nowhere until it does.
    if (result === 'ended') this.close(entry);
  }

  /** The worker is gone, and with it what was on it. */
  lost(entry: Entry): void {
    if (entry.ordered !== null) this.#end(entry, 'lost', 'its worker ended');
    this.close(entry);
  }

  /** Once a tick; what is to be ordered. `frozen` and shadow hold what is not forced. */
  tick(seats: readonly Seat[], nowMs: number, frozen: boolean): readonly Entry[] {
    this.#look(seats, nowMs);
    if (this.#table.count === 0) return [];
    this.#tally();
    this.#expire(nowMs);
    const shadow = this.#config.migration.mode === 'shadow';
    const plan = this.#planner.plan(nowMs, this.#standings, frozen ? 'forced' : 'all');
    this.#stuck = plan.stuck;
    const orders: Entry[] = [];
    for (const move of plan.moves) {
      const entry = this.#entries[move.row]!;
      const forced = move.reason === 'failover' || move.reason === 'drain';
      this.#order(entry, move, nowMs, shadow && !forced);
      if (!entry.ordered!.shadow) orders.push(entry);
    }
    return orders;
  }

  /** An operator's order. A sentence when it cannot be. */
  move(entry: Entry, to: string | null, nowMs: number): DecisionRecord | string {
    const slot = to === null ? this.#planner.emptiestFor(entry.row, this.#standings) : this.#slotOf(to);
    const seat = this.#seats.get(slot ?? -1);
    if (seat === undefined)
      return `cluster ${this.name} has no ${to === null ? 'other backend that takes it' : `backend ${to}`}`;
    if (seat.state !== 'up') return `backend ${to} is ${seat.state}`;
    if (seat.slot === this.#table.backend[entry.row]) return `it is on ${to} already`;
    if (entry.ordered?.shadow) this.#settle(entry);
    const move = this.#planner.order(entry.row, seat.slot);
    if (move === null) return 'it is being moved';
    return this.#order(entry, move, nowMs, false);
  }

  noteEnded(entry: Entry): DecisionRecord {
    return this.#hands.ring.add({
      ...{ atMs: this.#hands.wallMs(), cluster: this.name, kind: 'termination', reason: 'operator' },
      ...{ session: entry.id, from: this.nameOf(this.#table.backend[entry.row]!), to: null },
      ...{ fromLevel: null, toLevel: null, outcome: 'done', holdMs: null, detail: '' },
    });
  }

  view({ id, row, ordered }: Entry, nowMs: number): SessionView {
    return {
      id,
      cluster: this.name,
      backend: this.nameOf(this.#table.backend[row]!),
      type: this.#table.movable[row] === 1 ? 'dynamic' : 'static',
      placedMs: Math.round(nowMs - this.#table.placedMs[row]!),
      messagesPerSecond: Math.round(100 * Math.max(0, this.#table.activity[row]! - SILENT)) / 100,
      movingTo: ordered === null || ordered.shadow ? null : this.nameOf(ordered.to),
    };
  }

  countOn(slot: number): number {
    return this.#table.countOn(slot);
  }

  /** Activity per session there; for plans of drains. */
  levelsOf(slot: number): {
    readonly now: number;
    readonly ahead: number;
    readonly unit: number;
    readonly held: number;
  } {
    const { levels } = this.#models;
    return {
      now: levels.now(slot),
      ahead: levels.ahead(slot),
      unit: levels.unit(slot),
      held: levels.held(slot),
    };
  }

  #look(seats: readonly Seat[], nowMs: number): void {
    this.#seats = new Map(seats.map(seat => [seat.slot, seat]));
    const wallMs = this.#hands.wallMs();
    const standings: Standing[] = [];
    const up: number[] = [];
    for (const seat of seats) {
      const { slot, state, takesNew, drainUntilMs } = seat;
      standings[slot] = {
        // Whoever is taken out lives: that is a drain whose deadline is now.
        state: state === 'maintenance' || state === 'gone' ? 'draining' : state,
        takesNew,
        deadlineMs: drainUntilMs === null ? nowMs : nowMs + (drainUntilMs - wallMs),
      };
      if (state === 'up') up.push(slot);
      if (state !== 'up') this.#forgetShadowsOf(slot);
    }
    for (let slot = 0; slot < standings.length; slot++) standings[slot] ??= ABSENT;
    this.#standings = standings;
    if (this.#table.count > 0) this.#models.observe(this.#priced(seats, nowMs), up, nowMs, wallMs);
  }

  /** Loads mean nothing before it is known what the sessions do that make them. */
  #priced(seats: readonly Seat[], nowMs: number): readonly Seat[] {
    if (Number.isNaN(this.#firstMs)) this.#firstMs = nowMs;
    if (nowMs - this.#firstMs >= ACQUAINTED_MS) return seats;
    return seats.map(seat => ({ ...seat, load: Number.NaN }));
  }

  /** What was only shown must not be in the way of what has to be done. */
  #forgetShadowsOf(slot: number): void {
    if (this.#ordered.size === 0) return;
    for (const entry of [...this.#ordered])
      if (entry.ordered!.shadow && entry.ordered!.from === slot) this.#settle(entry);
  }

  #order(entry: Entry, move: Move, nowMs: number, shadow: boolean): DecisionRecord {
    entry.ordered = { ...move, sinceMs: nowMs, shadow };
    this.#ordered.add(entry);
    const told = { from: this.nameOf(move.from), to: this.nameOf(move.to), holdMs: null, detail: '' };
    return this.#note(move.reason, entry, { ...told, outcome: shadow ? 'shadow' : 'ordered' }, move);
  }

  #expire(nowMs: number): void {
    for (const entry of [...this.#ordered]) {
      const { shadow, sinceMs } = entry.ordered!;
      if (shadow && nowMs - sinceMs >= SHADOW_MS) this.#settle(entry, false, nowMs);
      else if (nowMs - sinceMs >= ANSWER_MS) this.#end(entry, 'lost', 'no answer from its worker');
    }
  }

  #end(entry: Entry, outcome: DecisionOutcome, detail: string): void {
    const ordered = entry.ordered!;
    this.#settle(entry);
    if (ordered.shadow) return;
    const [from, to] = [this.nameOf(ordered.from), this.nameOf(ordered.to)];
    this.#note(ordered.reason, entry, { from, to, outcome, holdMs: null, detail }, ordered);
  }

  /** The order is over; without a result it is as if it had not been. */
  #settle(entry: Entry, succeeded?: boolean, nowMs = 0): void {
    this.#ordered.delete(entry);
    entry.ordered = null;
    if (succeeded === undefined) this.#planner.forget(entry.row);
    else this.#planner.finished(entry.row, succeeded, nowMs);
  }

  #note(
    reason: DecisionRecord['reason'],
    entry: Entry,
    told: Pick<DecisionRecord, 'from' | 'to' | 'outcome' | 'holdMs' | 'detail'>,
    levels: Pick<Move, 'fromLevel' | 'toLevel'> | null,
  ): DecisionRecord {
    return this.#hands.ring.add({
      ...{ atMs: this.#hands.wallMs(), cluster: this.name, reason, session: entry.id },
      kind: reason === 'failover' ? 'failover' : 'migration',
      ...{ fromLevel: levels?.fromLevel ?? null, toLevel: levels?.toLevel ?? null },
      ...told,
    });
  }

  /** Of what was added and subtracted a million times one sum is made anew per tick. */
  #tally(): void {
    this.#tallied = (this.#tallied + 1) % Math.max(1, this.#standings.length);
    this.#table.tally(this.#tallied);
  }

  #slotOf(id: string): number | undefined {
    for (const seat of this.#seats.values()) if (seat.id === id) return seat.slot;
    return undefined;
  }

  nameOf(slot: number): string {
    return this.#seats.get(slot)?.id ?? `slot ${slot}`;
  }
}

function plannerSettings({ migration, drain }: ClusterConfig): PlannerSettings {
  const { over, under, per_second, at_once, dwell } = migration;
  return {
    ...PLANNER_DEFAULTS,
    over,
    under,
    perSecond: per_second,
    perBackend: at_once,
    dwellMs: dwell,
    drainPerSecond: drain.pace,
    // Room between the ceiling of targets and the line, as in the defaults.
    fullAt: under + 0.7 * (over - under),
  };
}
