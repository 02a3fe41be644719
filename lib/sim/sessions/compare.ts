// All policies of a scenario of sessions over paired seeds, and what came of it as rows.

import { type Interval, meanInterval, pairedRatio } from '../measure/bootstrap.ts';
import { outcomesOf, type Row } from '../measure/row.ts';
import type { Block } from '../report.ts';
import { SESSION_FIGURE_NAMES, type SessionFigureName, type SessionFigures } from './figures.ts';
import { sessionPolicyTitle } from './load.ts';
import type { SessionPolicyConfig, SessionScenarioConfig } from './spec.ts';
import { SessionWorld } from './world.ts';

export interface SessionRun {
  readonly policy: SessionPolicyConfig;
  readonly seed: number;
}

export interface SessionSeries {
  readonly title: string;
  readonly runs: SessionFigures[];
}

const UNITS: Readonly<Record<SessionFigureName, string>> = {
  overload: 'share',
  excess: 'load',
  moves: '/session/h',
  peak: '/s',
  dropped: 'sessions',
  spread: 'ratio',
};

/** `known` answers a run from elsewhere, or undefined; `done` hears of each. Gives way to the event loop between runs. */
export async function compareSessions(
  scenario: SessionScenarioConfig,
  seeds: number,
  known: (run: SessionRun) => SessionFigures | undefined,
  done: (run: SessionRun, figures: SessionFigures, finished: number, of: number) => void,
): Promise<SessionSeries[]> {
  const series = scenario.policies.map(
    (policy): SessionSeries => ({ title: sessionPolicyTitle(policy), runs: [] }),
  );
  const of = seeds * scenario.policies.length;
  for (let finished = 0; finished < of; ) {
    const which = finished % scenario.policies.length;
    const run = {
      policy: scenario.policies[which]!,
      seed: 1 + Math.floor(finished / scenario.policies.length),
    };
    const figures = known(run) ?? new SessionWorld(scenario, run.policy, run.seed).run();
    series[which]!.runs.push(figures);
    finished += 1;
    done(run, figures, finished, of);
    await new Promise(resolve => setImmediate(resolve));
  }
  return series;
}

/** Every figure of every policy, the ratios of overload to the baseline, and whatever goals compare. `name` is the scenario's. */
export function sessionRows(
  name: string,
  { policies, baseline, goals }: SessionScenarioConfig,
  all: readonly SessionSeries[],
): Row[] {
  const reference = baseline ?? sessionPolicyTitle(policies[0]!);
  const values = (series: SessionSeries, figure: SessionFigureName): number[] =>
    series.runs.map(run => run[figure]);
  const goalOf = (title: string, figure: SessionFigureName, against: string | undefined): number | null =>
    goals.find(goal => goal.policy === title && goal.figure === figure && goal.against === against)?.value ??
    null;
  const row = (
    figure: string,
    interval: Interval,
    unit: string,
    goal: number | null,
    against: string | null,
    runs: number[],
  ): Row => ({ figure, ...interval, unit, goal, sense: '<=', baseline: against, runs });
  return all.flatMap(series => {
    const { title } = series;
    const own = SESSION_FIGURE_NAMES.map(figure =>
      row(
        `${figure}, ${name}, ${title}`,
        meanInterval(values(series, figure)),
        UNITS[figure],
        goalOf(title, figure, undefined),
        null,
        values(series, figure),
      ),
    );
    const asked = goals.filter(goal => goal.policy === title && goal.against !== undefined);
    const pairs = new Map(
      [{ figure: 'overload' as const, against: reference }, ...asked].map(pair => [
        `${pair.figure} ${pair.against}`,
        pair,
      ]),
    );
    const ratios = [...pairs.values()].flatMap(({ figure, against }) => {
      const other = all.find(one => one.title === against);
      if (other === undefined || other === series) return [];
      const runs = values(series, figure).map((value, i) => value / values(other, figure)[i]!);
      return [
        row(
          `${figure} / ${against}'s, ${name}, ${title}`,
          pairedRatio(values(series, figure), values(other, figure)),
          'ratio',
          goalOf(title, figure, against),
          against!,
          runs,
        ),
      ];
    });
    return [...own, ...ratios];
  });
}

/** The table of one scenario, as people read it, and whether its goals were met. */
export function sessionBlock(
  { policies, baseline }: SessionScenarioConfig,
  all: readonly SessionSeries[],
  rows: readonly Row[],
): Block {
  const reference = all.find(({ title }) => title === (baseline ?? sessionPolicyTitle(policies[0]!)))!;
  const mean = (series: SessionSeries, figure: SessionFigureName): number =>
    meanInterval(series.runs.map(run => run[figure])).value;
  return {
    title: `sessions, ${reference.runs.length} seeds`,
    columns: [
      'policy',
      'overload %',
      'excess %',
      'moves/h',
      'peak/s',
      'dropped',
      'max/mean',
      `overload / ${reference.title}`,
    ],
    lines: all.map(series => {
      const ratio = pairedRatio(
        series.runs.map(run => run.overload),
        reference.runs.map(run => run.overload),
      );
      return [
        series.title,
        (100 * mean(series, 'overload')).toFixed(4),
        (100 * mean(series, 'excess')).toFixed(4),
        mean(series, 'moves').toFixed(3),
        mean(series, 'peak').toFixed(1),
        mean(series, 'dropped').toFixed(0),
        mean(series, 'spread').toFixed(2),
        `${ratio.value.toFixed(3)} [${ratio.low.toFixed(3)}, ${ratio.high.toFixed(3)}]`,
      ];
    }),
    goals: outcomesOf(rows),
  };
}
