// The gate of one cluster: who is foreseen to be full, what one that is shut would have to bear, and whether the others can.

import { Gate, type GateOptions, isStuck, type Signs, Standing } from '../../plan/balance/gate.ts';
import { isSized } from '../../plan/load/score.ts';
import type { Reading } from '../../plan/load/signals.ts';
import type { BackendForecast } from './backend-forecast.ts';
import { gateText } from './gate-text.ts';

/** How much heavier a backend was than its peers when it was shut is remembered this long while it gets no work. */
const HEAVIER_MS = 30_000;
const MOST_HEAVIER = 4;
/** Load at which the others can do no more of the work of one that is shut. */
const FULL = 1;
/** Answers that take so many usual times come from one that is full, where its load is a guess. */
const INFLATED = 2;

export interface GateSubject {
  readonly id: string;
  readonly slot: number;
  readonly forecast: BackendForecast;
  readonly memory: Reading | null;
  /** How long it has answered nothing while requests waited for it. */
  readonly silentMs: number;
}

interface Judged {
  readonly slot: number;
  /** As judged at the last tick, and when that was. */
  signs: Signs;
  judgedMs: number;
  /** Load over that of its peers when the gate shut, and when that was; null while open. */
  shut: { readonly ratio: number; readonly sinceMs: number } | null;
}

export class ClusterGate {
  readonly #options: GateOptions | null;
  readonly #gate: Gate | null;
  readonly #judged = new Map<string, Judged>();
  #meanBase = Number.NaN;
  /** NaN while nothing is known. */
  meanPredicted = Number.NaN;

  /** Options of null: there is no gate. */
  constructor(maxBackends: number, options: GateOptions | null) {
    this.#options = options;
    this.#gate = options && new Gate(maxBackends, options);
  }

  /** Once a tick, with all that take work. In panic the gate does not count. */
  tick(subjects: readonly GateSubject[], nowMs: number, panic: boolean): void {
    this.#average(subjects);
    if (panic) for (const { id, slot } of subjects) this.rest(id, slot);
    else this.#judge(subjects, nowMs);
  }

  /** It takes no work, so it is not judged. */
  rest(id: string, slot: number): void {
    this.#judged.delete(id);
    this.#gate?.forget(slot, false);
  }

  /** Another backend has its slot, or none. */
  forget(id: string, slot: number): void {
    this.#judged.delete(id);
    this.#gate?.forget(slot);
  }

  standing(slot: number): Standing {
    return this.#gate?.standing(slot) ?? Standing.open;
  }

  /** What it would have to bear if it were open: the mean of all, by how much heavier it was than they. NaN while it is. */
  shareOfWork(id: string, nowMs: number): number {
    const shut = this.#judged.get(id)?.shut ?? null;
    if (shut === null || Number.isNaN(this.#meanBase)) return Number.NaN;
    const faded = Math.max(0, 1 - (nowMs - shut.sinceMs) / HEAVIER_MS);
    return this.#meanBase * (1 + (shut.ratio - 1) * faded);
  }

  /** Between ticks: true when it stands otherwise now, since it stands still, or does no more. */
  heed(id: string, silentMs: number, nowMs: number): boolean {
    const judged = this.#judged.get(id);
    const gate = this.#gate;
    if (judged === undefined || gate === null) return false;
    const { signs, slot } = judged;
    const before = gate.standing(slot);
    const forStall = gate.reason(slot) === 'stall';
    if (before !== Standing.open && !forStall) return false;
    if (isStuck(silentMs, signs.usualMs) === forStall) return false;
    const memoryAgeMs = signs.memoryAgeMs + nowMs - judged.judgedMs;
    gate.judge(slot, { ...signs, memoryAgeMs, oldestMs: silentMs }, nowMs);
    return gate.standing(slot) !== before;
  }

  /** Why it is not open, in words. */
  why(id: string, slot: number, predicted: number): string {
    const { threshold, above } = this.#options ?? { threshold: 0, above: 0 };
    const limit = Math.max(threshold, this.meanPredicted + above);
    const signs = this.#judged.get(id)?.signs ?? null;
    return gateText(this.#gate?.reason(slot) ?? 'load', signs, predicted, limit);
  }

  #average(subjects: readonly GateSubject[]): void {
    const known = subjects.filter(({ forecast }) => !Number.isNaN(forecast.predicted + forecast.base));
    this.#meanBase = meanOf(known.map(({ forecast }) => forecast.base));
    this.meanPredicted = meanOf(known.map(({ forecast }) => forecast.predicted));
  }

  #judge(subjects: readonly GateSubject[], nowMs: number): void {
    const gate = this.#gate;
    if (gate === null) return;
    const usualMs = meanOf(subjects.flatMap(({ forecast }) => forecast.observed.usualMs || []));
    for (const { id, slot, forecast, memory, silentMs } of subjects) {
      const own = forecast.observed.usualMs;
      const signs = {
        capacity: forecast.capacityShare(nowMs),
        load: forecast.predicted,
        meanLoad: this.meanPredicted,
        memory: memory?.value ?? Number.NaN,
        memoryAgeMs: memory === null ? Number.NaN : nowMs - memory.atMs,
        oldestMs: silentMs,
        // Of one that has never answered as much is expected as of the others; of the first nothing is known.
        usualMs: own || usualMs || Number.POSITIVE_INFINITY,
      };
      gate.judge(slot, signs, nowMs);
      this.#judged.set(id, { slot, signs, judgedMs: nowMs, shut: this.#judged.get(id)?.shut ?? null });
    }
    const bySlot = new Map(subjects.map(({ slot, forecast }) => [slot, forecast]));
    gate.settle([...bySlot.keys()], open => canBear(open, bySlot));
    for (const { id, slot, forecast } of subjects) this.#noteShut(id, gate.standing(slot), forecast, nowMs);
  }

  #noteShut(id: string, standing: Standing, { base }: BackendForecast, nowMs: number): void {
    const judged = this.#judged.get(id)!;
    if (standing === Standing.open) judged.shut = null;
    else if (judged.shut === null) {
      const ratio = base / this.#meanBase;
      judged.shut = { ratio: Math.max(1, Math.min(MOST_HEAVIER, ratio || 1)), sinceMs: nowMs };
    }
  }
}

/**
 * What a request weighs at the open ones, times the requests of all: what else is at work where it is shut, a job or a neighbour, does
 * not come along. Where connections are the load they are what weighs, since requests that open some are too few to tell.
 * Where the open ones had none they have room, as far as anyone knows.
 */
function canBear(open: readonly number[], bySlot: ReadonlyMap<number, BackendForecast>): boolean {
  const connected = open.some(slot => bySlot.get(slot)!.score?.resource === 'connections');
  const workOf = ({ observed: { now } }: BackendForecast): number =>
    (connected ? now?.connections : now?.requestsPerSecond) ?? 0;
  let [load, work, all] = [0, 0, 0];
  for (const forecast of bySlot.values()) all += workOf(forecast);
  for (const slot of open) {
    const forecast = bySlot.get(slot)!;
    load += Math.max(forecast.base || 0, isInflated(forecast) ? FULL : 0);
    work += workOf(forecast);
  }
  if (work === 0) return open.length > 0;
  return (load / work) * all <= FULL * open.length;
}

const isInflated = ({ score, observed: { now, usualMs } }: BackendForecast): boolean =>
  score !== null && !isSized(score) && now !== null && now.latencyMs > INFLATED * usualMs;

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
