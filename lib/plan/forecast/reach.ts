// One horizon's share of a forecaster: who forecast what for now, who was right, and how far off the whole was.

import type { Averages } from './averages.ts';
import { DirectRegression } from './direct.ts';
import { FixedShare } from './fixed-share.ts';
import { QuantileTracker } from './quantile-tracker.ts';
import type { ReachState } from './state.ts';

/** The members of the ensemble. `cycle` members count only while a period is known. */
export const MEMBERS = [
  'last',
  'ses5',
  'ses15',
  'ses60',
  'holt',
  'profile',
  'regression',
  'cycle',
  'cycleRegression',
] as const;
export type Member = (typeof MEMBERS)[number];

/** Learning rate per unit of loss, and the share of weight that is dealt out anew each step. */
const HEDGE_RATE = 1;
const HEDGE_SHARE = 1e-4;
/** A loss is 1 at so many mean errors of the last value. */
const LOSS_SPAN = 4;
const SCALE_SPAN_MS = 300_000;
const REGRESSION_MEMORY_MS = 1_800_000;
/** What was stored counts as so many scored steps. */
const RESTORED_COUNT = 300;
/** No forecast is above this many times the highest recent load, plus one: a bound on any divergence. */
const CAP_FACTOR = 2;

/** What a step knows beside its value. */
export interface StepView {
  readonly value: number;
  readonly seen: boolean;
  readonly averages: Averages;
  /** The same without the cycle; null while no period is known. */
  readonly flat: Averages | null;
  readonly flatValue: number;
  /** Highest recent load. */
  readonly peak: number;
}

export class Reach {
  readonly horizonMs: number;
  readonly steps: number;
  readonly hedge: FixedShare;
  readonly errors: QuantileTracker;
  readonly regression: DirectRegression;
  readonly flatRegression: DirectRegression;
  /** Forecasts of the members from now on, and their weighted mean. */
  readonly members = new Float64Array(MEMBERS.length);
  point = 0;
  /** What the cycle says of the horizon, and the weight of those members that heed it. */
  #cycleThen = 0;
  #cycleWeight = 0;
  /** Mean error of the last value over this horizon. */
  scale = 0;
  readonly #pending: Float32Array;
  readonly #points: Float32Array;
  readonly #seen: Uint8Array;
  readonly #losses = new Float64Array(MEMBERS.length);
  readonly #scaleGain: number;
  #slot = 0;
  #scored = 0;

  constructor(horizonMs: number, stepMs: number, tempo = 1) {
    this.horizonMs = horizonMs;
    this.steps = Math.max(1, Math.round(horizonMs / stepMs));
    // The later a loss is known, the more cautiously it is followed: the bound's optimum falls with √(1 + 2 · delay).
    const rate = HEDGE_RATE / Math.sqrt(2 * this.steps - 1);
    this.hedge = new FixedShare(MEMBERS.length, rate, HEDGE_SHARE);
    this.errors = new QuantileTracker(stepMs / tempo);
    this.regression = new DirectRegression(this.steps, (REGRESSION_MEMORY_MS * tempo) / stepMs);
    this.flatRegression = new DirectRegression(this.steps, (REGRESSION_MEMORY_MS * tempo) / stepMs);
    this.#pending = new Float32Array(this.steps * MEMBERS.length);
    this.#points = new Float32Array(this.steps);
    this.#seen = new Uint8Array(this.steps);
    this.#scaleGain = 1 - Math.exp(-stepMs / (SCALE_SPAN_MS * tempo));
  }

  /** Judges the forecasts made for this step; to be called before `step`. An unseen step judges nobody. */
  score(value: number, seen: boolean): void {
    const slot = this.#slot;
    if (!seen || this.#seen[slot] === 0) return;
    const from = slot * MEMBERS.length;
    this.#scored += 1;
    const lastError = Math.abs(this.#pending[from]! - value);
    this.scale += Math.max(this.#scaleGain, 1 / this.#scored) * (lastError - this.scale);
    const unit = LOSS_SPAN * Math.max(this.scale, 1e-4);
    for (let i = 0; i < MEMBERS.length; i++)
      this.#losses[i] = Math.min(1, Math.abs(this.#pending[from + i]! - value) / unit);
    this.hedge.update(this.#losses);
    this.errors.learn(value - this.#points[slot]!);
  }

  /** Teaches the regressions this step and forecasts from it. `change` and `cycle` are the profile's and the cycle's word on the horizon. */
  step(view: StepView, holtAhead: number, ratio: number, cycleThen: number): void {
    const { value, seen, averages, flat } = view;
    const spans = averages.values;
    const clip = LOSS_SPAN * Math.max(this.scale, 0.005);
    this.regression.step(value, averages, spans[1]! * (ratio - 1), seen, clip);
    const members = this.members;
    members[0] = value;
    members[1] = spans[1]!;
    members[2] = spans[2]!;
    members[3] = spans[3]!;
    members[4] = holtAhead;
    members[5] = spans[1]! * ratio;
    members[6] = this.regression.predict();
    if (flat === null) {
      members[7] = members[1]!;
      members[8] = members[6]!;
    } else {
      this.flatRegression.step(view.flatValue, flat, flat.values[1]! * (ratio - 1), seen, clip);
      members[7] = flat.values[1]! * ratio + cycleThen;
      members[8] = this.flatRegression.predict() + cycleThen;
    }
    const cap = CAP_FACTOR * view.peak + 1;
    const weights = this.hedge.weights;
    let point = 0;
    for (let i = 0; i < members.length; i++) {
      const forecast = members[i]!;
      // What is no number forecasts nothing new; the comparison also refuses NaN.
      members[i] = forecast >= 0 ? Math.min(forecast, cap) : forecast < 0 ? 0 : value;
      point += weights[i]! * members[i]!;
    }
    this.point = point;
    this.#cycleThen = cycleThen;
    this.#cycleWeight = weights[7]! + weights[8]!;
    const slot = this.#slot;
    this.#pending.set(members, slot * members.length);
    this.#points[slot] = point;
    this.#seen[slot] = seen ? 1 : 0;
    this.#slot = slot + 1 === this.steps ? 0 : slot + 1;
  }

  /** The point forecast for another lead, at which the cycle stands at `cycle`: what is periodic must not be interpolated. */
  pointAt(cycle: number): number {
    return Math.max(0, this.point + this.#cycleWeight * (cycle - this.#cycleThen));
  }

  /** After a long gap nothing before now is an origin any more. */
  forgetOrigins(): void {
    this.#seen.fill(0);
    this.regression.forgetOrigins();
    this.flatRegression.forgetOrigins();
  }

  save(): ReachState {
    return {
      horizonMs: this.horizonMs,
      weights: [...this.hedge.weights],
      regression: [...this.regression.weights],
      flatRegression: [...this.flatRegression.weights],
      offsets: [...this.errors.offsets],
      errorScale: this.errors.scale,
      scale: this.scale,
    };
  }

  restore(state: ReachState): void {
    this.hedge.restore(state.weights);
    this.regression.restore(state.regression);
    this.flatRegression.restore(state.flatRegression);
    this.errors.restore(state.offsets, state.errorScale);
    this.scale = state.scale;
    this.#scored = RESTORED_COUNT;
  }

  /** A period was found: the regression without it begins with what is known with it. */
  beginFlat(): void {
    this.flatRegression.copy(this.regression);
    this.flatRegression.forgetOrigins();
  }
}
