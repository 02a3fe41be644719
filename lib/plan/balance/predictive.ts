// predictive: the backend where a request is expected to be done first (ect); who is foreseen to be full is vetoed before.
//
// A forecast is a gate and never a summand: in Prequal's experiments (NSDI 2024, section 5) every mix of two signals lost to
// one put before the other. The gate is the caller's veto, as full and tried backends are. When the control plane has been
// silent for STALE_MS, all that it judged is old, and the rule is the one that needs nobody: the fewest in flight of two.

import { expectedCompletion } from './expected-completion.ts';
import type { Learner, Prober, Strategy, StrategyFactory, Surroundings } from './learner.ts';
import type { Candidate, ExplainingPicker, Explanation, PickRequest } from './picker.ts';
import { leastOfTwo } from './two-choices.ts';

/** Eight of the control plane's beats. */
const STALE_MS = 2_000;

/** Estimates of like backends lie within this of each other. */
const ALIKE = 1.1;

export interface PredictiveOptions {
  /** Drawn and compared. */
  readonly choices: number;
  /** Per request, to backends not heard of for long. */
  readonly probes: number;
}

class Predictive implements Strategy<ExplainingPicker>, ExplainingPicker {
  readonly #surroundings: Surroundings;
  readonly #strategy: Strategy<ExplainingPicker>;
  #learned: ExplainingPicker;
  #simple: ExplainingPicker;

  constructor(surroundings: Surroundings, options: PredictiveOptions) {
    this.#surroundings = surroundings;
    this.#strategy = expectedCompletion({ ...options, alike: ALIKE })(surroundings);
    this.#learned = this.#strategy.picker([]);
    this.#simple = leastOfTwo([], surroundings.view, surroundings.random);
  }

  get learner(): Learner | null {
    return this.#strategy.learner;
  }

  get prober(): Prober | null {
    return this.#strategy.prober;
  }

  picker(candidates: readonly Candidate[]): ExplainingPicker {
    this.#learned = this.#strategy.picker(candidates);
    this.#simple = leastOfTwo(candidates, this.#surroundings.view, this.#surroundings.random);
    return this;
  }

  pick(request: PickRequest): number {
    return this.#stale ? this.#simple.pick(request) : this.#learned.pick(request);
  }

  explain(request: PickRequest): Explanation {
    if (!this.#stale) return this.#learned.explain(request);
    const explanation = this.#simple.explain(request);
    return { ...explanation, rule: `the control plane is silent: ${explanation.rule}` };
  }

  get #stale(): boolean {
    return this.#surroundings.controlAgeMs() > STALE_MS;
  }
}

export const predictive =
  (options: PredictiveOptions): StrategyFactory<ExplainingPicker> =>
  surroundings =>
    new Predictive(surroundings, options);
