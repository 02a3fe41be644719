// Whoever else works on a backend's machine: leaves it its allocation always, and spare cores by its own mood.
//
// As in Prequal's testbed, a backend has a share of a machine and may use what others leave, up to a bound:
//   cores = allocated · (1 + min(spare / share, extra)),  spare = max(0, 1 − share − antagonist)
// The antagonist's load is a mean of this machine, plus AR(1) noise, plus bursts that leave nothing.

import type { Random } from '../../core/random.ts';
import { exponential, normal } from '../chance.ts';

export interface AntagonistOptions {
  /** Share of the machine that the backend is allocated. */
  readonly allocation: number;
  /** Spare cores a backend may use, as a multiple of its allocation. */
  readonly extra: number;
  /** Of the machine, over all machines and time. */
  readonly load: number;
  /** Deviation of the mean between machines, and of the load around it within one. */
  readonly between: number;
  readonly within: number;
  /** Time in which the noise forgets: its correlation falls to 1/e. */
  readonly memoryMs: number;
  readonly burstEveryMs: number;
  readonly burstMs: number;
}

/** How often the load changes. */
export const ANTAGONIST_STEP_MS = 100;

export class Antagonist {
  readonly #options: AntagonistOptions;
  readonly #random: Random;
  readonly #meanLoad: number;
  readonly #keep: number;
  #noise: number;
  #burstFromMs: number;

  constructor(options: AntagonistOptions, random: Random) {
    this.#options = options;
    this.#random = random;
    this.#meanLoad = options.load + options.between * normal(random);
    this.#keep = Math.exp(-ANTAGONIST_STEP_MS / options.memoryMs);
    this.#noise = options.within * normal(random);
    this.#burstFromMs = this.#nextBurst(0);
  }

  /** Factor on the allocated cores, 1 to 1 + extra; one step on. */
  step(nowMs: number): number {
    const { allocation, extra, within, burstMs } = this.#options;
    const random = this.#random;
    this.#noise = this.#keep * this.#noise + Math.sqrt(1 - this.#keep * this.#keep) * within * normal(random);
    let load = this.#meanLoad + this.#noise;
    if (nowMs >= this.#burstFromMs) {
      load = 1;
      if (nowMs >= this.#burstFromMs + burstMs) this.#burstFromMs = this.#nextBurst(nowMs);
    }
    const spare = Math.max(0, 1 - allocation - Math.max(0, load));
    return 1 + Math.min(spare / allocation, extra);
  }

  #nextBurst(nowMs: number): number {
    return nowMs + exponential(this.#random) * this.#options.burstEveryMs;
  }
}
