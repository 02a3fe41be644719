// The forecasts of one cluster's backends, and the gate that goes by them.

import type { ClusterConfig } from '../../config/cluster.ts';
import { Gate, isStuck, type Signs, Standing } from '../../plan/balance/gate.ts';
import type { EventCalendar } from '../../plan/forecast/events.ts';
import { ForecastQuality } from '../../plan/forecast/quality.ts';
import type { Counts } from '../../plan/load/observed.ts';
import type { Capacity } from '../../plan/load/score.ts';
import { NO_SIGNALS, type SignalView } from '../../plan/load/signals.ts';
import type { Announced } from './announcements.ts';
import { BackendForecast, type ForecastSettings } from './backend-forecast.ts';
import { ClusterPool } from './cluster-pool.ts';
import { EventPlan } from './event-plan.ts';
import { GATE_STATES, gateText } from './gate-text.ts';
import type { BackendForecastReport, ClusterForecastReport, EventReport } from './ports.ts';

/** A backend as its cluster's tick shows it. */
export interface Subject {
  readonly id: string;
  readonly slot: number;
  readonly slotGeneration: number;
  readonly capacity: Capacity;
  /** It takes new work, as far as operators, checks and ejection have it. */
  readonly working: boolean;
  readonly inFlight: number;
  readonly connections: number;
  readonly counts: Counts;
  /** How long it has answered nothing while requests waited for it. */
  readonly silentMs: number;
}

/** What goes to the scoreboard. */
export interface Outlook {
  readonly milliPredicted: number;
  readonly gate: number;
  readonly outside: number;
}

export type Foreseen = Pick<
  BackendForecastReport,
  'load' | 'predicted' | 'gate' | 'gateReason' | 'outside' | 'doubt'
>;

export interface Remembered {
  /** What an earlier life knew of it; undefined when nothing. */
  recall(cluster: string, id: string): unknown;
}

const NOTHING: Outlook = Object.freeze({ milliPredicted: -1, gate: 0, outside: 0 });
/** Published in steps of this, so that noise does not make workers look again four times a second. */
const MILLI_STEP = 10;
const MOST_MILLI = 100_000;
/** How much heavier a backend was than its peers when it was shut is remembered this long while it gets no work. */
const HEAVIER_MS = 30_000;
const MOST_HEAVIER = 4;
const DEFAULT_THRESHOLD = 0.7;

interface Known {
  readonly forecast: BackendForecast;
  readonly slot: number;
  readonly slotGeneration: number;
  /** As judged at the last tick, and when that was; null while it takes no work. */
  signs: Signs | null;
  judgedMs: number;
  /** Load over that of its peers when the gate shut, and when that was; null while open. */
  shut: { readonly ratio: number; readonly sinceMs: number } | null;
}

export class ClusterForecast {
  readonly #cluster: string;
  readonly #maxBackends: number;
  readonly #signals: SignalView | null;
  readonly #remembered: Remembered;
  readonly #plan: EventPlan;
  readonly #known = new Map<string, Known>();
  #config: ClusterConfig;
  #settings: ForecastSettings;
  #gate: Gate | null;
  readonly #pool: ClusterPool;
  #meanBase = Number.NaN;
  #meanPredicted = Number.NaN;

  constructor(
    cluster: string,
    config: ClusterConfig,
    hands: {
      readonly maxBackends: number;
      readonly signals: SignalView | null;
      readonly remembered: Remembered;
      /** Tells proxies apart, the same each time this one starts. */
      readonly proxy: string;
    },
  ) {
    this.#cluster = cluster;
    this.#maxBackends = hands.maxBackends;
    this.#signals = hands.signals;
    this.#remembered = hands.remembered;
    this.#plan = new EventPlan(cluster);
    this.#config = config;
    this.#settings = settingsOf(config);
    this.#gate = this.#newGate();
    this.#pool = new ClusterPool(hands.proxy, config.balance.pool);
    this.#plan.configure(eventsOf(config));
  }

  configure(config: ClusterConfig): void {
    const before = this.#config;
    this.#config = config;
    if (JSON.stringify(eventsOf(before)) !== JSON.stringify(eventsOf(config)))
      this.#plan.configure(eventsOf(config));
    if (JSON.stringify(before.balance.pool) !== JSON.stringify(config.balance.pool))
      this.#pool.configure(config.balance.pool);
    const settings = settingsOf(config);
    if (JSON.stringify(settings) !== JSON.stringify(this.#settings)) {
      this.#settings = settings;
      this.#known.clear();
    }
    if (JSON.stringify(before.balance.gate) !== JSON.stringify(config.balance.gate) || this.#isOff)
      this.#gate = this.#newGate();
  }

  announce(events: readonly Announced[]): void {
    this.#plan.announce(events);
  }

  /** Once a tick, with all of the cluster's; by slot what is to be published. `panic`: the gate does not count. */
  tick(
    subjects: readonly Subject[],
    nowMs: number,
    wallMs: number,
    panic: boolean,
  ): ReadonlyMap<number, Outlook> {
    const outlooks = new Map<number, Outlook>();
    if (this.#isOff) {
      this.#known.clear();
      return outlooks;
    }
    this.#plan.tick(wallMs, nowMs);
    this.#forgetMissing(subjects);
    for (const subject of subjects) this.#observe(subject, nowMs, wallMs);
    const working = subjects.filter(subject => subject.working);
    this.#average(working);
    if (panic) this.#open(working);
    else this.#judge(working, nowMs);
    const inTurn = working.map(({ id, slot }) => ({
      ...{ id, standing: this.gateOf(slot) as Standing, forecast: this.#known.get(id)!.forecast },
    }));
    this.#pool.tick(inTurn, nowMs, panic);
    for (const { id, slot } of working) {
      const { predicted } = this.#known.get(id)!.forecast;
      outlooks.set(
        slot,
        Number.isNaN(predicted)
          ? NOTHING
          : {
              milliPredicted: Math.min(MOST_MILLI, Math.round((predicted * 1000) / MILLI_STEP) * MILLI_STEP),
              gate: this.gateOf(slot),
              outside: this.#pool.isOutside(id) ? 1 : 0,
            },
      );
    }
    return outlooks;
  }

  /**
   * Between ticks: true when the gate stands otherwise for this backend now, since it stands still, or does no more. Costs no
   * forecast. Not in panic, and not for who takes no work.
   */
  heed(id: string, silentMs: number, nowMs: number): boolean {
    const known = this.#known.get(id);
    const gate = this.#gate;
    if (known?.signs == null || gate === null) return false;
    const { signs, slot } = known;
    const before = gate.standing(slot);
    const forStall = gate.reason(slot) === 'stall';
    if (before !== Standing.open && !forStall) return false;
    if (isStuck(silentMs, signs.usualMs) === forStall) return false;
    const memoryAgeMs = signs.memoryAgeMs + nowMs - known.judgedMs;
    gate.judge(slot, { ...signs, memoryAgeMs, oldestMs: silentMs }, nowMs);
    return gate.standing(slot) !== before;
  }

  gateOf(slot: number): number {
    return this.#gate?.standing(slot) ?? Standing.open;
  }

  /** Its load score and how old that is, for who plans its sessions; NaN while nothing is known. */
  scoreOf(id: string): { readonly load: number; readonly ageMs: number; readonly predicted: number } {
    const forecast = this.#known.get(id)?.forecast;
    const { load = Number.NaN, ageMs = 0 } = forecast?.score ?? {};
    return { load, ageMs, predicted: forecast?.predicted ?? Number.NaN };
  }

  /** The events that concern a backend; null where nothing is foreseen. */
  calendarOf(id: string): EventCalendar | null {
    return this.#isOff ? null : this.#plan.calendarOf(id);
  }

  /** What the status of a backend shows of it. */
  foreseen(id: string): Foreseen {
    const known = this.#known.get(id);
    if (known === undefined)
      return { load: null, predicted: null, gate: 'open', gateReason: '', outside: false, doubt: 'none' };
    const { forecast, slot } = known;
    const standing = this.#gate?.standing(slot) ?? Standing.open;
    return {
      load: forecast.score?.load ?? null,
      predicted: orNull(forecast.predicted),
      gate: GATE_STATES[standing],
      gateReason: standing === Standing.open ? '' : this.#gateReason(known),
      outside: this.#pool.isOutside(id),
      doubt: forecast.check.doubt,
    };
  }

  report(wallMs: number): ClusterForecastReport {
    const { horizonsMs } = this.#settings;
    const known = [...this.#known.values()];
    return {
      cluster: this.#cluster,
      meanPredicted: orNull(this.#meanPredicted),
      quality: horizonsMs.map((horizonMs, i) => ({
        horizonMs,
        ...ForecastQuality.reportOf(known.map(({ forecast }) => forecast.qualities[i]!)),
      })),
      events: this.events(wallMs),
      backends: [...this.#known.keys()].map(id => this.#reportOf(id, wallMs)),
    };
  }

  events(wallMs: number): readonly EventReport[] {
    return this.#plan.report(wallMs);
  }

  /** What each backend's models learned, for `Remembered` of the next life. */
  *learned(): Generator<readonly [id: string, read: () => unknown]> {
    for (const [id, { forecast }] of this.#known) yield [id, () => forecast.save()];
  }

  get #isOff(): boolean {
    return this.#config.forecast === 'off';
  }

  #newGate(): Gate | null {
    const { gate } = this.#config.balance;
    if (gate === 'off' || this.#isOff) return null;
    return new Gate(this.#maxBackends, {
      horizonMs: this.#settings.gateHorizonMs,
      threshold: gate.threshold,
      above: gate.above_mean,
    });
  }

  #forgetMissing(subjects: readonly Subject[]): void {
    if (this.#known.size === 0) return;
    const here = new Map(subjects.map(subject => [subject.id, subject]));
    for (const [id, { slot, slotGeneration }] of this.#known) {
      if (here.get(id)?.slotGeneration === slotGeneration) continue;
      this.#known.delete(id);
      this.#plan.forget(id);
      this.#gate?.forget(slot);
    }
  }

  #observe(subject: Subject, nowMs: number, wallMs: number): void {
    const known = this.#known.get(subject.id) ?? this.#meet(subject);
    if (!subject.working) {
      known.forecast.rest();
      known.shut = null;
      known.signs = null;
      this.#gate?.forget(subject.slot, false);
      return;
    }
    const { counts, inFlight, connections, capacity } = subject;
    known.forecast.tick({
      ...{ nowMs, wallMs, counts, inFlight, connections, capacity },
      signals: this.#signals?.of(this.#cluster, subject.id) ?? NO_SIGNALS,
      shareOfWork: this.#shareOfWork(known, nowMs),
    });
  }

  #meet({ id, slot, slotGeneration }: Subject): Known {
    const forecast = new BackendForecast(this.#settings, this.#plan.calendarOf(id));
    const remembered = this.#remembered.recall(this.#cluster, id);
    if (remembered !== undefined) forecast.restore(remembered);
    const known = { forecast, slot, slotGeneration, signs: null, judgedMs: 0, shut: null };
    this.#known.set(id, known);
    return known;
  }

  /** What it would have to bear if it were open: the mean of all, by how much heavier it was than they. */
  #shareOfWork({ shut }: Known, nowMs: number): number {
    if (shut === null || Number.isNaN(this.#meanBase)) return Number.NaN;
    const faded = Math.max(0, 1 - (nowMs - shut.sinceMs) / HEAVIER_MS);
    return this.#meanBase * (1 + (shut.ratio - 1) * faded);
  }

  #average(working: readonly Subject[]): void {
    let [base, predicted, count] = [0, 0, 0];
    for (const { id } of working) {
      const { forecast } = this.#known.get(id)!;
      if (Number.isNaN(forecast.predicted + forecast.base)) continue;
      base += forecast.base;
      predicted += forecast.predicted;
      count += 1;
    }
    this.#meanBase = count === 0 ? Number.NaN : base / count;
    this.#meanPredicted = count === 0 ? Number.NaN : predicted / count;
  }

  #open(working: readonly Subject[]): void {
    for (const { id, slot } of working) {
      const known = this.#known.get(id)!;
      known.shut = null;
      known.signs = null;
      this.#gate?.forget(slot, false);
    }
  }

  #judge(working: readonly Subject[], nowMs: number): void {
    const gate = this.#gate;
    if (gate === null) return;
    const usualMs = this.#meanUsualMs(working);
    for (const { id, slot, silentMs } of working) {
      const known = this.#known.get(id)!;
      const { forecast } = known;
      const memory = this.#signals?.of(this.#cluster, id).memory ?? null;
      const own = forecast.observed.usualMs;
      known.judgedMs = nowMs;
      known.signs = {
        capacity: forecast.capacityShare(nowMs),
        load: forecast.predicted,
        meanLoad: this.#meanPredicted,
        memory: memory?.value ?? Number.NaN,
        memoryAgeMs: memory === null ? Number.NaN : nowMs - memory.atMs,
        oldestMs: silentMs,
        // Of one that has never answered as much is expected as of the others; of the first nothing is known.
        usualMs: Number.isNaN(own) ? (usualMs ?? Number.POSITIVE_INFINITY) : own,
      };
      gate.judge(slot, known.signs, nowMs);
    }
    gate.settle(working.map(({ slot }) => slot));
    for (const { id, slot } of working) this.#noteShut(this.#known.get(id)!, gate.standing(slot), nowMs);
  }

  #meanUsualMs(working: readonly Subject[]): number | undefined {
    const usual = working.flatMap(({ id }) => this.#known.get(id)!.forecast.observed.usualMs || []);
    return usual.length === 0 ? undefined : usual.reduce((sum, ms) => sum + ms, 0) / usual.length;
  }

  #noteShut(known: Known, standing: Standing, nowMs: number): void {
    if (standing === Standing.open) known.shut = null;
    else if (known.shut === null) {
      const ratio = known.forecast.base / this.#meanBase;
      known.shut = { ratio: Math.max(1, Math.min(MOST_HEAVIER, ratio || 1)), sinceMs: nowMs };
    }
  }

  #reportOf(id: string, wallMs: number): BackendForecastReport {
    const { forecast } = this.#known.get(id)!;
    const { score } = forecast;
    const horizonMs = this.#settings.horizonsMs.at(-1)!;
    return {
      cluster: this.#cluster,
      id,
      ...this.foreseen(id),
      resource: score?.resource ?? null,
      ageMs: score?.ageMs ?? null,
      shares: score?.shares ?? [],
      state: forecast.state,
      horizons: forecast.horizons,
      reason: forecast.reason(this.#settings.gateHorizonMs || horizonMs),
      events: [...new Set(this.#plan.between(id, wallMs, wallMs + horizonMs).map(({ name }) => name))],
      seconds: forecast.observed.seconds,
    };
  }

  #gateReason({ forecast, slot, signs }: Known): string {
    const above = this.#config.balance.gate === 'off' ? 0 : this.#config.balance.gate.above_mean;
    const limit = Math.max(this.#settings.threshold, this.#meanPredicted + above);
    return gateText(this.#gate?.reason(slot) ?? 'load', signs, forecast.predicted, limit);
  }
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

const eventsOf = ({ forecast }: ClusterConfig) => (forecast === 'off' ? [] : forecast.events);

function settingsOf({ forecast, balance: { gate } }: ClusterConfig): ForecastSettings {
  return {
    horizonsMs: forecast === 'off' ? [] : forecast.horizons,
    gateHorizonMs: gate === 'off' ? 0 : gate.horizon,
    threshold: gate === 'off' ? DEFAULT_THRESHOLD : gate.threshold,
  };
}
