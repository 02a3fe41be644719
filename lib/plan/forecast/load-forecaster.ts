// The forecaster of one backend's load: simple models, a profile, a found period and regressions under one ensemble.

import assert from 'node:assert/strict';
import { Averages } from './averages.ts';
import { Cycle } from './cycle.ts';
import type { Forecaster, Quantiles, Sample } from './forecaster.ts';
import { DampedHolt } from './holt.ts';
import { PeriodFinder } from './period-finder.ts';
import { Profile } from './profile.ts';
import { MEMBERS, type Member, Reach } from './reach.ts';
import { checkedState, type ForecasterState } from './state.ts';
import { TimeGrid } from './time-grid.ts';

/** A bin of the period finder; a step when that is longer. */
const MIN_BIN_MS = 1000;
/** Bounds on memory and time: each horizon keeps rings of its own length. */
const MAX_HORIZONS = 8;
const MAX_HORIZON_STEPS = 2400;
/** A gap longer than this ends what is known of the present; profile, cycle and weights stay. */
const MAX_GAP_MS = 60_000;
/** The slowest average is what deviations are measured from. */
const SLOWEST = 4;
const PEAK_SPAN_MS = 600_000;
/** The width grows with the root of the lead beyond the last horizon, up to this factor. */
const MAX_WIDENING = 8;

export interface LoadForecasterOptions {
  /** Distance of samples. */
  readonly stepMs: number;
  /** Rising, at most eight, each at most 2,400 steps; one step is always forecast besides. */
  readonly horizonsMs: readonly number[];
  /** So many times slower than a load in seconds is what is forecast: 60 makes minutes of all the models' spans. 1 unless said. */
  readonly tempo?: number;
}

/** Why the forecast is what it is. */
export interface ForecastReason {
  readonly horizonMs: number;
  readonly point: number;
  readonly members: readonly { readonly name: Member; readonly forecast: number; readonly weight: number }[];
  /** 0 while none is found. */
  readonly periodMs: number;
  readonly signalAgeMs: number;
}

export class LoadForecaster implements Forecaster {
  readonly #stepMs: number;
  readonly #tempo: number;
  readonly #binMs: number;
  readonly #grid: TimeGrid;
  readonly #profile = new Profile();
  readonly #cycle = new Cycle();
  readonly #reaches: readonly Reach[];
  readonly #peakFade: number;
  #finder = new PeriodFinder();
  #averages: Averages;
  /** Averages of the load less its cycle; null while no period is known. */
  #flat: Averages | null = null;
  #holt: DampedHolt;
  #peak = 0;
  #value = Number.NaN;
  #wallMs = 0;
  /** Counts steps; bins of the cycle are counted in them, not in clock time, so that jitter never skips a bin. */
  #index = 0;
  #bin = 0;
  #binSum = 0;
  #binCount = 0;
  /** Waits for the first sample, whose wall time gives the stored cycle its phase. */
  #stored: ForecasterState | null = null;

  constructor({ stepMs, horizonsMs, tempo = 1 }: LoadForecasterOptions) {
    assert(stepMs > 0 && tempo >= 1 && horizonsMs.length <= MAX_HORIZONS);
    assert(horizonsMs.every((ms, i) => ms > (horizonsMs[i - 1] ?? 0) && ms <= MAX_HORIZON_STEPS * stepMs));
    this.#stepMs = stepMs;
    this.#tempo = tempo;
    this.#binMs = Math.max(MIN_BIN_MS * tempo, stepMs);
    this.#grid = new TimeGrid(stepMs);
    this.#averages = this.#newAverages();
    this.#holt = new DampedHolt(stepMs / tempo);
    this.#reaches = [stepMs, ...horizonsMs.filter(ms => ms > stepMs)].map(ms => new Reach(ms, stepMs, tempo));
    this.#peakFade = Math.exp(-stepMs / (PEAK_SPAN_MS * tempo));
  }

  observe(sample: Sample): void {
    const steps = this.#grid.accept(sample);
    if (steps === 0) return;
    const value = this.#grid.take();
    const wallMs = sample.wallMs - Math.max(0, sample.ageMs);
    if (Number.isNaN(this.#value)) this.#begin(wallMs);
    else if (steps * this.#stepMs > MAX_GAP_MS * this.#tempo) this.#restart(steps);
    else for (let i = steps - 1; i > 0; i--) this.#step(this.#value, wallMs - i * this.#stepMs, false);
    this.#step(value, wallMs, true);
  }

  forecast(horizonMs: number): Quantiles {
    return { p50: this.quantile(0.5, horizonMs), p90: this.quantile(0.9, horizonMs) };
  }

  /** NaN before the first sample: any comparison with it is false, so that nobody is gated for being unknown. */
  quantile(level: number, horizonMs: number): number {
    if (Number.isNaN(this.#value)) return Number.NaN;
    return Math.max(
      0,
      this.#between(horizonMs, (reach, point, widening) => point + widening * reach.errors.offset(level)),
    );
  }

  chanceOver(threshold: number, horizonMs: number): number {
    if (Number.isNaN(this.#value)) return 0;
    return this.#between(horizonMs, (reach, point, widening) =>
      reach.errors.chanceAbove((threshold - point) / widening),
    );
  }

  /**
   * The quantile, but never below the present level (2 s average): where work is placed or moved by it, a forecast that
   * promises relief must not make a loaded backend attractive before the relief has come.
   */
  guarded(level: number, horizonMs: number): number {
    return Math.max(this.#averages.values[0]!, this.quantile(level, horizonMs));
  }

  reason(horizonMs: number): ForecastReason {
    const leadMs = horizonMs + this.#grid.ageMs;
    const reach = this.#reaches.findLast(({ horizonMs: ms }) => ms <= leadMs) ?? this.#reaches[0]!;
    return {
      horizonMs: reach.horizonMs,
      point: reach.point,
      members: MEMBERS.map((name, i) => ({
        name,
        forecast: reach.members[i]!,
        weight: reach.hedge.weights[i]!,
      })),
      periodMs: this.#finder.period * this.#binMs,
      signalAgeMs: this.#grid.ageMs,
    };
  }

  toJSON(): ForecasterState {
    return {
      stepMs: this.#stepMs,
      wallMs: this.#wallMs,
      profile: this.#profile.toJSON(),
      cycle: this.#cycle.save(this.#bin),
      reaches: this.#reaches.map(reach => reach.save()),
    };
  }

  /** Takes over what an earlier life learned; what is not of this shape is refused whole, and false returned. */
  restore(json: unknown): boolean {
    const state = checkedState(json, this.#stepMs, this.#reaches);
    if (state === null || !this.#profile.restore(state.profile)) return false;
    for (const [i, reach] of this.#reaches.entries()) reach.restore(state.reaches[i]!);
    this.#stored = state;
    return true;
  }

  #begin(wallMs: number): void {
    const stored = this.#stored;
    this.#stored = null;
    if (stored === null || stored.cycle === null) return;
    this.#cycle.restore(stored.cycle, this.#bin, Math.round((wallMs - stored.wallMs) / this.#binMs));
    this.#finder.adopt(stored.cycle.period);
    this.#flat = this.#newAverages();
  }

  #restart(steps: number): void {
    this.#index += steps - 1;
    this.#averages = this.#newAverages();
    this.#holt = new DampedHolt(this.#stepMs / this.#tempo);
    if (this.#flat !== null) this.#flat = this.#newAverages();
    const { period } = this.#finder;
    this.#finder = new PeriodFinder();
    this.#finder.adopt(period);
    this.#binCount = 0;
    for (const reach of this.#reaches) reach.forgetOrigins();
  }

  #step(value: number, wallMs: number, seen: boolean): void {
    this.#index += 1;
    const atMs = this.#index * this.#stepMs;
    this.#value = value;
    this.#wallMs = wallMs;
    this.#peak = Math.max(value, this.#peak * this.#peakFade);
    for (const reach of this.#reaches) reach.score(value, seen);
    if (seen) {
      this.#averages.add(value);
      this.#holt.add(value);
      this.#profile.learn(value, wallMs, this.#stepMs);
    }
    this.#learnCycle(value, Math.floor(atMs / this.#binMs), seen);
    const flatValue = value - this.#cycle.at(this.#bin);
    if (seen) this.#flat?.add(flatValue);
    const flat = this.#flat;
    const view = { value, seen, averages: this.#averages, flat, flatValue, peak: this.#peak };
    for (const reach of this.#reaches) {
      const ratio = this.#profile.ratio(wallMs, wallMs + reach.horizonMs);
      const later = flat === null ? 0 : this.#cycle.at(Math.floor((atMs + reach.horizonMs) / this.#binMs));
      reach.step(view, this.#holt.ahead(reach.steps), ratio, later);
    }
  }

  #newAverages(): Averages {
    return new Averages(this.#stepMs / this.#tempo);
  }

  #learnCycle(value: number, bin: number, seen: boolean): void {
    if (bin !== this.#bin) {
      let changed: boolean;
      if (this.#binCount === 0) changed = this.#finder.add(0);
      else {
        const deviation = this.#binSum / this.#binCount - this.#averages.values[SLOWEST]!;
        this.#cycle.learn(this.#bin, deviation);
        changed = this.#finder.add(deviation);
      }
      if (changed) this.#adoptPeriod();
      this.#binSum = 0;
      this.#binCount = 0;
    }
    this.#bin = bin;
    if (!seen) return;
    this.#binSum += value;
    this.#binCount += 1;
  }

  #adoptPeriod(): void {
    const known = this.#flat !== null;
    this.#cycle.start(this.#finder.period);
    if (this.#finder.period === 0) {
      this.#flat = null;
      return;
    }
    // A corrected period keeps what was learned with it.
    if (known) return;
    this.#flat = this.#newAverages();
    this.#flat.copy(this.#averages);
    for (const reach of this.#reaches) reach.beginFlat();
  }

  /** At a horizon as it is; between two by linear interpolation; beyond the last with its width widened by the root of the lead. */
  #between(horizonMs: number, read: (reach: Reach, point: number, widening: number) => number): number {
    const leadMs = horizonMs + this.#grid.ageMs;
    const cycle =
      this.#flat === null
        ? 0
        : this.#cycle.at(Math.floor((this.#index * this.#stepMs + leadMs) / this.#binMs));
    const last = this.#reaches.length - 1;
    let i = 0;
    while (i < last && this.#reaches[i + 1]!.horizonMs <= leadMs) i += 1;
    const near = this.#reaches[i]!;
    const point = near.pointAt(cycle);
    if (leadMs <= near.horizonMs) return read(near, point, 1);
    if (i === last) return read(near, point, Math.min(MAX_WIDENING, Math.sqrt(leadMs / near.horizonMs)));
    const far = this.#reaches[i + 1]!;
    const share = (leadMs - near.horizonMs) / (far.horizonMs - near.horizonMs);
    return (1 - share) * read(near, point, 1) + share * read(far, far.pointAt(cycle), 1);
  }
}
