// Policy name → picker, for the policies that keep no memory. Those that learn are in strategies.ts.

import { ConsistentHashPicker } from './consistent-hash.ts';
import { LeastRequestPicker } from './least-request.ts';
import { MaglevPicker } from './maglev.ts';
import type { PickerFactory } from './picker.ts';
import { RandomPicker } from './random.ts';
import { RoundRobinPicker } from './round-robin.ts';
import { leastOfTwo, peakEwma } from './two-choices.ts';

/** What a cluster's `balance` says, as far as it concerns the policies. */
export interface BalanceOptions {
  readonly policy: Policy;
  /** consistent_hash: `bound` is the multiple of the mean load that a backend may hold. */
  readonly hash: { readonly bound: number };
  /** maglev: entries of the table, a prime. */
  readonly maglev: { readonly table: number };
}

export type Policy = keyof typeof POLICIES;

const POLICIES = {
  round_robin: () => (candidates, view, random) => new RoundRobinPicker(candidates, view, random),
  random: () => (candidates, view, random) => new RandomPicker(candidates, view, random),
  least_request: () => (candidates, view, random) => new LeastRequestPicker(candidates, view, random),
  p2c: () => leastOfTwo,
  peak_ewma: () => peakEwma,
  consistent_hash:
    ({ hash }) =>
    (candidates, view, random) =>
      new ConsistentHashPicker(candidates, view, random, hash.bound),
  maglev:
    ({ maglev }) =>
    candidates =>
      new MaglevPicker(candidates, maglev.table),
} as const satisfies Record<string, (options: BalanceOptions) => PickerFactory>;

/** The factory of a policy's pickers; what it builds from no candidates picks -1. */
export const pickerFactory = (options: BalanceOptions): PickerFactory => POLICIES[options.policy](options);
