// What all backends of a cluster together will have to bear in 5 to 60 minutes.

import { LoadOutlook, type OutlookPast } from '../../plan/forecast/outlook.ts';
import { MINUTE_MS, OUTLOOK_MINUTES } from '../../plan/forecast/outlook-inputs.ts';
import type { OutlookReport } from './ports.ts';
import type { Pupil } from './trainings.ts';

/** More than so many times the backends of the beginning, for so long: it begins anew, in a measure of today. */
const MOST_UNITS = 6;
const TOO_MUCH_MS = 600_000;

export class ClusterOutlook implements Pupil {
  readonly cluster: string;
  #outlook = new LoadOutlook();
  /** Backends' capacities that a load of 1 stands for: as many as worked when it began. */
  #unit = 0;
  #demand = Number.NaN;
  #working = 0;
  #tooMuchSinceMs = Number.POSITIVE_INFINITY;

  constructor(cluster: string) {
    this.cluster = cluster;
  }

  /** Once a tick: work for so many backends' capacities, without that of events, and how many bear it. */
  observe(demand: number, working: number, wallMs: number): void {
    if (Number.isNaN(demand) || working === 0) return;
    if (this.#unit === 0) this.#unit = working;
    this.#demand = demand;
    this.#working = working;
    this.#outlook.observe(demand / this.#unit, wallMs);
    if (demand <= MOST_UNITS * this.#unit) this.#tooMuchSinceMs = Number.POSITIVE_INFINITY;
    else if (wallMs - this.#tooMuchSinceMs > TOO_MUCH_MS) {
      this.#outlook = new LoadOutlook();
      this.#unit = working;
      this.#tooMuchSinceMs = Number.POSITIVE_INFINITY;
    } else this.#tooMuchSinceMs = Math.min(this.#tooMuchSinceMs, wallMs);
  }

  get dueForTraining(): boolean {
    return this.#outlook.dueForTraining;
  }

  past(): OutlookPast {
    return this.#outlook.past();
  }

  adopt(network: unknown, minute: number): boolean {
    return this.#outlook.adopt(network, minute);
  }

  /** Null while nothing was observed. `factorAt`: what events make of the load then, on average over the backends. */
  report(wallMs: number, factorAt: (wallMs: number) => number): OutlookReport | null {
    if (this.#working === 0) return null;
    const outlook = this.#outlook;
    const { trainedMs } = outlook;
    return {
      demand: this.#demand,
      backends: this.#working,
      knownMs: outlook.known * MINUTE_MS,
      trainedMs: Number.isNaN(trainedMs) ? null : trainedMs,
      horizons: OUTLOOK_MINUTES.map(minutes => {
        const horizonMs = minutes * MINUTE_MS;
        const now = this.#demand / this.#unit;
        // Until the first minute is over, the last value.
        const { p50, p90 } = outlook.known === 0 ? { p50: now, p90: now } : outlook.forecast(horizonMs);
        const demand = this.#unit * factorAt(wallMs + horizonMs);
        return {
          horizonMs,
          p50: (demand * p50) / this.#working,
          p90: (demand * p90) / this.#working,
          demandP90: demand * p90,
          models: outlook.reason(horizonMs).members.map(({ name, weight }) => ({ name, weight })),
          quality: outlook.quality(horizonMs),
        };
      }),
    };
  }

  save(): unknown {
    return { unit: this.#unit, outlook: this.#outlook.save() };
  }

  /** Before the first is observed. What does not fit is as if nothing was known. */
  restore(json: unknown): void {
    const { unit, outlook } = (json ?? {}) as { unit?: unknown; outlook?: unknown };
    if (typeof unit === 'number' && unit >= 1 && this.#outlook.restore(outlook)) this.#unit = unit;
  }
}
