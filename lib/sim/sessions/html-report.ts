// The report of a comparison over sessions as one page: the table, and the fullest backend over time under each policy.

import { page } from '../page.ts';
import { type Line, linePlot, ticksTo } from '../plots.ts';
import type { Block } from '../report.ts';
import { sessionPolicyTitle } from './load.ts';
import type { SessionScenarioConfig } from './spec.ts';
import { SessionWorld } from './world.ts';

const MOST_POINTS = 600;

/** Runs seed 1 of each policy once more, to draw it. */
export function sessionReport(name: string, scenario: SessionScenarioConfig, block: Block): string {
  const seconds = Math.ceil(scenario.measure / 1000);
  const step = Math.ceil(seconds / MOST_POINTS);
  const lines = scenario.policies.map((policy): Line => {
    const fullest: number[] = [];
    let at = 0;
    new SessionWorld(scenario, policy, 1).run(loads => {
      const bin = Math.floor(at++ / step);
      fullest[bin] = Math.max(fullest[bin] ?? 0, ...loads);
    });
    return {
      name: sessionPolicyTitle(policy),
      points: fullest.map((load, i) => [(i * step) / 60, load]),
      band: null,
    };
  });
  const most = Math.max(1, ...lines.flatMap(({ points }) => points.map(([, load]) => load)));
  return page(name, scenario.describe, [
    {
      block,
      plots: [
        linePlot(
          'Load of the fullest backend (seed 1); 1 is all it can do',
          { title: 'min', log: false, ticks: ticksTo(seconds / 60) },
          { title: 'load', log: false, ticks: ticksTo(most) },
          lines,
        ),
      ],
    },
  ]);
}
