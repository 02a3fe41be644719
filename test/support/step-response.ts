// What a proxy in a simulated overload does from the moment of a step on: answers in time and their latency, over many seeds.

import { buildPolicy } from '../../lib/sim/policies.ts';
import { clusterRatePerMs } from '../../lib/sim/scenario/capacity.ts';
import type { PolicyConfig, ScenarioConfig } from '../../lib/sim/scenario/schema.ts';
import { World } from '../../lib/sim/world/world.ts';

const STEP_MS = 2_000;
const AFTER_MS = 3_000;
/** What it is like in the end. */
const FINAL_MS = 1_500;
const BIN_MS = 20;
/** Means over so many bins are compared with the end. */
const SPAN = 2;
const GOODPUT_BAND = 0.1;
const LATENCY_BAND = 0.4;
const LIMIT_BAND = 0.2;

export interface StepResponse {
  /** Answers within the deadline after the step, as a share of capacity, by seed. */
  readonly goodput: readonly number[];
  /** From then on goodput stays within 10 %, the limit 20 % and mean latency 40 % of what they are in the end; NaN when never. */
  readonly settledMs: number;
  /** Mean in the end, of answers in time. */
  readonly latencyMs: number;
  /** Mean limit in force in the end; 0 without. */
  readonly limit: number;
}

/** Load is of the capacity. The step comes after so many ms: 0 for a proxy that starts into its load. */
export function stepResponse(
  scenario: ScenarioConfig,
  policy: PolicyConfig,
  from: number,
  to: number,
  seeds: number,
  stepMs: number = STEP_MS,
): StepResponse {
  const capacity = clusterRatePerMs(scenario);
  const bins = AFTER_MS / BIN_MS;
  const [counts, latencies, limits] = [0, 1, 2].map(() => new Float64Array(bins)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const options: Exclude<PolicyConfig, string> = typeof policy === 'string' ? { policy } : policy;
  const goodput: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    let good = 0;
    const world = new World({
      scenario: {
        ...scenario,
        warmup: 0,
        measure: stepMs + AFTER_MS,
        steps: stepMs === 0 ? [] : [{ at: stepMs, factor: to / from }],
      },
      seed,
      proxies: 1,
      ratePerMs: capacity * (stepMs === 0 ? to : from),
      limits: options.limits,
      policy: truth => buildPolicy(options.policy, options, truth),
      answered: (nowMs, latencyMs, limit) => {
        const bin = Math.floor((nowMs - stepMs) / BIN_MS);
        if (bin < 0 || bin >= bins || latencyMs > scenario.deadline) return;
        good += 1;
        counts[bin]! += 1;
        latencies[bin]! += latencyMs;
        limits[bin]! += limit;
      },
    });
    world.run();
    goodput.push(good / AFTER_MS / capacity);
  }
  const sum = (values: Float64Array, first: number, count: number): number =>
    values.subarray(first, first + count).reduce((total, value) => total + value, 0);
  const last = bins - FINAL_MS / BIN_MS;
  const answers = sum(counts, last, bins - last);
  const latencyMs = sum(latencies, last, bins - last) / answers;
  const rate = answers / (bins - last);
  const limit = sum(limits, last, bins - last) / answers;
  const off = (bin: number): boolean => {
    const count = sum(counts, bin, SPAN);
    return (
      Math.abs(count / SPAN / rate - 1) > GOODPUT_BAND ||
      (limit > 0 && Math.abs(sum(limits, bin, SPAN) / count / limit - 1) > LIMIT_BAND) ||
      Math.abs(sum(latencies, bin, SPAN) / count / latencyMs - 1) > LATENCY_BAND
    );
  };
  let settled = bins - SPAN;
  while (settled > 0 && !off(settled - 1)) settled -= 1;
  return {
    goodput,
    settledMs: settled >= last ? Number.NaN : settled * BIN_MS,
    latencyMs,
    limit,
  };
}
