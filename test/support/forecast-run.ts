// Runs a generated series through a forecaster and judges it, beside last value, each member and an oracle.

import { EventCalendar, EventForecaster } from '../../lib/plan/forecast/events.ts';
import { LoadForecaster } from '../../lib/plan/forecast/load-forecaster.ts';
import { ForecastQuality, type QualityReport } from '../../lib/plan/forecast/quality.ts';
import { generateSeries, type Series } from '../../lib/sim/series/generate.ts';
import { samplesOf } from '../../lib/sim/series/samples.ts';
import type { SeriesSpec } from '../../lib/sim/series/spec.ts';

const THRESHOLD = 0.7;
/** Chance from which an alarm is given; chosen on the tuning seeds. */
const ALARM_CHANCE = 0.4;

export interface Judged {
  readonly horizonMs: number;
  readonly quality: QualityReport;
  /** Knows the schedule, the hidden noise and what lasts of a surprise; not the chance to come. A floor, not a rival. */
  readonly oracle: QualityReport;
  /** Mean error of each member over that of the last value. */
  readonly members: ReadonlyMap<string, number>;
  /** Over windows of ten minutes, the worst of (error of the whole) / (error of the best simple member of that window). */
  readonly worstWindow: number;
}

export interface Run {
  readonly horizons: readonly Judged[];
  readonly learnableShare: number;
  readonly periodMs: number;
}

export interface RunOptions {
  readonly horizonsMs: readonly number[];
  /** Steps before judgement begins. */
  readonly warmSteps: number;
  readonly announce?: boolean;
}

const SIMPLE = new Set(['last', 'ses5', 'ses15', 'ses60', 'holt']);
const WINDOW_MS = 600_000;

export function runForecast(spec: SeriesSpec, seed: number, options: RunOptions): Run {
  const series = generateSeries(spec, seed);
  const load = new LoadForecaster({ stepMs: spec.stepMs, horizonsMs: options.horizonsMs });
  const calendar = new EventCalendar();
  if (options.announce !== false)
    for (const { name, afterMs, forMs, announcedFactor } of spec.events ?? [])
      calendar.announce({
        name,
        startWallMs: spec.startWallMs + afterMs,
        endWallMs: spec.startWallMs + afterMs + forMs,
        factor: announcedFactor,
      });
  const events = new EventForecaster(load, calendar);
  const judges = options.horizonsMs.map(
    horizonMs => new Judge(series, load, events, horizonMs, options.warmSteps),
  );
  for (const { step, sample } of samplesOf(series, spec.signal ?? { lossShare: 0, ageMs: 0 }, seed)) {
    events.observe(sample);
    for (const judge of judges) judge.add(step);
  }
  return {
    horizons: judges.map(judge => judge.judged()),
    learnableShare: series.learnableShare,
    periodMs: load.reason(0).periodMs,
  };
}

class Judge {
  readonly #series: Series;
  readonly #load: LoadForecaster;
  readonly #events: EventForecaster;
  readonly #horizonMs: number;
  readonly #warmSteps: number;
  readonly #quality: ForecastQuality;
  readonly #oracle: ForecastQuality;
  readonly #memory: number;
  readonly #steps: number;
  /** Per pending step: errors are added when the step it is for comes. */
  readonly #pending: number[][] = [];
  #errors: number[] = [];
  #windowErrors: number[] = [];
  #windowSteps = 0;
  #worstWindow = 0;

  constructor(
    series: Series,
    load: LoadForecaster,
    events: EventForecaster,
    horizonMs: number,
    warmSteps: number,
  ) {
    this.#series = series;
    this.#load = load;
    this.#events = events;
    this.#horizonMs = horizonMs;
    this.#warmSteps = warmSteps;
    this.#steps = Math.round(horizonMs / series.stepMs);
    const options = {
      steps: this.#steps,
      stepMs: series.stepMs,
      threshold: THRESHOLD,
      alarmChance: ALARM_CHANCE,
      memorySteps: Number.POSITIVE_INFINITY,
    };
    this.#quality = new ForecastQuality(options);
    this.#oracle = new ForecastQuality(options);
    this.#memory = series.noiseMemory ** this.#steps;
  }

  add(step: number): void {
    if (step < this.#warmSteps) return;
    const series = this.#series;
    const value = series.load[step]!;
    const { p50, p90 } = this.#events.forecast(this.#horizonMs);
    this.#quality.add(value, p50, p90, this.#events.chanceOver(THRESHOLD, this.#horizonMs));
    const later = Math.min(series.load.length - 1, step + this.#steps);
    const jobs = series.jobs[later]!;
    const known =
      (series.learnable[later]! - jobs) *
        series.surprise[step]! *
        Math.exp(this.#memory * series.noiseLog[step]!) +
      jobs;
    this.#oracle.add(value, known, known, known > THRESHOLD ? 1 : 0);
    this.#scoreMembers(value, p50, step);
  }

  #scoreMembers(value: number, p50: number, step: number): void {
    const due = this.#pending.length >= this.#steps ? this.#pending.shift()! : null;
    // The members know nothing of events: they too get what was announced.
    const { startWallMs, stepMs } = this.#series;
    const factor = this.#events.factorAt(startWallMs + (step + this.#steps) * stepMs);
    this.#pending.push([p50, ...this.#load.reason(this.#horizonMs).members.map(m => m.forecast * factor)]);
    if (due === null) return;
    for (const [i, forecast] of due.entries()) {
      const error = Math.abs(forecast - value);
      this.#errors[i] = (this.#errors[i] ?? 0) + error;
      this.#windowErrors[i] = (this.#windowErrors[i] ?? 0) + error;
    }
    this.#windowSteps += 1;
    if (this.#windowSteps * stepMs < WINDOW_MS) return;
    const best = Math.min(
      ...this.#names().flatMap((name, i) => (SIMPLE.has(name) ? [this.#windowErrors[i + 1]!] : [])),
    );
    this.#worstWindow = Math.max(this.#worstWindow, this.#windowErrors[0]! / best);
    this.#windowErrors = [];
    this.#windowSteps = 0;
  }

  #names(): string[] {
    return this.#load.reason(0).members.map(member => member.name);
  }

  judged(): Judged {
    const names = this.#names();
    const last = this.#errors[1 + names.indexOf('last')]!;
    return {
      horizonMs: this.#horizonMs,
      quality: this.#quality.report(),
      oracle: this.#oracle.report(),
      members: new Map(names.map((name, i) => [name, this.#errors[i + 1]! / last])),
      worstWindow: this.#worstWindow,
    };
  }
}
