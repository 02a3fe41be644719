// Policy name → strategy, for the policies that keep a memory. Those that keep none are in pickers.ts.

import type { StrategyFactory } from './learner.ts';
import type { ExplainingPicker } from './picker.ts';
import type { Policy } from './pickers.ts';
import { predictive } from './predictive.ts';
import { prequal } from './probing.ts';

export type LearningPolicy = keyof typeof LEARNING;

/** What a cluster's `balance` says, as far as it concerns these policies. */
export interface LearningOptions {
  readonly policy: LearningPolicy;
  readonly predictive: { readonly choices: number };
  readonly prequal: { readonly quantile: number };
  /** Without it nothing is probed. */
  readonly probe?: { readonly per_request?: number | undefined } | undefined;
}

/** Probes per request when nothing is said: enough to hear of those that are seldom picked, and Prequal's own figure. */
const PROBES: Readonly<Record<LearningPolicy, number>> = { predictive: 0.2, prequal: 3 };

const LEARNING = {
  predictive: (options: LearningOptions) =>
    predictive({ choices: options.predictive.choices, probes: probesOf(options) }),
  prequal: (options: LearningOptions) =>
    prequal({ quantile: options.prequal.quantile, probes: probesOf(options) }),
} as const satisfies Record<string, (options: LearningOptions) => StrategyFactory<ExplainingPicker>>;

const probesOf = ({ policy, probe }: LearningOptions): number =>
  probe === undefined ? 0 : (probe.per_request ?? PROBES[policy]);

/** True when the policy keeps a memory. */
export const learns = (policy: Policy | LearningPolicy): policy is LearningPolicy =>
  Object.hasOwn(LEARNING, policy);

/** Its strategies have a learner. */
export const learningStrategy = (options: LearningOptions): StrategyFactory<ExplainingPicker> =>
  LEARNING[options.policy](options);
