// One run: a policy, a seed, a load and a number of proxies, from a scenario to its figures.

import { buildPolicy } from './policies.ts';
import { clusterRatePerMs } from './scenario/capacity.ts';
import type { PolicyConfig, ScenarioConfig } from './scenario/schema.ts';
import { World } from './world/world.ts';

/** Of one run; latencies in ms, shares of all requests. */
export interface RunFigures {
  /** Quantiles at CURVE. */
  readonly curve: readonly number[];
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  /** Answered well within the deadline. */
  readonly success: number;
  readonly late: number;
  readonly errors: number;
  readonly slow: number;
  /** Good answers per second. */
  readonly goodput: number;
  readonly probes: number;
  /** Requests in flight at the fullest server over the mean, averaged over time. */
  readonly spread: number;
  /** Share of the backends that a proxy keeps connections to. */
  readonly pool: number;
  readonly mostInFlight: number;
  readonly requests: number;
  readonly events: number;
}

export interface Setting {
  /** Of the allocation; or requests per second where the scenario says `rate`. */
  readonly load: number;
  readonly proxies: number;
}

/** Every setting of a scenario, in the order of its file. */
export const settingsOf = ({ load, rate, proxies }: ScenarioConfig): Setting[] =>
  proxies.flatMap(count => (load ?? rate ?? []).map(level => ({ load: level, proxies: count })));

/** Arrivals that a setting's load means, before steps. */
export const ratePerMsOf = (scenario: ScenarioConfig, load: number): number =>
  scenario.rate === undefined ? load * clusterRatePerMs(scenario) : load / 1000;

export function runOnce(
  scenario: ScenarioConfig,
  policy: PolicyConfig,
  { load, proxies }: Setting,
  seed: number,
): RunFigures {
  const options: Exclude<PolicyConfig, string> = typeof policy === 'string' ? { policy } : policy;
  const ratePerMs = ratePerMsOf(scenario, load);
  const world = new World({
    scenario,
    seed,
    proxies,
    ratePerMs,
    gate: options.gate,
    pool: options.pool,
    limits: options.limits,
    policy: truth => buildPolicy(options.policy, options, truth),
  });
  const tally = world.run();
  const requests = Math.max(1, tally.requests);
  return {
    ...tally.quantiles(),
    success: tally.good / requests,
    late: tally.late / requests,
    errors: tally.errors / requests,
    slow: tally.slow / requests,
    goodput: (tally.good * 1000) / scenario.measure,
    probes: tally.probes / requests,
    spread: tally.spread,
    pool: tally.pool,
    mostInFlight: tally.mostInFlight,
    requests: tally.requests,
    events: world.events,
  };
}
