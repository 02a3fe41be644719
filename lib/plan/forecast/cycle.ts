// The shape of one period: the load's mean deviation at each phase, small and uncertain ones shrunk away.

import { MAX_PERIOD_BINS } from './period-finder.ts';

export interface CycleState {
  readonly period: number;
  readonly phaseBins: number;
  readonly residual: number;
  readonly means: readonly number[];
  readonly counts: readonly number[];
}

/** Nothing of a deviation is used unless its square exceeds so many times its variance. */
const SHRINK = 3;
/** Weight of the newest cycle, once there are enough. */
const GAIN = 0.25;
const REMEMBERED_BINS = 3 * MAX_PERIOD_BINS;
/** Variance of an exponential average over that of what it averages. */
const AVERAGE_VARIANCE = GAIN / (2 - GAIN);

export class Cycle {
  /** A value for each bin of the period; most loads have none. */
  #means = new Float32Array(0);
  #counts = new Uint8Array(0);
  /** Deviations of the bins from #oldest to #newest, those that fit. */
  readonly #recent = new Float32Array(REMEMBERED_BINS);
  #oldest = 0;
  #newest = -1;
  #bins = 0;
  period = 0;
  /** Mean square of what the shape leaves unexplained at one bin. */
  #residual = 0;
  /** Bins to add before the phase is taken: only a restored cycle has any. */
  #shift = 0;

  /** Takes on a period (0 for none) and learns it from what is remembered, so that a correction costs nothing known. */
  start(period: number): void {
    this.period = period;
    this.#shift = 0;
    this.#bins = Math.round(period);
    this.#means = new Float32Array(this.#bins);
    this.#counts = new Uint8Array(this.#bins);
    this.#residual = 0;
    const size = this.#recent.length;
    for (let bin = Math.max(this.#newest - size + 1, this.#oldest); bin <= this.#newest; bin++)
      this.#learn(bin, this.#recent[bin % size]!);
  }

  /** `bin` counts seconds on the monotonic clock. */
  learn(bin: number, deviation: number): void {
    if (this.#newest !== bin - 1) this.#oldest = bin;
    this.#newest = bin;
    this.#recent[bin % this.#recent.length] = deviation;
    this.#learn(bin, deviation);
  }

  /** The shape from phase 0, and at which phase `bin` lies. */
  save(bin: number): CycleState | null {
    if (this.#bins === 0) return null;
    return {
      period: this.period,
      phaseBins: (bin + this.#shift) % this.period,
      residual: this.#residual,
      means: Array.from(this.#means, value => Math.round(value * 1e4) / 1e4),
      counts: [...this.#counts],
    };
  }

  /** `bin` lies `sinceBins` after the bin of the save. */
  restore(state: CycleState, bin: number, sinceBins: number): void {
    this.start(state.period);
    this.#means.set(state.means);
    this.#counts.set(state.counts);
    this.#residual = state.residual;
    const phase = (((state.phaseBins + sinceBins) % state.period) + state.period) % state.period;
    this.#shift = (((phase - bin) % state.period) + state.period) % state.period;
  }

  #learn(bin: number, deviation: number): void {
    if (this.#bins === 0) return;
    const phase = this.#phase(bin);
    const error = deviation - this.#means[phase]!;
    const count = this.#counts[phase]!;
    if (count > 0) this.#residual += (this.#residual === 0 ? 1 : 1 / 300) * (error * error - this.#residual);
    this.#counts[phase] = Math.min(255, count + 1);
    this.#means[phase]! += Math.max(GAIN, 1 / (count + 1)) * error;
  }

  /** James and Stein's positive part at each phase: what does not stand out of its own uncertainty counts as 0. */
  at(bin: number): number {
    if (this.#bins === 0) return 0;
    const phase = this.#phase(bin);
    const count = this.#counts[phase]!;
    const mean = this.#means[phase]!;
    if (count === 0 || mean === 0) return 0;
    const uncertain = this.#residual * Math.max(AVERAGE_VARIANCE, 1 / count);
    return mean * Math.max(0, 1 - (SHRINK * uncertain) / (mean * mean));
  }

  #phase(bin: number): number {
    const phase = Math.floor((((bin + this.#shift) % this.period) / this.period) * this.#bins);
    return phase < this.#bins ? phase : this.#bins - 1;
  }
}
