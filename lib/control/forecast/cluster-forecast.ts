// The forecasts of one cluster's backends, and the gate that goes by them.

import type { ClusterConfig } from '../../config/cluster.ts';
import { type GateOptions, Standing } from '../../plan/balance/gate.ts';
import type { EventCalendar } from '../../plan/forecast/events.ts';
import { ForecastQuality } from '../../plan/forecast/quality.ts';
import type { Counts } from '../../plan/load/observed.ts';
import type { Capacity } from '../../plan/load/score.ts';
import { NO_SIGNALS, type SignalView } from '../../plan/load/signals.ts';
import type { Announced } from './announcements.ts';
import { BackendForecast, type ForecastSettings } from './backend-forecast.ts';
import { ClusterGate } from './cluster-gate.ts';
import { ClusterPool } from './cluster-pool.ts';
import { EventPlan } from './event-plan.ts';
import { GATE_STATES } from './gate-text.ts';
import { LATER, type Remembered } from './memory.ts';
import type { BackendForecastReport, ClusterForecastReport, EventReport } from './ports.ts';
import type { Room } from './room.ts';

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

const NOTHING: Outlook = Object.freeze({ milliPredicted: -1, gate: 0, outside: 0 });
/** Published in steps of this, so that noise does not make workers look again four times a second. */
const MILLI_STEP = 10;
const MOST_MILLI = 100_000;
const DEFAULT_THRESHOLD = 0.7;

interface Known {
  readonly forecast: BackendForecast;
  readonly slot: number;
  readonly slotGeneration: number;
}

export class ClusterForecast {
  readonly #cluster: string;
  readonly #maxBackends: number;
  readonly #signals: SignalView | null;
  readonly #remembered: Remembered;
  readonly #room: Room;
  readonly #plan: EventPlan;
  readonly #known = new Map<string, Known>();
  #config: ClusterConfig;
  #settings: ForecastSettings;
  #gate: ClusterGate;
  readonly #pool: ClusterPool;

  constructor(
    cluster: string,
    config: ClusterConfig,
    hands: {
      readonly maxBackends: number;
      readonly signals: SignalView | null;
      readonly remembered: Remembered;
      /** For models; shared by all clusters. */
      readonly room: Room;
      /** Tells proxies apart, the same each time this one starts. */
      readonly proxy: string;
    },
  ) {
    this.#cluster = cluster;
    this.#maxBackends = hands.maxBackends;
    this.#signals = hands.signals;
    this.#remembered = hands.remembered;
    this.#room = hands.room;
    this.#plan = new EventPlan(cluster);
    this.#config = config;
    this.#settings = settingsOf(config);
    this.#gate = new ClusterGate(this.#maxBackends, gateOf(config, this.#settings));
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
    if (JSON.stringify(settings) !== JSON.stringify(this.#settings)) this.forgetAll();
    else if (JSON.stringify(before.balance.gate) === JSON.stringify(config.balance.gate)) return;
    this.#settings = settings;
    this.#gate = new ClusterGate(this.#maxBackends, gateOf(config, settings));
  }

  /** What models learned since they were saved is lost. */
  forgetAll(): void {
    this.#room.give(this.#known.size);
    this.#known.clear();
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
      this.forgetAll();
      return outlooks;
    }
    this.#plan.tick(wallMs, nowMs);
    this.#forgetMissing(subjects);
    for (const subject of subjects) this.#observe(subject, nowMs, wallMs);
    // Of whom there is no model, yet or for want of room, nothing is foreseen.
    const working = subjects.filter(({ id, working }) => working && this.#known.has(id));
    const judged = working.map(({ id, slot, silentMs }) => ({
      ...{ id, slot, silentMs, forecast: this.#known.get(id)!.forecast },
      memory: this.#signals?.of(this.#cluster, id).memory ?? null,
    }));
    this.#gate.tick(judged, nowMs, panic);
    const inTurn = judged.map(one => ({ ...one, standing: this.gateOf(one.slot) }));
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
    return this.#gate.heed(id, silentMs, nowMs);
  }

  gateOf(slot: number): Standing {
    return this.#gate.standing(slot);
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
    const standing = this.gateOf(slot);
    return {
      load: forecast.score?.load ?? null,
      predicted: orNull(forecast.predicted),
      gate: GATE_STATES[standing],
      gateReason: standing === Standing.open ? '' : this.#gate.why(id, slot, forecast.predicted),
      outside: this.#pool.isOutside(id),
      doubt: forecast.check.doubt,
    };
  }

  get wantsOutlook(): boolean {
    const { forecast } = this.#config;
    return forecast !== 'off' && forecast.outlook === 'auto';
  }

  demand(): { readonly demand: number; readonly working: number } {
    let [demand, working] = [0, 0];
    for (const { forecast } of this.#known.values()) {
      if (Number.isNaN(forecast.predicted + forecast.base)) continue;
      demand += forecast.base;
      working += 1;
    }
    return { demand, working };
  }

  factorAt(wallMs: number): number {
    const factors = [...this.#known.values()].map(({ forecast }) => forecast.factorAt(wallMs));
    return factors.length === 0 ? 1 : factors.reduce((sum, factor) => sum + factor, 0) / factors.length;
  }

  report(wallMs: number): Omit<ClusterForecastReport, 'outlook'> {
    const { horizonsMs } = this.#settings;
    const known = [...this.#known.values()];
    return {
      cluster: this.#cluster,
      meanPredicted: orNull(this.#gate.meanPredicted),
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

  #forgetMissing(subjects: readonly Subject[]): void {
    if (this.#known.size === 0) return;
    const here = new Map(subjects.map(subject => [subject.id, subject]));
    for (const [id, { slot, slotGeneration }] of this.#known) {
      if (here.get(id)?.slotGeneration === slotGeneration) continue;
      this.#known.delete(id);
      this.#room.give();
      this.#plan.forget(id);
      this.#gate.forget(id, slot);
    }
  }

  #observe(subject: Subject, nowMs: number, wallMs: number): void {
    const known = this.#known.get(subject.id) ?? this.#meet(subject);
    if (known === null) return;
    if (!subject.working) {
      known.forecast.rest();
      this.#gate.rest(subject.id, subject.slot);
      return;
    }
    const { counts, inFlight, connections, capacity } = subject;
    known.forecast.tick({
      ...{ nowMs, wallMs, counts, inFlight, connections, capacity },
      signals: this.#signals?.of(this.#cluster, subject.id) ?? NO_SIGNALS,
      shareOfWork: this.#gate.shareOfWork(subject.id, nowMs),
    });
  }

  /** Null when there is no room, or what it remembers comes at a later tick. */
  #meet({ id, slot, slotGeneration }: Subject): Known | null {
    // Whoever has no place asks for nothing: what is taken up in a tick is for others.
    if (!this.#room.take()) return null;
    const remembered = this.#remembered.recall(this.#cluster, id);
    if (remembered === LATER) {
      this.#room.give();
      return null;
    }
    const forecast = new BackendForecast(this.#settings, this.#plan.calendarOf(id));
    if (remembered !== undefined) forecast.restore(remembered);
    const known = { forecast, slot, slotGeneration };
    this.#known.set(id, known);
    return known;
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
      again: orNull(forecast.again),
      reason: forecast.reason(this.#settings.gateHorizonMs || horizonMs),
      events: [...new Set(this.#plan.between(id, wallMs, wallMs + horizonMs).map(({ name }) => name))],
      seconds: forecast.observed.seconds,
    };
  }
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

const eventsOf = ({ forecast }: ClusterConfig) => (forecast === 'off' ? [] : forecast.events);

/** Null: none. */
function gateOf(
  { forecast, balance: { gate } }: ClusterConfig,
  { gateHorizonMs }: ForecastSettings,
): GateOptions | null {
  if (gate === 'off' || forecast === 'off') return null;
  return { horizonMs: gateHorizonMs, threshold: gate.threshold, above: gate.above_mean };
}

function settingsOf({ forecast, balance: { gate } }: ClusterConfig): ForecastSettings {
  return {
    horizonsMs: forecast === 'off' ? [] : forecast.horizons,
    gateHorizonMs: gate === 'off' ? 0 : gate.horizon,
    threshold: gate === 'off' ? DEFAULT_THRESHOLD : gate.threshold,
  };
}
