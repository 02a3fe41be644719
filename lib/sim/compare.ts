// All policies of a scenario in all its settings over paired seeds: the runs, one after the other.

import { type RunFigures, runOnce, type Setting, settingsOf } from './run.ts';
import { policyTitle } from './scenario/load.ts';
import type { PolicyConfig, ScenarioConfig } from './scenario/schema.ts';

export interface Run {
  readonly setting: Setting;
  readonly policy: PolicyConfig;
  readonly seed: number;
}

/** The runs of one policy in one setting, by seed. */
export interface Series {
  readonly setting: Setting;
  readonly title: string;
  readonly runs: readonly RunFigures[];
}

/** Seeds 1 to `seeds`. Seeds come first, so that what is cut off is paired as far as it got. */
const runsOf = (scenario: ScenarioConfig, seeds: number): Run[] =>
  settingsOf(scenario).flatMap(setting =>
    Array.from({ length: seeds }, (_, i) => i + 1).flatMap(seed =>
      scenario.policies.map(policy => ({ setting, policy, seed })),
    ),
  );

/** `known` answers a run from elsewhere, or undefined; `done` hears of each. Gives way to the event loop between runs. */
export async function compare(
  scenario: ScenarioConfig,
  seeds: number,
  known: (run: Run) => RunFigures | undefined,
  done: (run: Run, figures: RunFigures, finished: number, of: number) => void,
): Promise<Series[]> {
  const runs = runsOf(scenario, seeds);
  const series = new Map<string, { setting: Setting; title: string; runs: RunFigures[] }>();
  for (const [i, run] of runs.entries()) {
    const figures = known(run) ?? runOnce(scenario, run.policy, run.setting, run.seed);
    const title = policyTitle(run.policy);
    const key = JSON.stringify([run.setting, title]);
    const one = series.get(key) ?? { setting: run.setting, title, runs: [] };
    series.set(key, one);
    one.runs.push(figures);
    done(run, figures, i + 1, runs.length);
    await new Promise(resolve => setImmediate(resolve));
  }
  return [...series.values()];
}
