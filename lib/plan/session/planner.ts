// Which sessions move, where to, and why: before a backend is overloaded, no more than needed, cheapest first. Pure.

import { Budget, type BudgetSettings } from './budget.ts';
import { choose } from './choose.ts';
import type { Levels } from './levels.ts';
import type { SessionTable } from './table.ts';

export interface PlannerSettings extends BudgetSettings {
  /** A backend foreseen above this sheds … */
  readonly over: number;
  /** … until it is foreseen here. Both give way to the cluster's mean: where all are full, moving helps nobody. */
  readonly under: number;
  /** No backend is brought above this by a move, or above the cluster's mean plus `aboveMean`, whichever is more. */
  readonly fullAt: number;
  readonly aboveMean: number;
  /** A session stays at least so long where it was placed … */
  readonly dwellMs: number;
  /** … and is left alone while it is younger than this. */
  readonly leastAgeMs: number;
  /** A session larger than so many times what is to be shed is passed over. */
  readonly largest: number;
  /** A backend foreseen so far below the mean is filled, by half of the budget at most. */
  readonly fillBelowMean: number;
  /** Sessions that leave draining backends a second, over the cluster, when their deadlines do not ask for more. */
  readonly drainPerSecond: number;
  /** A drain is to be done so long before its deadline. */
  readonly drainReserveMs: number;
}

export const PLANNER_DEFAULTS: PlannerSettings = Object.freeze({
  perSecond: 2,
  perBackend: 50,
  over: 0.9,
  under: 0.8,
  fullAt: 0.87,
  aboveMean: 0.02,
  dwellMs: 60_000,
  leastAgeMs: 10_000,
  largest: 1.3,
  fillBelowMean: 0.2,
  drainPerSecond: 50,
  drainReserveMs: 10_000,
});

/** What the planner needs to know of a backend besides its load. */
export interface Standing {
  /** `draining`: all leave by the deadline. `down`: all leave now. `absent`: nothing is there. */
  readonly state: 'up' | 'draining' | 'down' | 'absent';
  /** False: gated, of weight 0. What it has may stay. */
  readonly takesNew: boolean;
  /** Of a drain; monotonic ms. */
  readonly deadlineMs: number;
}

export type MoveReason = 'overload' | 'forecast' | 'drain' | 'failover' | 'fill' | 'operator';

export interface Move {
  readonly row: number;
  readonly from: number;
  readonly to: number;
  readonly reason: MoveReason;
  /** Loads foreseen: of the source before this move, of the target after it. */
  readonly fromLevel: number;
  readonly toLevel: number;
}

/** What was wanted and could not be begun, said with each plan. */
export interface Stuck {
  readonly slot: number;
  readonly why: 'no_room' | 'budget' | 'nothing_movable';
}

export interface Plan {
  readonly moves: readonly Move[];
  readonly stuck: readonly Stuck[];
}

/** Share of the budget that filling may use. */
const FILL_SHARE = 0.5;
/** A failover is not paced while its targets stay below this. */
const BRIM = 1;
const NOBODY = -1;
const NOT_DRAINING = -1;

interface UnderWay {
  readonly from: number;
  readonly to: number;
  readonly activity: number;
}

export class SessionPlanner {
  readonly #table: SessionTable;
  readonly #levels: Levels;
  readonly #budget: Budget;
  readonly #settings: PlannerSettings;
  readonly #underWay = new Map<number, UnderWay>();
  /** Parts of a move that a drain's pace has earned, by slot. */
  readonly #drainCredit: Float64Array;
  /** 1 from above the line until down at `under`. */
  readonly #shedding: Uint8Array;
  #standings: readonly Standing[] = [];
  #moves: Move[] = [];
  #stuck: Stuck[] = [];
  #fillCredit = 0;
  #nowMs = 0;
  #passedMs = 0;

  constructor(settings: PlannerSettings, table: SessionTable, levels: Levels) {
    this.#settings = settings;
    this.#table = table;
    this.#levels = levels;
    this.#budget = new Budget(settings, table.slots);
    this.#drainCredit = new Float64Array(table.slots).fill(NOT_DRAINING);
    this.#shedding = new Uint8Array(table.slots);
  }

  get underWay(): number {
    return this.#underWay.size;
  }

  /**
   * Once a tick, after the levels have observed; `standings` by slot. Each move it names counts as begun: report its end
   * with `finished`, and `forget` a session that closes meanwhile. `forced`: only what cannot wait for better times, failovers and drains.
   */
  plan(nowMs: number, standings: readonly Standing[], which: 'all' | 'forced' = 'all'): Plan {
    this.#passedMs = this.#nowMs === 0 ? 0 : nowMs - this.#nowMs;
    this.#nowMs = nowMs;
    this.#standings = standings;
    this.#moves = [];
    this.#stuck = [];
    this.#budget.accrue(nowMs);
    const draining = standings.filter(
      ({ state }, slot) => state === 'draining' && this.#table.countOn(slot) > 0,
    ).length;
    for (let slot = 0; slot < standings.length; slot++) {
      const { state } = standings[slot]!;
      if (state === 'down') this.#failOver(slot);
      else if (state === 'draining') this.#drain(slot, draining);
      else this.#drainCredit[slot] = NOT_DRAINING;
    }
    if (which === 'forced') return { moves: this.#moves, stuck: this.#stuck };
    const full = this.#up().filter(slot => this.#sheds(slot));
    // The fullest has the first claim on the budget.
    full.sort((a, b) => this.#levels.ahead(b) - this.#levels.ahead(a));
    for (const slot of full) this.#shed(slot);
    this.#fill(full.length === 0);
    return { moves: this.#moves, stuck: this.#stuck };
  }

  /** Somebody wants this one there, whatever it costs; null when it moves already. */
  order(row: number, to: number): Move | null {
    if (this.#table.moving[row] === 1) return null;
    this.#moves = [];
    this.#begin(row, this.#table.backend[row]!, to, 'operator', false);
    return this.#moves[0]!;
  }

  /** Where a session goes that may go anywhere, -1 when there is nobody. */
  emptiestFor(row: number, standings: readonly Standing[]): number {
    this.#standings = standings;
    return this.#target(this.#table.backend[row]!, this.#table.activity[row]!, Number.POSITIVE_INFINITY);
  }

  /** The move of `row` is over: it is at its target, or still where it was. */
  finished(row: number, succeeded: boolean, nowMs: number): void {
    const move = this.forget(row);
    if (move === null) return;
    if (succeeded) this.#table.place(row, move.to, nowMs);
    // One that failed is not tried again at once.
    else this.#table.placedMs[row] = nowMs;
  }

  /** The session closes: a move of it ends. Called before its row is given back. */
  forget(row: number): UnderWay | null {
    const move = this.#underWay.get(row);
    if (move === undefined) return null;
    this.#underWay.delete(row);
    this.#table.moving[row] = 0;
    this.#levels.move(move.to, move.from, move.activity);
    this.#budget.finish(move.from, move.to);
    return move;
  }

  #up(): number[] {
    const slots: number[] = [];
    for (let slot = 0; slot < this.#standings.length; slot++)
      if (this.#standings[slot]!.state === 'up') slots.push(slot);
    return slots;
  }

  /** From above the line until it is down at `under`, over as many ticks as the budget needs. */
  #sheds(slot: number): boolean {
    const ahead = this.#levels.ahead(slot);
    if (ahead > this.#line()) this.#shedding[slot] = 1;
    else if (ahead <= this.#under()) this.#shedding[slot] = 0;
    return this.#shedding[slot] === 1;
  }

  /** By as few sessions as it takes. */
  #shed(slot: number): void {
    const { largest } = this.#settings;
    const levels = this.#levels;
    const under = this.#under();
    const surplus = (level: number): number => (levels.ahead(slot) - level) / levels.unit(slot);
    const reason: MoveReason = levels.now(slot) > this.#settings.over ? 'overload' : 'forecast';
    const rows = choose(this.#table, slot, this.#ripe(), largest * surplus(under));
    if (rows.length === 0) this.#stuck.push({ slot, why: 'nothing_movable' });
    for (const row of rows) {
      const left = surplus(under);
      if (left <= 0) return;
      if (this.#table.activity[row]! > largest * left) continue;
      if (this.#budget.exhausted) return void this.#stuck.push({ slot, why: 'budget' });
      const to = this.#target(slot, this.#table.activity[row]!, this.#ceiling());
      if (to === NOBODY) return void this.#stuck.push({ slot, why: 'no_room' });
      if (this.#budget.fits(slot, to)) this.#begin(row, slot, to, reason, true);
    }
  }

  /** At once while the others can take it, then at the pace of the budget; the emptiest takes all the same. */
  #failOver(slot: number): void {
    for (const row of this.#table.on(slot).slice()) {
      if (this.#table.moving[row] === 1) continue;
      const activity = this.#table.activity[row]!;
      const to = this.#target(slot, activity, Number.POSITIVE_INFINITY);
      if (to === NOBODY) return void this.#stuck.push({ slot, why: 'no_room' });
      const brimming = this.#levels.ahead(to) + activity * this.#levels.unit(to) > BRIM;
      if (brimming && this.#budget.exhausted) return void this.#stuck.push({ slot, why: 'budget' });
      this.#begin(row, slot, to, 'failover', brimming);
    }
  }

  /** At the pace, or faster where the deadline asks for it: evenly then. The static ones go last. `among` share the pace. */
  #drain(slot: number, among: number): void {
    const { drainReserveMs, drainPerSecond } = this.#settings;
    const leftMs = this.#standings[slot]!.deadlineMs - this.#nowMs;
    const last = leftMs <= 2 * drainReserveMs;
    const rows = [...this.#table.on(slot)].filter(
      row => this.#table.moving[row] === 0 && (last || this.#table.movable[row] === 1),
    );
    if (rows.length === 0) return;
    const even = rows.length / Math.max(1, (leftMs - drainReserveMs) / 1000);
    const pace = leftMs <= 0 ? Number.POSITIVE_INFINITY : Math.max(even, drainPerSecond / among);
    // As many as begin within a second may be under way, or the pace could not be kept.
    const most = Number.isFinite(pace) ? pace : 0;
    // The first goes at once: an operator sees that it works.
    const known = this.#drainCredit[slot]!;
    const credit = known < 0 && leftMs > 0 ? 1 : Math.max(0, known) + (pace * this.#passedMs) / 1000;
    let count = Math.min(Math.floor(credit), rows.length);
    this.#drainCredit[slot] = Math.min(1, credit - count);
    for (const row of rows) {
      if (count <= 0) return;
      const activity = this.#table.activity[row]!;
      const roomy = this.#target(slot, activity, this.#ceiling());
      const to = roomy === NOBODY && last ? this.#target(slot, activity, Number.POSITIVE_INFINITY) : roomy;
      if (to === NOBODY) return void this.#stuck.push({ slot, why: 'no_room' });
      if (!this.#budget.fits(slot, to, most)) continue;
      this.#begin(row, slot, to, 'drain', false);
      count -= 1;
    }
  }

  /** A backend that is new or back is given a bounded share of what the fullest has. */
  #fill(calm: boolean): void {
    const { perSecond, fillBelowMean } = this.#settings;
    this.#fillCredit = Math.min(1, this.#fillCredit + (perSecond * FILL_SHARE * this.#passedMs) / 1000);
    if (!calm) return;
    const levels = this.#levels;
    while (this.#fillCredit >= 1 && !this.#budget.exhausted) {
      const up = this.#up();
      const low = (slot: number): number => levels.mean - levels.ahead(slot);
      const empty = up
        .filter(slot => this.#standings[slot]!.takesNew && low(slot) > fillBelowMean)
        .sort((a, b) => low(b) - low(a))[0];
      const from = up.sort((a, b) => levels.ahead(b) - levels.ahead(a))[0];
      if (empty === undefined || from === undefined || from === empty) return;
      // Half of the gap, so that the two do not change places.
      const gap = (levels.ahead(from) - levels.ahead(empty)) / (levels.unit(from) + levels.unit(empty));
      const row = choose(this.#table, from, this.#ripe(), gap)[0];
      if (row === undefined || !this.#budget.fits(from, empty)) return;
      this.#fillCredit -= 1;
      this.#begin(row, from, empty, 'fill', true);
    }
  }

  #ripe(): { readonly placedBeforeMs: number; readonly openedBeforeMs: number } {
    const { dwellMs, leastAgeMs } = this.#settings;
    return { placedBeforeMs: this.#nowMs - dwellMs, openedBeforeMs: this.#nowMs - leastAgeMs };
  }

  /** Clear of the ceiling of targets, or two full backends would pass sessions to each other. */
  #line(): number {
    const { over, aboveMean } = this.#settings;
    return Math.max(over, this.#levels.mean + 2 * aboveMean);
  }

  #under(): number {
    return Math.max(this.#settings.under, this.#levels.mean);
  }

  #ceiling(): number {
    const { fullAt, aboveMean } = this.#settings;
    return Math.max(fullAt, this.#levels.mean + aboveMean);
  }

  /** The backend that would be emptiest with it, by what is asked of it where loads do not differ; nobody when all would be above `ceiling`. */
  #target(from: number, activity: number, ceiling: number): number {
    const levels = this.#levels;
    let best = NOBODY;
    let least = ceiling;
    let leastHeld = Number.NEGATIVE_INFINITY;
    for (let slot = 0; slot < this.#standings.length; slot++) {
      const { state, takesNew } = this.#standings[slot]!;
      if (slot === from || state !== 'up' || !takesNew) continue;
      const level = levels.ahead(slot) + activity * levels.unit(slot);
      const held = levels.held(slot);
      if (level > least || (level === least && held >= leastHeld)) continue;
      least = level;
      leastHeld = held;
      best = slot;
    }
    return best;
  }

  #begin(row: number, from: number, to: number, reason: MoveReason, paid: boolean): void {
    const activity = this.#table.activity[row]!;
    const fromLevel = this.#levels.ahead(from);
    this.#table.moving[row] = 1;
    this.#levels.move(from, to, activity);
    if (paid) this.#budget.pay();
    this.#budget.begin(from, to);
    this.#underWay.set(row, { from, to, activity });
    this.#moves.push({ row, from, to, reason, fromLevel, toLevel: this.#levels.ahead(to) });
  }
}
