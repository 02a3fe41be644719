// What a comparison came to, as rows for programs and as tables for people.

import type { Series } from './compare.ts';
import { type Interval, meanInterval, pairedRatio } from './measure/bootstrap.ts';
import { FIGURE_NAMES, FIGURES, type FigureName } from './measure/figures.ts';
import { type Outcome, outcomesOf, type Row } from './measure/row.ts';
import { policyTitle } from './scenario/load.ts';
import type { ScenarioConfig } from './scenario/schema.ts';

/** Policies in one setting, and whether goals were met. */
export interface Block {
  readonly title: string;
  readonly columns: readonly string[];
  readonly lines: readonly (readonly string[])[];
  readonly goals: readonly Outcome[];
}

const baselineOf = ({ baseline, policies }: ScenarioConfig): string => baseline ?? policyTitle(policies[0]!);

const valuesOf = (series: Series, figure: FigureName): number[] => series.runs.map(FIGURES[figure].of);

const settingTitle = ({ load, rate }: ScenarioConfig, { setting }: Series): string => {
  const level = load === undefined && rate !== undefined ? `${setting.load}/s` : `load ${setting.load}`;
  return `${level}, ${setting.proxies} ${setting.proxies === 1 ? 'proxy' : 'proxies'}`;
};

/** Every figure of every series; ratios for the latencies and for what a goal asks. `name` is the scenario's. */
export function rowsOf(name: string, scenario: ScenarioConfig, all: readonly Series[]): Row[] {
  return all.flatMap(series => {
    const place = `${name}, ${settingTitle(scenario, series)}, ${series.title}`;
    const absolute = FIGURE_NAMES.map((figure): Row => {
      const runs = valuesOf(series, figure);
      const { unit, sense } = FIGURES[figure];
      return {
        figure: `${figure}, ${place}`,
        ...meanInterval(runs),
        unit,
        goal: goalOf(scenario, series, figure, undefined),
        sense,
        baseline: null,
        runs,
      };
    });
    const ratios = comparisonsOf(scenario, series).flatMap(({ figure, against, goal }): Row[] => {
      const other = all.find(one => one.setting === series.setting && one.title === against);
      if (other === undefined) return [];
      const runs = valuesOf(series, figure).map((value, i) => value / valuesOf(other, figure)[i]!);
      return [
        {
          figure: `${figure} / ${against}'s, ${place}`,
          ...pairedRatio(valuesOf(series, figure), valuesOf(other, figure)),
          unit: 'ratio',
          goal,
          sense: FIGURES[figure].sense,
          baseline: against,
          runs,
        },
      ];
    });
    return [...absolute, ...ratios];
  });
}

interface Comparison {
  readonly figure: FigureName;
  readonly against: string;
  readonly goal: number | null;
}

/** p99 and p99.9 against the baseline always, and whatever goals compare. */
function comparisonsOf(scenario: ScenarioConfig, series: Series): Comparison[] {
  const usual = (['p99', 'p999'] as const).map(figure => ({ figure, against: baselineOf(scenario) }));
  const asked = goalsOf(scenario, series).flatMap(({ figure, against }) =>
    against === undefined ? [] : [{ figure, against }],
  );
  const unique = new Map([...usual, ...asked].map(one => [`${one.figure} ${one.against}`, one]));
  return [...unique.values()].map(({ figure, against }) => ({
    figure,
    against,
    goal: goalOf(scenario, series, figure, against),
  }));
}

const goalsOf = ({ goals }: ScenarioConfig, { title, setting }: Series) =>
  goals.filter(({ policy, at }) => policy === title && (at === undefined || at.includes(setting.load)));

const goalOf = (
  scenario: ScenarioConfig,
  series: Series,
  figure: FigureName,
  against: string | undefined,
): number | null =>
  goalsOf(scenario, series).find(goal => goal.figure === figure && goal.against === against)?.value ?? null;

/** Too wide a table helps nobody: intervals are given where decisions are made, at p99 and its ratio. */
export function blocksOf(scenario: ScenarioConfig, all: readonly Series[], rows: readonly Row[]): Block[] {
  const settings = [...new Set(all.map(series => series.setting))];
  const baseline = baselineOf(scenario);
  return settings.map(setting => {
    const here = all.filter(series => series.setting === setting);
    const reference = here.find(series => series.title === baseline)!;
    const title = settingTitle(scenario, here[0]!);
    return {
      title: `${title}, ${here[0]!.runs.length} seeds`,
      columns: [
        'policy',
        'p50',
        'p90',
        'p99',
        '±',
        'p99.9',
        'ok %',
        'slow %',
        'probes',
        'max/mean',
        `p99 / ${baseline}`,
      ],
      lines: here.map(series => lineOf(series, reference)),
      goals: outcomesOf(rows.filter(({ figure }) => figure.includes(`, ${title}, `))),
    };
  });
}

function lineOf(series: Series, reference: Series): string[] {
  const average = (figure: FigureName): number => meanInterval(valuesOf(series, figure)).value;
  const p99 = meanInterval(valuesOf(series, 'p99'));
  const ratio = pairedRatio(valuesOf(series, 'p99'), valuesOf(reference, 'p99'));
  return [
    series.title,
    average('p50').toFixed(0),
    average('p90').toFixed(0),
    p99.value.toFixed(0),
    ((p99.high - p99.low) / 2).toFixed(0),
    average('p999').toFixed(0),
    average('success').toFixed(3),
    average('slow').toFixed(3),
    average('probes').toFixed(2),
    average('spread').toFixed(2),
    intervalText(ratio),
  ];
}

const intervalText = ({ value, low, high }: Interval): string =>
  `${value.toFixed(2)} [${low.toFixed(2)}, ${high.toFixed(2)}]`;
