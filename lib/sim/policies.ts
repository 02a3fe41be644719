// Policy name in a scenario → strategy: the pickers of the proxy, the baselines beside them, and the oracle.

import { expectedCompletion } from '../plan/balance/expected-completion.ts';
import type { StrategyFactory } from '../plan/balance/learner.ts';
import { leastReported } from '../plan/balance/least-reported.ts';
import { type Policy, pickerFactory } from '../plan/balance/pickers.ts';
import { predictive } from '../plan/balance/predictive.ts';
import { c3, fewestProbed, prequal } from '../plan/balance/probing.ts';
import { stateless } from '../plan/balance/stateless.ts';
import { utilizationWeights } from '../plan/balance/utilization-weights.ts';
import { oracle, type Truth } from './oracle.ts';

export interface PolicyOptions {
  readonly probes?: number | undefined;
  readonly quantile?: number | undefined;
  readonly choices?: number | undefined;
}

type Build = (options: PolicyOptions, truth: Truth) => StrategyFactory;

const proxys =
  (policy: Policy): Build =>
  () =>
    stateless(pickerFactory({ policy, hash: { bound: 1.25 }, maglev: { table: 65_537 } }));

/** As in Prequal's testbed. */
const probing = ({ probes = 3, quantile = 2 ** -0.25 }: PolicyOptions) => ({ probes, quantile });

const BUILD = {
  round_robin: proxys('round_robin'),
  random: proxys('random'),
  least_request: proxys('least_request'),
  p2c: proxys('p2c'),
  peak_ewma: proxys('peak_ewma'),
  wrr: () => utilizationWeights,
  least_reported: () => leastReported(Number.POSITIVE_INFINITY),
  p2c_reported: () => leastReported(2),
  prequal: options => prequal(probing(options)),
  rif: options => fewestProbed(probing(options)),
  c3: options => c3(probing(options)),
  ect: ({ probes = 0.2, choices = 16 }) => expectedCompletion({ probes, choices, alike: 1.1 }),
  predictive: ({ probes = 0.2, choices = 16 }) => predictive({ probes, choices }),
  oracle: (_, truth) => oracle(truth),
} as const satisfies Record<string, Build>;

export type PolicyName = keyof typeof BUILD;
export const POLICY_NAMES = Object.keys(BUILD) as [PolicyName, ...PolicyName[]];

export const buildPolicy = (name: PolicyName, options: PolicyOptions, truth: Truth): StrategyFactory =>
  BUILD[name](options, truth);
