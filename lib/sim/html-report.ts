// The report of a comparison as one self-contained page: tables, distributions of latency, load against its forecast.

import { LoadForecaster } from '../plan/forecast/load-forecaster.ts';
import type { Series } from './compare.ts';
import { meanInterval } from './measure/bootstrap.ts';
import { page } from './page.ts';
import { type Line, linePlot, ticksTo } from './plots.ts';
import type { Block } from './report.ts';
import { ratePerMsOf, type Setting } from './run.ts';
import type { ScenarioConfig } from './scenario/schema.ts';
import { Arrivals } from './world/arrivals.ts';
import { CURVE } from './world/tally.ts';

const BIN_MS = 1_000;
const AHEAD_MS = 5_000;
/** Points in a plot of load; more are averaged. */
const MOST_BINS = 1_200;

/** `blocks` in the order of the settings of `all`. */
export function htmlReport(
  name: string,
  scenario: ScenarioConfig,
  all: readonly Series[],
  blocks: readonly Block[],
): string {
  const settings = [...new Set(all.map(series => series.setting))];
  return page(
    name,
    scenario.describe,
    settings.map((setting, i) => {
      const here = all.filter(series => series.setting === setting);
      return { block: blocks[i]!, plots: [distribution(here), loadPlot(scenario, setting)] };
    }),
  );
}

/** Quantiles of latency, rare ones stretched; the band is the 95 % interval over seeds. */
function distribution(series: readonly Series[]): string {
  const stretch = (quantile: number): number => -Math.log10(1 - quantile);
  const lines = series.map(({ title, runs }): Line => {
    const intervals = CURVE.map((_, i) => meanInterval(runs.map(run => run.curve[i]!)));
    return {
      name: title,
      points: CURVE.map((quantile, i) => [stretch(quantile), intervals[i]!.value]),
      band: intervals.map(({ low, high }) => [low, high]),
    };
  });
  const values = lines.flatMap(({ points }) => points.map(([, y]) => y)).filter(value => value > 0);
  const from = 10 ** Math.floor(Math.log10(Math.min(...values)));
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(...values) / from)));
  const ticks = Array.from({ length: decades + 1 }, (_, i): [number, string] => [
    from * 10 ** i,
    String(from * 10 ** i),
  ]);
  const marks = [0.1, 0.5, 0.9, 0.99, 0.999, 0.9999];
  return linePlot(
    'Latency by quantile, mean over seeds with its 95 % interval',
    {
      title: 'quantile',
      log: false,
      ticks: marks.map(mark => [stretch(mark), `${Number((mark * 100).toFixed(2))} %`]),
    },
    { title: 'ms', log: true, ticks },
    lines,
  );
}

/** Arrivals of seed 1 over the whole run, and what was foreseen of them five seconds before. */
function loadPlot(scenario: ScenarioConfig, { load, proxies }: Setting): string {
  const arrivals = new Arrivals(scenario, ratePerMsOf(scenario, load), proxies, 1);
  const endMs = scenario.warmup + scenario.measure;
  const counts = new Float64Array(Math.ceil(endMs / BIN_MS));
  for (let atMs = arrivals.gapMs(0); atMs < endMs; atMs += arrivals.gapMs(atMs))
    counts[Math.floor(atMs / BIN_MS)]! += 1;
  const perBin = ratePerMsOf(scenario, load) * BIN_MS;
  const forecaster = new LoadForecaster({ stepMs: BIN_MS, horizonsMs: [AHEAD_MS] });
  const ahead = AHEAD_MS / BIN_MS;
  const seen: [number, number][] = [];
  const foreseen: [number, number][] = [];
  const band: [number, number][] = [];
  for (const [bin, count] of counts.entries()) {
    seen.push([bin, (count * 1000) / BIN_MS]);
    const atMs = bin * BIN_MS;
    // A share of the nominal rate, which is what forecasters are made for.
    forecaster.observe({ atMs, wallMs: atMs, load: count / perBin, ageMs: 0 });
    if (bin + ahead >= counts.length) continue;
    const { p50, p90 } = forecaster.forecast(AHEAD_MS);
    const rate = (share: number): number => (share * perBin * 1000) / BIN_MS;
    foreseen.push([bin + ahead, rate(p50)]);
    band.push([rate(p50), rate(p90)]);
  }
  const step = Math.ceil(seen.length / MOST_BINS);
  const thinned = <T>(values: readonly T[]): T[] => values.filter((_, i) => i % step === 0);
  const most = Math.max(1, ...seen.map(([, y]) => y), ...band.map(([, high]) => high));
  return linePlot(
    'Requests per second (seed 1), and the forecast made 5 s before: P50, shaded up to P90',
    { title: 's', log: false, ticks: ticksTo(counts.length) },
    { title: '/s', log: false, ticks: ticksTo(most) },
    [
      { name: 'load', points: thinned(seen), band: null },
      { name: 'forecast', points: thinned(foreseen), band: thinned(band) },
    ],
  );
}
