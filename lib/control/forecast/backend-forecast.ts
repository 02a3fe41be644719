// One backend's load to come: what is seen and reported of it becomes a score, the score a forecast, once a tick.

import type { EventCalendar } from '../../plan/forecast/events.ts';
import { EventForecaster } from '../../plan/forecast/events.ts';
import { type ForecastReason, LoadForecaster } from '../../plan/forecast/load-forecaster.ts';
import { ForecastQuality } from '../../plan/forecast/quality.ts';
import { Recurrence } from '../../plan/forecast/recurrence.ts';
import { ReportCheck } from '../../plan/load/doubt.ts';
import { LearnedCapacity } from '../../plan/load/learned-capacity.ts';
import { type Counts, ObservedLoad } from '../../plan/load/observed.ts';
import { type Capacity, type LoadScore, scoreOf } from '../../plan/load/score.ts';
import type { BackendSignals } from '../../plan/load/signals.ts';
import type { ForecastState, HorizonForecast } from './ports.ts';

/** Four times a second (F3). */
const STEP_MS = 250;
/** Chance from which on a forecast counts as an alarm, in the measure of its quality. */
const ALARM_CHANCE = 0.5;
/** A judgement fades over an hour. */
const QUALITY_MEMORY_STEPS = 14_400;
/** Loads are bounded by 8 and factors by 50: what is beyond both is no forecast. */
const MOST = 400;
/** So many ticks without a usable forecast, and its models begin anew. */
const DIVERGED_TICKS = 40;
/** The present, as decisions take it: about two seconds of it. */
const PRESENT_GAIN = 0.125;
/** How far ahead what recurs counts, where the gate looks as far: its moment is known, and who is shut earlier is wasted. */
const RECURS_WITHIN_MS = 3_000;

export interface ForecastSettings {
  readonly horizonsMs: readonly number[];
  /** Horizons up to here count for the gate. */
  readonly gateHorizonMs: number;
  /** Load above which it is an overload. */
  readonly threshold: number;
}

export interface Tick {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly counts: Counts;
  readonly inFlight: number;
  readonly connections: number;
  readonly signals: BackendSignals;
  readonly capacity: Capacity;
  /**
   * Load that its share of the cluster's work would be, while it gets none because it is gated; NaN while it gets its share. Without
   * this a gate would see the calm that it made, and open.
   */
  readonly shareOfWork: number;
}

export class BackendForecast {
  readonly observed = new ObservedLoad();
  readonly check = new ReportCheck();
  readonly #calendar: EventCalendar;
  readonly #settings: ForecastSettings;
  readonly #learned = new LearnedCapacity();
  readonly #recurrence = new Recurrence();
  readonly qualities: readonly ForecastQuality[];
  score: LoadScore | null = null;
  state: ForecastState = 'none';
  horizons: readonly HorizonForecast[] = [];
  /** NaN while nothing is known. */
  predicted = Number.NaN;
  /** Load that came at this phase of both of the last two periods, its events left out; NaN while no period is known. */
  again = Number.NaN;
  #load: LoadForecaster;
  #events: EventForecaster;
  #present = Number.NaN;
  /** Of the events that hold now. */
  #factor = 1;
  #divergedTicks = 0;

  constructor(settings: ForecastSettings, calendar: EventCalendar) {
    this.#settings = settings;
    this.#calendar = calendar;
    this.qualities = settings.horizonsMs.map(
      horizonMs =>
        new ForecastQuality({
          steps: Math.round(horizonMs / STEP_MS),
          stepMs: STEP_MS,
          threshold: settings.threshold,
          alarmChance: ALARM_CHANCE,
          memorySteps: QUALITY_MEMORY_STEPS,
        }),
    );
    [this.#load, this.#events] = this.#newModels();
  }

  /** Load of about two seconds, without its events: alike for all that share the work evenly. NaN while nothing is known. */
  get base(): number {
    return this.#present / this.#factor;
  }

  /** What the events of that moment make of its load. */
  factorAt(wallMs: number): number {
    return this.#events.factorAt(wallMs);
  }

  /** What is left of its capacity, as far as the proxy has met its end; 1 is as usual. */
  capacityShare(nowMs: number): number {
    return this.#learned.share(nowMs);
  }

  /** Why the forecast at this horizon is what it is. */
  reason(horizonMs: number): ForecastReason {
    return this.#load.reason(horizonMs);
  }

  tick(tick: Tick): void {
    const { nowMs, wallMs, signals, capacity, shareOfWork } = tick;
    this.observed.observe(tick.counts, tick.inFlight, tick.connections, nowMs);
    const { now } = this.observed;
    if (this.observed.closed && now !== null) {
      this.#learned.learn(now);
      this.check.check(now, signals, this.#learned.share(nowMs));
    }
    this.score = scoreOf({
      seen: this.observed,
      signals,
      capacity,
      learned: this.#learned,
      doubt: this.check.doubt,
      nowMs,
    });
    if (this.score === null) return;
    const { load: seen, ageMs } = this.score;
    this.#factor = this.#events.factorAt(wallMs);
    this.#present = Number.isNaN(this.#present)
      ? seen
      : this.#present + PRESENT_GAIN * (seen - this.#present);
    const gated = !Number.isNaN(shareOfWork);
    const load = gated ? Math.max(seen, shareOfWork * this.#factor) : seen;
    this.#events.observe({ atMs: nowMs, wallMs, load, ageMs });
    this.#recall(load / this.#factor, gated, nowMs, ageMs);
    this.#forecast(gated ? Math.max(this.#present, shareOfWork * this.#factor) : this.#present);
    this.#judge(load, gated);
  }

  /** Nothing is asked of it: what it is forecast is no more than what it was. */
  rest(): void {
    for (const quality of this.qualities) quality.skip();
    this.predicted = Number.NaN;
    this.again = Number.NaN;
  }

  save(): unknown {
    return { load: this.#load, events: this.#events };
  }

  /** False, and nothing is changed of the models, when it does not fit. */
  restore(json: unknown): boolean {
    if (typeof json !== 'object' || json === null) return false;
    const { load, events } = json as { load?: unknown; events?: unknown };
    if (!this.#load.restore(load)) return false;
    this.#events.restore(events);
    return true;
  }

  #newModels(): [LoadForecaster, EventForecaster] {
    const load = new LoadForecaster({ stepMs: STEP_MS, horizonsMs: this.#settings.horizonsMs });
    return [load, new EventForecaster(load, this.#calendar)];
  }

  #recall(load: number, gated: boolean, nowMs: number, ageMs: number): void {
    if (gated) this.#recurrence.observeKept(load, nowMs - ageMs);
    else this.#recurrence.observe(load, nowMs - ageMs);
    const withinMs = Math.min(RECURS_WITHIN_MS, this.#settings.gateHorizonMs);
    this.again = this.#recurrence.worst(nowMs, nowMs + withinMs);
  }

  #forecast(present: number): void {
    const { horizonsMs, gateHorizonMs, threshold } = this.#settings;
    let predicted = Math.max(present, (this.again || 0) * this.#factor);
    let diverged = false;
    const horizons = horizonsMs.map((horizonMs, i): HorizonForecast => {
      const { p50, p90 } = this.#events.forecast(horizonMs);
      const overload = this.#events.chanceOver(threshold, horizonMs);
      if (!(p50 >= 0 && p50 <= MOST && p90 >= 0 && p90 <= MOST && overload >= 0)) {
        diverged = true;
        return { horizonMs, p50: present, p90: present, overload: present > threshold ? 1 : 0 };
      }
      if (i === 0 || horizonMs <= gateHorizonMs) predicted = Math.max(predicted, p50);
      return { horizonMs, p50, p90, overload };
    });
    this.horizons = horizons;
    this.state = diverged ? 'diverged' : 'fine';
    // The last value, as if there were no forecast.
    this.predicted = diverged ? present : predicted;
    this.#divergedTicks = diverged ? this.#divergedTicks + 1 : 0;
    if (this.#divergedTicks < DIVERGED_TICKS) return;
    this.#divergedTicks = 0;
    [this.#load, this.#events] = this.#newModels();
  }

  #judge(load: number, gated: boolean): void {
    for (const [i, quality] of this.qualities.entries()) {
      const { p50, p90, overload } = this.horizons[i]!;
      // While gated the load is supposed, not seen.
      if (gated) quality.skip();
      else quality.add(load, p50, p90, overload);
    }
  }
}
