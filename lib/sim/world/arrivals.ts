// Requests as they come: when, to which proxy, how much work, how long their ways are. The same for every policy of a seed.

import type { Random } from '../../core/random.ts';
import { exponential, logNormal, streamOf, workShape } from '../chance.ts';
import type { ScenarioConfig } from '../scenario/schema.ts';

/** One open Poisson stream over all proxies: requests come whether or not earlier ones were answered. */
export class Arrivals {
  /** Of the request drawn last. */
  proxy = 0;
  sleepMs = 0;
  workMs = 0;
  thereMs = 0;
  backMs = 0;
  readonly #work: ScenarioConfig['work'];
  readonly #network: ScenarioConfig['network'];
  readonly #steps: ScenarioConfig['steps'];
  readonly #shape: (random: Random) => number;
  readonly #proxies: number;
  readonly #ratePerMs: number;
  readonly #gaps: Random;
  readonly #works: Random;
  readonly #proxy: Random;
  readonly #there: Random;
  readonly #back: Random;
  readonly #probes: Random;

  constructor({ work, network, steps }: ScenarioConfig, ratePerMs: number, proxies: number, seed: number) {
    this.#work = work;
    this.#network = network;
    this.#steps = [...steps].sort((a, b) => a.at - b.at);
    this.#shape = workShape(work.shape, work.deviation);
    this.#ratePerMs = ratePerMs;
    this.#proxies = proxies;
    this.#gaps = streamOf(seed, 'gap');
    this.#works = streamOf(seed, 'work');
    this.#proxy = streamOf(seed, 'proxy');
    this.#there = streamOf(seed, 'there');
    this.#back = streamOf(seed, 'back');
    this.#probes = streamOf(seed, 'probe');
  }

  /** Time to the next request, in ms. */
  gapMs(nowMs: number): number {
    const factor = this.#steps.findLast(({ at }) => at <= nowMs)?.factor ?? 1;
    return exponential(this.#gaps) / (this.#ratePerMs * factor);
  }

  draw(): void {
    const { mean, sleep } = this.#work;
    const ms = mean * this.#shape(this.#works);
    this.sleepMs = ms * sleep;
    this.workMs = ms - this.sleepMs;
    this.proxy = Math.floor(this.#proxy.next() * this.#proxies);
    this.thereMs = this.#delayMs(this.#there);
    this.backMs = this.#delayMs(this.#back);
  }

  /** One way of a probe. */
  probeDelayMs(): number {
    return this.#delayMs(this.#probes);
  }

  #delayMs(random: Random): number {
    return this.#network.delay * logNormal(random, this.#network.deviation);
  }
}
