// What the backends can do, second by second: sags that nobody announces, and jobs that come again.

import type { Random } from '../../core/random.ts';
import { exponential, normal, streamOf } from '../chance.ts';
import type { SessionScenarioConfig } from './spec.ts';

interface Machine {
  readonly nominal: number;
  readonly joinsS: number;
  readonly random: Random;
  readonly hasJob: boolean;
  sagFromS: number;
  jobFromS: number;
}

export class Capacities {
  readonly now: Float64Array;
  readonly #spec: SessionScenarioConfig;
  readonly #machines: readonly Machine[];

  /** `total` is what all that are there from the start have together. */
  constructor(spec: SessionScenarioConfig, total: number, seed: number) {
    this.#spec = spec;
    const all = spec.backends.flatMap(({ count, capacity, joins }) =>
      Array.from({ length: count }, () => ({ capacity, joins })),
    );
    const sum = all.reduce((sum, { capacity, joins }) => sum + (joins === 0 ? capacity : 0), 0);
    const placing = streamOf(seed, 'jobs');
    this.#machines = all.map(({ capacity, joins }, i) => {
      const random = streamOf(seed, `machine ${i}`);
      return {
        nominal: (capacity / sum) * total,
        joinsS: joins / 1000,
        random,
        hasJob: spec.jobs !== undefined && placing.next() < spec.jobs.share,
        sagFromS: exponential(random) * ((spec.sags?.every ?? 0) / 1000),
        jobFromS: random.next() * ((spec.jobs?.every ?? 0) / 1000),
      };
    });
    this.now = Float64Array.from(this.#machines, machine => machine.nominal);
  }

  get count(): number {
    return this.#machines.length;
  }

  nominal(i: number): number {
    return this.#machines[i]!.nominal;
  }

  joinsS(i: number): number {
    return this.#machines[i]!.joinsS;
  }

  step(atS: number): void {
    for (const [i, machine] of this.#machines.entries())
      this.now[i] = machine.nominal * this.#sag(machine, atS) * this.#job(machine, atS);
  }

  #sag(machine: Machine, atS: number): number {
    const { sags } = this.#spec;
    if (sags === undefined) return 1;
    const [ramp, stay] = [sags.ramp / 1000, sags.for / 1000];
    const since = atS - machine.sagFromS;
    if (since < 0) return 1;
    if (since >= 2 * ramp + stay) {
      machine.sagFromS = atS + (exponential(machine.random) * sags.every) / 1000;
      return 1;
    }
    const part = since < ramp ? since / ramp : since < ramp + stay ? 1 : 1 - (since - ramp - stay) / ramp;
    return 1 - part * (1 - sags.to);
  }

  #job(machine: Machine, atS: number): number {
    const { jobs } = this.#spec;
    if (jobs === undefined || !machine.hasJob) return 1;
    const since = atS - machine.jobFromS;
    if (since < 0) return 1;
    if (since < jobs.for / 1000) return jobs.to;
    machine.jobFromS += (jobs.every + jobs.drift * normal(machine.random)) / 1000;
    return 1;
  }
}
