// What a forecaster remembers across restarts, and the check that it is fit to be taken over.

import type { CycleState } from './cycle.ts';
import { INPUTS } from './direct.ts';
import { MAX_PERIOD_BINS } from './period-finder.ts';
import type { ProfileState } from './profile.ts';
import { LEVELS, MOST_OFFSET } from './quantile-tracker.ts';
import { MEMBERS } from './reach.ts';

export interface ReachState {
  readonly horizonMs: number;
  readonly weights: readonly number[];
  readonly regression: readonly number[];
  readonly flatRegression: readonly number[];
  readonly offsets: readonly number[];
  readonly errorScale: number;
  readonly scale: number;
}

export interface ForecasterState {
  readonly stepMs: number;
  /** Of the last step: gives the cycle its phase in another process, whose monotonic clock began elsewhere. */
  readonly wallMs: number;
  readonly profile: ProfileState;
  readonly cycle: CycleState | null;
  readonly reaches: readonly ReachState[];
}

/** No learned weight, offset or scale is beyond this in any sane state. */
const MAX_NUMBER = 1000;

/** The state with every number of it checked except the profile's, which checks its own; null when anything is off. */
export function checkedState(
  json: unknown,
  stepMs: number,
  reaches: readonly { readonly horizonMs: number }[],
): ForecasterState | null {
  if (typeof json !== 'object' || json === null) return null;
  const state = json as Partial<ForecasterState>;
  if (state.stepMs !== stepMs || !Number.isFinite(state.wallMs)) return null;
  if (typeof state.profile !== 'object' || state.profile === null) return null;
  if (!Array.isArray(state.reaches) || state.reaches.length !== reaches.length) return null;
  if (state.cycle !== null && !isCycle(state.cycle)) return null;
  if (!reaches.every(({ horizonMs }, i) => isReach(state.reaches![i], horizonMs))) return null;
  return state as ForecasterState;
}

function isReach(json: unknown, horizonMs: number): boolean {
  if (typeof json !== 'object' || json === null) return false;
  const state = json as Partial<ReachState>;
  return (
    state.horizonMs === horizonMs &&
    areWeights(state.weights, MEMBERS.length) &&
    areNumbers(state.regression, INPUTS) &&
    areNumbers(state.flatRegression, INPUTS) &&
    areOffsets(state.offsets) &&
    areNumbers([state.errorScale, state.scale], 2) &&
    state.errorScale! > 0 &&
    state.scale! >= 0
  );
}

function isCycle(json: unknown): json is CycleState {
  if (typeof json !== 'object' || json === null) return false;
  const { period, phaseBins, residual, means, counts } = json as Partial<CycleState>;
  return (
    areNumbers([period, phaseBins, residual], 3) &&
    period! >= 1 &&
    period! <= MAX_PERIOD_BINS &&
    phaseBins! >= 0 &&
    residual! >= 0 &&
    areNumbers(means, Math.round(period!)) &&
    areNumbers(counts, Math.round(period!)) &&
    counts.every(count => count >= 0)
  );
}

/** Of as many members of a mean. */
export const areWeights = (json: unknown, length: number): json is readonly number[] =>
  areNumbers(json, length) && json.every(weight => weight >= 0) && json.some(weight => weight > 0);

/** Of a QuantileTracker: nudged back by hundredths, one beyond would take hours. */
export const areOffsets = (json: unknown): json is readonly number[] =>
  areNumbers(json, LEVELS.length, MOST_OFFSET);

export const areNumbers = (json: unknown, length: number, most = MAX_NUMBER): json is readonly number[] =>
  Array.isArray(json) &&
  json.length === length &&
  json.every(value => Number.isFinite(value) && Math.abs(value) <= most);
