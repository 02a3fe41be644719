// The load of each backend, now and foreseen, with moves under way on both sides of the ledger.

import type { Forecaster } from '../forecast/forecaster.ts';
import type { Price } from './price.ts';
import type { SessionTable } from './table.ts';

export interface LevelSettings {
  /** How far ahead loads are looked at; the worst counts. Empty: the present alone. */
  readonly horizonsMs: readonly number[];
  /** 0: what is expected; 1: what is exceeded one time in ten. */
  readonly caution: number;
}

/** What a backend said of its load, and how old that is. NaN: nothing. */
export interface LoadReading {
  readonly load: number;
  readonly ageMs: number;
}

export interface LevelParts {
  readonly table: SessionTable;
  /** By slot. */
  readonly prices: readonly Price[];
  /** Of the activity of all sessions together; null: nothing is foreseen of it. */
  readonly demand: Forecaster | null;
}

export class Levels {
  readonly #table: SessionTable;
  readonly #prices: readonly Price[];
  readonly #demand: Forecaster | null;
  readonly #settings: LevelSettings;
  /** Load per unit of activity, foreseen; never below the present: a promise of relief must not attract work before it comes. */
  readonly #unit: Float64Array;
  readonly #unitNow: Float64Array;
  /** Activity on its way here, less what is on its way from here. */
  readonly #moving: Float64Array;
  #demandScale = 0;
  #mean = 0;

  constructor({ table, prices, demand }: LevelParts, settings: LevelSettings) {
    this.#table = table;
    this.#prices = prices;
    this.#demand = demand;
    this.#settings = settings;
    this.#unit = new Float64Array(table.slots);
    this.#unitNow = new Float64Array(table.slots);
    this.#moving = new Float64Array(table.slots);
  }

  /** Load of all backends that are up, foreseen: their mean. */
  get mean(): number {
    return this.#mean;
  }

  now(slot: number): number {
    return this.#unitNow[slot]! * this.held(slot);
  }

  ahead(slot: number): number {
    return this.#unit[slot]! * this.held(slot);
  }

  /** Load that one unit of activity is there, foreseen. */
  unit(slot: number): number {
    return this.#unit[slot]!;
  }

  /** Activity there once all moves under way are done. */
  held(slot: number): number {
    return Math.max(0, this.#table.activityOn(slot) + this.#moving[slot]!);
  }

  move(from: number, to: number, activity: number): void {
    this.#moving[from]! -= activity;
    this.#moving[to]! += activity;
  }

  /** Once a tick: `readings` by slot; `up` are the slots whose backends are there and serve. */
  observe(nowMs: number, wallMs: number, readings: readonly LoadReading[], up: readonly number[]): void {
    const table = this.#table;
    let total = 0;
    for (const slot of up) total += table.activityOn(slot);
    const typical = total / Math.max(1, up.length);
    for (const slot of up) {
      const { load, ageMs } = readings[slot]!;
      this.#prices[slot]!.observe(nowMs, wallMs, load, ageMs, table.activityOn(slot), typical);
    }
    const growth = this.#growth(nowMs, wallMs, total);
    const known = up.map(slot => this.#prices[slot]!.now).filter(price => price > 0);
    // Of a backend that nobody has used yet the middle of the others is assumed.
    const usual = known.sort((a, b) => a - b)[known.length >> 1] ?? 0;
    let sum = 0;
    for (const slot of up) {
      const price = this.#prices[slot]!;
      const now = price.now > 0 ? price.now : usual;
      this.#unitNow[slot] = now;
      this.#unit[slot] = Math.max(now, this.#foreseen(price, growth));
      sum += this.ahead(slot);
    }
    this.#mean = sum / Math.max(1, up.length);
  }

  #foreseen(price: Price, growth: readonly number[]): number {
    const { horizonsMs, caution } = this.#settings;
    let most = 0;
    for (let i = 0; i < horizonsMs.length; i++) {
      const ahead = price.ahead(horizonsMs[i]!, caution) * growth[i]!;
      if (ahead > most) most = ahead;
    }
    return most;
  }

  /** By horizon: what all sessions will ask for over what they ask for. */
  #growth(nowMs: number, wallMs: number, total: number): readonly number[] {
    const { horizonsMs } = this.#settings;
    const demand = this.#demand;
    if (demand === null || !(total > 0)) return horizonsMs.map(() => 1);
    if (this.#demandScale === 0) this.#demandScale = 0.5 / total;
    const load = total * this.#demandScale;
    demand.observe({ atMs: nowMs, wallMs, load, ageMs: 0 });
    return horizonsMs.map(ms => {
      const ratio = demand.forecast(ms).p50 / demand.forecast(0).p50;
      return ratio > 0 && Number.isFinite(ratio) ? ratio : 1;
    });
  }
}
