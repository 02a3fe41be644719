// A small world for pickers: backends with loads that the test sets, and a caller that accepts what the test says.

import { seededRandom } from '../../../lib/core/random.ts';
import type { Candidate, LoadView, PickRequest } from '../../../lib/plan/balance/picker.ts';

export class World implements LoadView {
  readonly candidates: Candidate[];
  readonly loads: Int32Array;
  readonly latencies: Float64Array;
  readonly random;

  /** One backend per weight; slots are not the indices, as they are not in life. */
  constructor(weights: readonly number[], seed = 1) {
    this.candidates = weights.map((weight, i) => ({ slot: slotOf(i), id: `backend-${i}`, weight }));
    this.loads = new Int32Array(slotOf(weights.length));
    this.latencies = new Float64Array(slotOf(weights.length));
    this.random = seededRandom(seed);
  }

  inFlight(slot: number): number {
    return this.loads[slot]!;
  }

  latencyMs(slot: number): number {
    return this.latencies[slot]!;
  }
}

export const slotOf = (index: number): number => index * 3 + 2;
export const indexOf = (slot: number): number => (slot - 2) / 3;

export const request = (key = 0, accepts: (slot: number) => boolean = () => true): PickRequest => ({
  key,
  accepts,
});

export const same = (count: number, weight = 1): number[] => new Array<number>(count).fill(weight);
