// What came at this phase of the last two periods: the worst load soon, for decisions that must not be late.
//
// A forecast proper is a mean, blurred by when exactly a job begins; the ensemble gives way to it only after many periods. A
// gate rather asks: did it get bad about now, the last two times? Both must say so, lest one accident be taken for a habit.

import { MAX_PERIOD_BINS, PeriodFinder } from './period-finder.ts';

const BIN_MS = 1_000;
const KEPT_BINS = 3 * MAX_PERIOD_BINS;
/** Jobs are early and late by about this. */
const SLACK_BINS = 1;
/** Load that is believed of one that is kept from work, of what it was a period ago, and the most: who is full is full. */
const BELIEVED = 0.95;
const MOST_BELIEVED = 2;
/** A wrong period harms little, since both of its last must have been bad; one found late costs a job or two. */
const HASTY_NOISE_LAGS = 15;
/** Of the slow average that deviations are measured from. */
const AVERAGE_BINS = 300;

export class Recurrence {
  readonly #finder = new PeriodFinder(HASTY_NOISE_LAGS);
  readonly #loads = new Float32Array(KEPT_BINS).fill(Number.NaN);
  #first = Number.NaN;
  #bin = Number.NaN;
  #sum = 0;
  #count = 0;
  #last = 0;
  #average = 0;
  #averaged = 0;

  /** 0 while none is found. */
  get periodMs(): number {
    return this.#finder.period * BIN_MS;
  }

  /** `measuredMs` rises; what is older than the newest is passed over. */
  observe(load: number, measuredMs: number): void {
    if (!(load >= 0) || !Number.isFinite(measuredMs)) return;
    const bin = Math.floor(measuredMs / BIN_MS);
    if (Number.isNaN(this.#bin)) {
      this.#bin = bin;
      this.#first = bin;
    }
    if (bin < this.#bin) return;
    if (bin - this.#bin > KEPT_BINS) this.#bin = bin - KEPT_BINS;
    for (; this.#bin < bin; this.#bin++) this.#close();
    this.#sum += load;
    this.#count += 1;
  }

  /**
   * The same of one that is kept from work, and so cannot show that it would be as bad again: that is believed for some periods, less each
   * time, and then tried. Else a gate that is right would forget why.
   */
  observeKept(load: number, measuredMs: number): void {
    const { period } = this.#finder;
    const before = this.#at(Math.floor(measuredMs / BIN_MS) - Math.round(period));
    const again = period === 0 ? 0 : Math.min(before, this.#highest(measuredMs, measuredMs, 2 * period));
    this.observe(Math.max(load, BELIEVED * Math.min(MOST_BELIEVED, again)), measuredMs);
  }

  /** Highest load that both of the last two periods had at the phases from `fromMs` to `toMs`; NaN when no period is known. */
  worst(fromMs: number, toMs: number): number {
    const { period } = this.#finder;
    if (period === 0) return Number.NaN;
    return Math.min(this.#highest(fromMs, toMs, period), this.#highest(fromMs, toMs, 2 * period));
  }

  #highest(fromMs: number, toMs: number, agoBins: number): number {
    let highest = 0;
    const last = Math.ceil(toMs / BIN_MS - agoBins) + SLACK_BINS;
    for (let bin = Math.floor(fromMs / BIN_MS - agoBins) - SLACK_BINS; bin < last; bin++)
      highest = Math.max(highest, this.#at(bin));
    return highest;
  }

  /** 0 where nothing is known. */
  #at(bin: number): number {
    return bin >= this.#first && bin < this.#bin && bin > this.#bin - KEPT_BINS
      ? this.#loads[bin % KEPT_BINS]!
      : 0;
  }

  /** A bin without a measurement is as the one before. */
  #close(): void {
    if (this.#count > 0) this.#last = this.#sum / this.#count;
    this.#sum = 0;
    this.#count = 0;
    this.#loads[this.#bin % KEPT_BINS] = this.#last;
    this.#averaged = Math.min(AVERAGE_BINS, this.#averaged + 1);
    this.#average += (this.#last - this.#average) / this.#averaged;
    this.#finder.add(this.#last - this.#average);
  }
}
