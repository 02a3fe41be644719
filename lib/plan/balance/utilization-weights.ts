// wrr: turns by weight, the weight being what a backend answers per unit of utilisation.
//
// Prequal's baseline (NSDI 2024, section 2) and gRPC's weighted_round_robin (gRFC A58): weight = requests per second /
// utilisation, smoothed. A backend that is busy with less work gets less of it. Utilisation says nothing about queues: a
// backend at its limit looks the same however many wait, which is what the paper holds against it.

import type { Clock } from '../../core/clock.ts';
import type { Learner, LoadReport, Strategy, StrategyFactory, Surroundings } from './learner.ts';
import type { Candidate, Picker, PickRequest } from './picker.ts';
import { RoundRobinPicker } from './round-robin.ts';

const UPDATE_MS = 1_000;
/** Share of a new measurement in the weight. */
const NEWEST = 0.3;
/** Weights stay within this factor of the median: one wrong report must neither starve nor flood a backend. */
const WIDEST = 10;

class UtilizationWeights implements Strategy, Learner, Picker {
  readonly prober = null;
  readonly #surroundings: Surroundings;
  readonly #clock: Clock;
  readonly #weights: Float64Array;
  #candidates: readonly Candidate[] = [];
  #turns: RoundRobinPicker;
  #updatedMs: number;

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings;
    this.#clock = surroundings.clock;
    this.#weights = new Float64Array(surroundings.slots).fill(Number.NaN);
    this.#updatedMs = this.#clock.monotonicMs();
    this.#turns = new RoundRobinPicker([], surroundings.view, surroundings.random);
  }

  get learner(): Learner {
    return this;
  }

  picker(candidates: readonly Candidate[]): Picker {
    this.#candidates = candidates;
    this.#rebuild();
    return this;
  }

  pick(request: PickRequest): number {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#updatedMs >= UPDATE_MS) {
      this.#updatedMs = nowMs;
      this.#rebuild();
    }
    return this.#turns.pick(request);
  }

  started(): void {}
  finished(): void {}

  reported(slot: number, { requestsPerSecond, utilization }: LoadReport): void {
    if (!(requestsPerSecond > 0) || !(utilization > 0)) return;
    const weight = requestsPerSecond / utilization;
    const before = this.#weights[slot]!;
    this.#weights[slot] = Number.isNaN(before) ? weight : before + NEWEST * (weight - before);
  }

  forget(slot: number): void {
    this.#weights[slot] = Number.NaN;
  }

  #rebuild(): void {
    const known = this.#candidates
      .map(({ slot }) => this.#weights[slot]!)
      .filter(weight => !Number.isNaN(weight))
      .sort((a, b) => a - b);
    const median = known[known.length >> 1] ?? 1;
    const weighted = this.#candidates.map(candidate => {
      const learnt = this.#weights[candidate.slot]!;
      const relative = Number.isNaN(learnt) ? 1 : learnt / median;
      return {
        ...candidate,
        weight: candidate.weight * Math.min(WIDEST, Math.max(1 / WIDEST, relative)),
      };
    });
    this.#turns = new RoundRobinPicker(weighted, this.#surroundings.view, this.#surroundings.random);
  }
}

export const utilizationWeights: StrategyFactory = surroundings => new UtilizationWeights(surroundings);
