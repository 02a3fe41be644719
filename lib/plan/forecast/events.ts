// Known events as a factor on the load: the forecaster behind sees the load without them, its forecasts get them back.

import type { Forecaster, Quantiles, Sample } from './forecaster.ts';

/** One occurrence. Recurrence and time zones are resolved by whoever knows the calendar's language. */
export interface EventWindow {
  /** Occurrences of one name share what was learned of them. */
  readonly name: string;
  readonly startWallMs: number;
  readonly endWallMs: number;
  /** Expected load over what it would be without; maintenance may be below 1. */
  readonly factor: number;
}

const MAX_WINDOWS = 256;
const MIN_FACTOR = 0.05;
const MAX_FACTOR = 50;
/** Windows that begin within this are looked at in each call; the others once per so long. */
const NEAR_MS = 600_000;

/** What a cluster's backends share. The oldest window makes room for one too many. */
export class EventCalendar {
  #windows: EventWindow[] = [];
  #near: readonly EventWindow[] = [];
  #nearFromMs = 0;
  #nearToMs = 0;
  #endMs = Number.POSITIVE_INFINITY;

  /** False when the window is no window. */
  announce(window: EventWindow): boolean {
    const { startWallMs, endWallMs, factor } = window;
    if (!(Number.isFinite(startWallMs) && endWallMs > startWallMs && Number.isFinite(endWallMs)))
      return false;
    if (!(factor >= 0 && factor <= MAX_FACTOR)) return false;
    this.#windows.push(window);
    this.#windows.sort((a, b) => a.startWallMs - b.startWallMs);
    if (this.#windows.length > MAX_WINDOWS) this.#windows.shift();
    this.#nearToMs = this.#nearFromMs;
    return true;
  }

  withdraw(name: string): void {
    this.#windows = this.#windows.filter(window => window.name !== name);
    this.#nearToMs = this.#nearFromMs;
  }

  /** Start of the first window that `replace` left out. */
  get endMs(): number {
    return this.#endMs;
  }

  /** These and no others, by their start; of too many the last are left out. A window that stays must be the same object. */
  replace(windows: readonly EventWindow[]): void {
    const sorted = [...windows].sort((a, b) => a.startWallMs - b.startWallMs);
    this.#endMs = sorted[MAX_WINDOWS]?.startWallMs ?? Number.POSITIVE_INFINITY;
    this.#windows = sorted.slice(0, MAX_WINDOWS);
    this.#nearToMs = this.#nearFromMs;
  }

  /** All windows that may hold `wallMs`. */
  near(wallMs: number): readonly EventWindow[] {
    if (wallMs < this.#nearFromMs || wallMs >= this.#nearToMs) {
      this.#nearFromMs = wallMs - NEAR_MS;
      this.#nearToMs = wallMs + NEAR_MS;
      this.#near = this.#windows.filter(
        ({ startWallMs, endWallMs }) => startWallMs < this.#nearToMs && endWallMs > this.#nearFromMs,
      );
    }
    return this.#near;
  }
}

/** Share of a window at its start that is not learned from (nobody comes on the second), and the longest time that is. */
const SKIPPED_SHARE = 0.1;
const LEARNED_MS = 600_000;
const MIN_LEARNED_SAMPLES = 10;
const LEAST_GAIN = 0.3;
const MAX_CORRECTION_LOG = Math.log(4);
/** A load too small to be multiplied by anything. */
const MIN_BASE = 0.01;

interface Correction {
  log: number;
  count: number;
}

interface Running {
  readonly window: EventWindow;
  /** Load expected without the event when it began. */
  readonly base: number;
  sum: number;
  count: number;
}

/** One backend's view of the calendar. What came of an event corrects its next occurrence: factor × correction. */
export class EventForecaster implements Forecaster {
  readonly #inner: Forecaster;
  readonly #calendar: EventCalendar;
  readonly #corrections = new Map<string, Correction>();
  #running: Running | null = null;
  #wallMs = 0;

  constructor(inner: Forecaster, calendar: EventCalendar) {
    this.#inner = inner;
    this.#calendar = calendar;
  }

  observe(sample: Sample): void {
    this.#wallMs = sample.wallMs;
    const measuredMs = sample.wallMs - Math.max(0, sample.ageMs);
    this.#learn(sample.load, measuredMs);
    const factor = this.factorAt(measuredMs);
    this.#inner.observe(factor === 1 ? sample : { ...sample, load: sample.load / factor });
  }

  forecast(horizonMs: number): Quantiles {
    const { p50, p90 } = this.#inner.forecast(horizonMs);
    const factor = this.factorAt(this.#wallMs + horizonMs);
    return { p50: p50 * factor, p90: p90 * factor };
  }

  chanceOver(threshold: number, horizonMs: number): number {
    return this.#inner.chanceOver(threshold / this.factorAt(this.#wallMs + horizonMs), horizonMs);
  }

  /** Product over all events of that moment, corrected by what was learned. */
  factorAt(wallMs: number): number {
    let factor = 1;
    for (const window of this.#calendar.near(wallMs))
      if (wallMs >= window.startWallMs && wallMs < window.endWallMs)
        factor *= window.factor * Math.exp(this.#corrections.get(window.name)?.log ?? 0);
    return Math.max(MIN_FACTOR, Math.min(MAX_FACTOR, factor));
  }

  /** Two events at once cannot be told apart: then nothing is learned. */
  #learn(load: number, wallMs: number): void {
    let active: EventWindow | null = null;
    let count = 0;
    for (const window of this.#calendar.near(wallMs))
      if (wallMs >= window.startWallMs && wallMs < window.endWallMs) {
        active = window;
        count += 1;
      }
    if (count !== 1) active = null;
    const running = this.#running;
    if (running !== null && running.window !== active) {
      if (count < 2) this.#correct(running);
      this.#running = null;
    }
    if (active === null) return;
    if (running?.window !== active) {
      const base = this.#inner.forecast(0).p50;
      this.#running = { window: active, base, sum: 0, count: 0 };
      return;
    }
    const fromMs = active.startWallMs + SKIPPED_SHARE * (active.endWallMs - active.startWallMs);
    if (wallMs < fromMs || wallMs > fromMs + LEARNED_MS || !(load >= 0 && load < MAX_FACTOR)) return;
    running.sum += load;
    running.count += 1;
  }

  #correct({ window, base, sum, count }: Running): void {
    if (count < MIN_LEARNED_SAMPLES || !(base > MIN_BASE) || sum <= 0 || window.factor < MIN_FACTOR) return;
    const correction = this.#corrections.get(window.name) ?? { log: 0, count: 0 };
    correction.count += 1;
    const seen = Math.log(sum / count / base / window.factor);
    correction.log += Math.max(LEAST_GAIN, 1 / correction.count) * (seen - correction.log);
    correction.log = Math.max(-MAX_CORRECTION_LOG, Math.min(MAX_CORRECTION_LOG, correction.log));
    // The least recently corrected name makes room.
    this.#corrections.delete(window.name);
    this.#corrections.set(window.name, correction);
    if (this.#corrections.size > MAX_WINDOWS)
      this.#corrections.delete(this.#corrections.keys().next().value!);
  }

  toJSON(): Readonly<Record<string, Correction>> {
    return Object.fromEntries(this.#corrections);
  }

  /** Entries that are no corrections are left out. */
  restore(json: unknown): void {
    if (typeof json !== 'object' || json === null) return;
    for (const [name, entry] of Object.entries(json).slice(0, MAX_WINDOWS)) {
      const { log, count } = (entry ?? {}) as Partial<Correction>;
      if (Math.abs(log ?? Number.NaN) <= MAX_CORRECTION_LOG && count! >= 1 && count! < 1e9)
        this.#corrections.set(name, { log: log!, count: count! });
    }
  }
}
