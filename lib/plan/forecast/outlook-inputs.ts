// What a load minutes and hours ahead is explained by: minute for minute, the same for whoever forecasts and whoever trains.

import assert from 'node:assert/strict';
import { Averages } from './averages.ts';
import { LoadForecaster } from './load-forecaster.ts';

export const MINUTE_MS = 60_000;
/** How far ahead is looked, in minutes. */
export const OUTLOOK_MINUTES = [5, 15, 60] as const;
export const REACHES = OUTLOOK_MINUTES.length;
const DAY = 1440;
const WEEK = 7 * DAY;
/** Kept of the past: a week to look back on from the first of two weeks to learn from. */
export const HISTORY_MINUTES = 3 * WEEK;
/** Own averages, calendar, and for each reach: yesterday, last week, profile, cycle. */
export const OUTLOOK_INPUTS = 14 + 4 * REACHES;
/** Logarithms are of loads no smaller than this. */
const MIN_LOAD = 0.01;
/** A gap longer than so many minutes is not filled: what is known of the present is forgotten. */
const MAX_FILLED = 60;
/** So much of a past makes the averages what they were: five times the longest span. */
const AVERAGED = 1500;
/** From this weight on the members that heed a found period are asked. */
const HEEDED = 1e-3;

const log = (load: number): number => Math.log(Math.max(MIN_LOAD, load));

export class OutlookInputs {
  readonly models = new LoadForecaster({
    stepMs: MINUTE_MS,
    horizonsMs: OUTLOOK_MINUTES.map(minutes => minutes * MINUTE_MS),
    tempo: 60,
  });
  /** Differences of logarithms, but for the calendar's sines and the weekend. */
  readonly values = new Float64Array(OUTLOOK_INPUTS);
  /** By reach: what the simple models together say, and the profile's change until then, as a logarithm. */
  readonly points = new Float64Array(REACHES);
  readonly changes = new Float64Array(REACHES);
  /** Logarithm of the mean of about five minutes: what everything is measured from. */
  anchor = Number.NaN;
  readonly #history = new Float32Array(HISTORY_MINUTES);
  #averages = new Averages(1000);
  #minute = Number.NaN;
  #count = 0;

  /** Minutes since 1970 of the last load; NaN before the first. */
  get minute(): number {
    return this.#minute;
  }

  /** Minutes up to the last one without a hole. */
  get known(): number {
    return this.#count;
  }

  /** Of a new one: the loads up to `minute`, oldest first, and what its models were. False, and nothing is changed, when those are none. */
  restore(history: Float32Array, minute: number, models: unknown): boolean {
    if (!this.models.restore(models)) return false;
    for (const [i, load] of history.entries()) {
      this.#keep(load, minute - history.length + 1 + i);
      if (history.length - i <= AVERAGED) this.#averages.add(load);
    }
    this.#minute = minute;
    const atMs = minute * MINUTE_MS;
    // Learned twice, or nothing could be said before another minute is over.
    this.models.observe({ atMs, wallMs: atMs, load: history.at(-1)!, ageMs: 0 });
    this.#fill();
    return true;
  }

  /** Loads up to the last minute without a hole, oldest first. */
  history(): Float32Array {
    return Float32Array.from({ length: this.#count }, (_, i) => this.#at(this.#minute - this.#count + 1 + i));
  }

  /** The mean load of a minute later than all before. */
  push(load: number, minute: number): void {
    const missing = Number.isNaN(this.#minute) ? 0 : minute - this.#minute - 1;
    assert(missing >= 0);
    if (missing > MAX_FILLED) this.#averages = new Averages(1000);
    if (missing >= HISTORY_MINUTES) this.#count = 0;
    else {
      const last = this.#at(this.#minute);
      for (let i = 0; i < missing; i++) this.#keep(last, minute - missing + i);
    }
    this.#keep(load, minute);
    this.#minute = minute;
    const atMs = minute * MINUTE_MS;
    this.models.observe({ atMs, wallMs: atMs, load, ageMs: 0 });
    this.#averages.add(load);
    this.#fill();
  }

  #keep(load: number, minute: number): void {
    this.#history[minute % HISTORY_MINUTES] = load;
    this.#count = Math.min(HISTORY_MINUTES, this.#count + 1);
  }

  #at(minute: number): number {
    return this.#history[minute % HISTORY_MINUTES]!;
  }

  #fill(): void {
    const { values } = this;
    const minute = this.#minute;
    const [two, five, quarter, hour, hours] = this.#averages.values;
    const anchor = log(five!);
    this.anchor = anchor;
    values[0] = log(this.#at(minute)) - anchor;
    values[1] = log(two!) - anchor;
    values[2] = log(quarter!) - anchor;
    values[3] = log(hour!) - anchor;
    values[4] = log(hours!) - anchor;
    const day = (2 * Math.PI * (minute % DAY)) / DAY;
    const ofHour = (2 * Math.PI * (minute % 60)) / 60;
    for (let k = 1; k <= 2; k++) {
      values[4 * k + 1] = Math.sin(k * day);
      values[4 * k + 2] = Math.cos(k * day);
      values[4 * k + 3] = Math.sin(k * ofHour);
      values[4 * k + 4] = Math.cos(k * ofHour);
    }
    // 1970-01-01 was a Thursday.
    values[13] = (Math.floor(minute / DAY) + 3) % 7 >= 5 ? 1 : 0;
    for (let i = 0; i < REACHES; i++) this.#fillReach(i, OUTLOOK_MINUTES[i]!);
  }

  #fillReach(i: number, ahead: number): void {
    const { members, point } = this.models.reason(ahead * MINUTE_MS);
    const of = (wanted: string): number => members.find(({ name }) => name === wanted)!.forecast;
    const heeded = members.some(({ name, weight }) => name === 'cycle' && weight > HEEDED);
    const base = log(of('ses5'));
    const from = 14 + 4 * i;
    this.points[i] = point;
    this.changes[i] = log(of('profile')) - base;
    this.values[from] = this.#usual(DAY, ahead);
    this.values[from + 1] = this.#usual(WEEK, ahead);
    this.values[from + 2] = this.changes[i]!;
    this.values[from + 3] = heeded ? log(of('cycle')) - base : this.changes[i]!;
  }

  /** What the load did from here on so long ago, each end a mean of five minutes. */
  #usual(ago: number, ahead: number): number {
    if (this.#count < ago + 8) return 0;
    const then = this.#minute - ago;
    return log(this.#mean(then + ahead)) - log(this.#mean(then - 3));
  }

  #mean(centre: number): number {
    let sum = 0;
    for (let minute = centre - 2; minute <= centre + 2; minute++) sum += this.#at(minute);
    return sum / 5;
  }
}

/** Answers are divided by this, so that a network's lie well within -1 and 1. */
const ANSWER_SPAN = 2;
const MAX_ANSWER = 0.9;

/** What a model ought to have said: the load over the anchor, less what the profile said; clipped. */
export function answerOf(load: number, anchor: number, change: number): number {
  const answer = (log(load) - anchor - change) / ANSWER_SPAN;
  return Math.max(-MAX_ANSWER, Math.min(MAX_ANSWER, answer));
}

/** The load that an answer stands for. */
export function loadOf(answer: number, anchor: number, change: number): number {
  const bounded = Math.max(-MAX_ANSWER, Math.min(MAX_ANSWER, answer));
  return Math.exp(anchor + change + ANSWER_SPAN * bounded);
}
