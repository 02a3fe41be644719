// A world of sessions, in steps of a second: they come, ask for more or less, are placed, moved and leave. The planner is the proxy's.

import type { Random } from '../../core/random.ts';
import { LoadForecaster } from '../../plan/forecast/load-forecaster.ts';
import { Levels } from '../../plan/session/levels.ts';
import { PLANNER_DEFAULTS, SessionPlanner, type Standing } from '../../plan/session/planner.ts';
import { Price } from '../../plan/session/price.ts';
import { SessionTable } from '../../plan/session/table.ts';
import { logNormal, streamOf } from '../chance.ts';
import { Capacities } from './capacity.ts';
import { Demand, type Visitor } from './demand.ts';
import type { SessionFigures } from './figures.ts';
import type { SessionPolicyConfig, SessionScenarioConfig } from './spec.ts';

const STEP_MS = 1000;
/** Weight of a new second in a session's activity, and of a new report in a price. */
const ACTIVITY_WEIGHT = 0.2;
const PRICE_WEIGHT = 0.4;
const WALL_MS = 1_700_000_000_000;

export class SessionWorld {
  readonly #scenario: SessionScenarioConfig;
  readonly #policy: SessionPolicyConfig;
  readonly #demand: Demand;
  readonly #capacities: Capacities;
  readonly #reportNoise: Random;
  readonly #activityNoise: Random;
  readonly #table: SessionTable;
  readonly #levels: Levels;
  readonly #planner: SessionPlanner;
  readonly #byRow: (Visitor | undefined)[] = [];
  readonly #arriving: Visitor[] = [];
  /** True loads of the last steps, for reports that are late: by step, then by backend. */
  readonly #past: Float64Array[] = [];
  readonly #standings: Standing[];
  readonly #counts: Float64Array;
  #atS = 0;
  #dropped = 0;
  #moves = 0;
  readonly #begun: number[] = [];

  constructor(scenario: SessionScenarioConfig, policy: SessionPolicyConfig, seed: number) {
    this.#scenario = scenario;
    this.#policy = policy;
    this.#demand = new Demand(scenario.sessions, seed);
    this.#capacities = new Capacities(scenario, this.#demand.mean / scenario.utilization, seed);
    this.#reportNoise = streamOf(seed, 'reports');
    this.#activityNoise = streamOf(seed, 'activity');
    const slots = this.#capacities.count;
    this.#counts = new Float64Array(slots);
    this.#standings = Array.from({ length: slots }, () => ABSENT);
    this.#table = new SessionTable(scenario.sessions.open * 3, slots);
    const horizonsMs = policy.policy === 'predictive' ? policy.horizons : [];
    const forecaster = () => new LoadForecaster({ stepMs: STEP_MS, horizonsMs });
    this.#levels = new Levels(
      {
        table: this.#table,
        prices: Array.from({ length: slots }, () => new Price(forecaster(), PRICE_WEIGHT)),
        demand: horizonsMs.length === 0 ? null : forecaster(),
      },
      { horizonsMs, caution: policy.caution },
    );
    this.#planner = new SessionPlanner(
      {
        ...PLANNER_DEFAULTS,
        over: policy.over,
        under: policy.under,
        perSecond: policy.per_second,
        dwellMs: policy.dwell,
      },
      this.#table,
      this.#levels,
    );
  }

  /** `seen` hears of each measured second: the loads of the backends that are there. */
  run(seen?: (loads: readonly number[]) => void): SessionFigures {
    const { warmup, measure } = this.#scenario;
    const steps = Math.ceil((warmup + measure) / STEP_MS);
    const from = Math.ceil(warmup / STEP_MS);
    let seconds = 0;
    let over = 0;
    let excess = 0;
    let spread = 0;
    let open = 0;
    for (this.#atS = 0; this.#atS < steps; this.#atS++) {
      const loads = this.#step();
      if (this.#atS === from) {
        this.#dropped = 0;
        this.#moves = 0;
        this.#begun.length = 0;
      }
      if (this.#atS < from) continue;
      let sum = 0;
      let most = 0;
      let up = 0;
      seen?.([...loads].filter((_, slot) => this.#standings[slot]!.state !== 'absent'));
      for (let slot = 0; slot < loads.length; slot++) {
        if (this.#standings[slot]!.state === 'absent') continue;
        const load = loads[slot]!;
        up += 1;
        sum += load;
        most = Math.max(most, load);
        if (load <= 1) continue;
        over += 1;
        excess += load - 1;
      }
      seconds += up;
      spread += sum === 0 ? 0 : (most * up) / sum;
      open += this.#demand.open.length;
    }
    const measured = steps - from;
    const meanOpen = open / measured;
    return {
      overload: over / seconds,
      excess: excess / seconds,
      moves: (this.#moves * 3_600) / (meanOpen * measured),
      peak: peakOf(this.#begun),
      dropped: this.#dropped,
      spread: spread / measured,
      sessions: meanOpen,
    };
  }

  #step(): Float64Array {
    const nowMs = (this.#atS + 1) * STEP_MS;
    this.#capacities.step(this.#atS);
    this.#rollStandings(nowMs);
    for (const visitor of this.#demand.step(this.#atS, visitor => this.#leave(visitor)))
      this.#place(visitor, nowMs);
    if (this.#atS === 0)
      for (const visitor of this.#demand.open) if (visitor.backend < 0) this.#place(visitor, nowMs);
    this.#settle(nowMs);
    const loads = this.#loads();
    this.#past.push(loads);
    if (this.#past.length > 64) this.#past.shift();
    if (this.#policy.policy !== 'least_connections') this.#plan(nowMs);
    return loads;
  }

  #plan(nowMs: number): void {
    const { age, noise, activity_noise: jitter } = this.#scenario.reports;
    const steps = Math.round(age / STEP_MS);
    const old = this.#past[this.#past.length - 1 - steps];
    const readings = [...this.#counts.keys()].map(slot => ({
      load: old === undefined ? Number.NaN : old[slot]! * logNormal(this.#reportNoise, noise),
      ageMs: age,
    }));
    for (const visitor of this.#demand.open) {
      const seen = visitor.demand * (jitter === 0 ? 1 : logNormal(this.#activityNoise, jitter));
      const known = this.#table.activity[visitor.row]!;
      this.#table.setActivity(visitor.row, known + ACTIVITY_WEIGHT * (seen - known));
    }
    const up = [...this.#standings.keys()].filter(slot => this.#standings[slot]!.state !== 'absent');
    for (const slot of up) this.#table.tally(slot);
    this.#levels.observe(nowMs, WALL_MS + nowMs, readings, up);
    const { moves } = this.#planner.plan(nowMs, this.#standings);
    for (const { row, to } of moves) {
      const visitor = this.#byRow[row]!;
      visitor.target = to;
      visitor.arrivesS = this.#atS + this.#scenario.moves.takes / 1000;
      this.#arriving.push(visitor);
    }
    this.#moves += moves.length;
    this.#begun.push(moves.length);
  }

  /** Moves that are through. */
  #settle(nowMs: number): void {
    let kept = 0;
    for (const visitor of this.#arriving) {
      if (visitor.target < 0) continue;
      if (visitor.arrivesS > this.#atS) {
        this.#arriving[kept++] = visitor;
        continue;
      }
      this.#counts[visitor.backend]! -= 1;
      visitor.backend = visitor.target;
      this.#counts[visitor.backend]! += 1;
      visitor.target = -1;
      this.#planner.finished(visitor.row, true, nowMs);
    }
    this.#arriving.length = kept;
  }

  #loads(): Float64Array {
    const { cost } = this.#scenario.moves;
    const loads = new Float64Array(this.#counts.length);
    for (const { backend, target, demand } of this.#demand.open) {
      loads[backend]! += demand;
      if (target >= 0) loads[target]! += cost * demand;
    }
    for (let slot = 0; slot < loads.length; slot++) loads[slot]! /= this.#capacities.now[slot]!;
    return loads;
  }

  #place(visitor: Visitor, nowMs: number): void {
    const planned = this.#policy.policy !== 'least_connections';
    const typical = this.#table.count === 0 ? visitor.base : this.#totalActivity() / this.#table.count;
    let best = -1;
    let least = Number.POSITIVE_INFINITY;
    for (const [slot, { state, takesNew }] of this.#standings.entries()) {
      if (state !== 'up' || !takesNew) continue;
      const known = planned && this.#levels.unit(slot) > 0;
      const value = known
        ? this.#levels.ahead(slot) + typical * this.#levels.unit(slot)
        : (this.#counts[slot]! + 1) / this.#capacities.nominal(slot);
      if (value >= least) continue;
      least = value;
      best = slot;
    }
    visitor.backend = best;
    this.#counts[best]! += 1;
    if (!planned) return;
    visitor.row = this.#table.open(best, typical, nowMs);
    this.#byRow[visitor.row] = visitor;
  }

  #totalActivity(): number {
    let sum = 0;
    for (let slot = 0; slot < this.#counts.length; slot++) sum += this.#table.activityOn(slot);
    return sum;
  }

  #leave(visitor: Visitor): void {
    this.#counts[visitor.backend]! -= 1;
    visitor.target = -1;
    if (visitor.row < 0) return;
    this.#planner.forget(visitor.row);
    this.#table.close(visitor.row);
    visitor.row = -1;
  }

  /** Who joins, drains, is away, is back. */
  #rollStandings(nowMs: number): void {
    for (let slot = 0; slot < this.#standings.length; slot++) {
      const before = this.#standings[slot]!.state;
      const standing = this.#standingAt(slot, nowMs);
      this.#standings[slot] = standing;
      if (standing.state === 'absent' && before !== 'absent') this.#cut(slot, nowMs);
    }
  }

  #standingAt(slot: number, nowMs: number): Standing {
    if (this.#capacities.joinsS(slot) * 1000 > nowMs) return ABSENT;
    const { rolling } = this.#scenario;
    if (rolling === undefined) return UP;
    const sinceMs = nowMs - rolling.at - slot * rolling.every;
    if (sinceMs < 0 || sinceMs >= rolling.deadline + rolling.away) return UP;
    return sinceMs >= rolling.deadline
      ? ABSENT
      : { state: 'draining', takesNew: false, deadlineMs: nowMs - sinceMs + rolling.deadline };
  }

  /** Whoever is still there is cut, and comes again at once. */
  #cut(slot: number, nowMs: number): void {
    for (const visitor of this.#demand.open) {
      if (visitor.backend !== slot && visitor.target !== slot) continue;
      this.#dropped += 1;
      this.#leave(visitor);
      this.#place(visitor, nowMs);
    }
  }
}

const ABSENT: Standing = Object.freeze({ state: 'absent', takesNew: false, deadlineMs: 0 });
const UP: Standing = Object.freeze({ state: 'up', takesNew: true, deadlineMs: 0 });

/** Most in ten seconds, per second. */
function peakOf(begun: readonly number[]): number {
  let sum = 0;
  let most = 0;
  for (let i = 0; i < begun.length; i++) {
    sum += begun[i]! - (begun[i - 10] ?? 0);
    most = Math.max(most, sum);
  }
  return most / 10;
}
