// Quality and cost of the forecasts on generated load: `node test/bench/forecast.ts [--json FILE] [--seeds N]`.
//
// Beside each figure stands an oracle's, which knows schedule, parameters and hidden noise: no forecaster gets below it.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../lib/core/clock.ts';
import { LoadForecaster } from '../../lib/plan/forecast/load-forecaster.ts';
import { meanInterval } from '../../lib/sim/measure/bootstrap.ts';
import { generateSeries } from '../../lib/sim/series/generate.ts';
import { DAILY_JOBS, SERIES_PRESETS } from '../../lib/sim/series/presets.ts';
import type { SeriesSpec } from '../../lib/sim/series/spec.ts';
import { type Judged, type Run, runForecast } from '../support/forecast-run.ts';

const HORIZONS_MS = [1000, 5000, 10_000, 30_000];
/** The constants were chosen on seeds from 1000 on, mistakes found on lower ones: neither is judged by. */
const FIRST_SEED = 201;
/** Half an hour to learn in, an hour and a half to be judged. */
const WARM_STEPS = 1800;
/** A preset is learnable load when its schedule explains this share of the variance. */
const LEARNABLE_SHARE = 0.7;
const BACKENDS = 1000;

interface Row {
  readonly figure: string;
  readonly value: number;
  readonly unit: string;
  readonly goal: number | null;
  readonly sense: '<=' | '>=';
  readonly baseline: number | null;
  readonly low?: number;
  readonly high?: number;
  readonly runs: number;
}

const { values } = parseArgs({
  options: { json: { type: 'string' }, seeds: { type: 'string', default: '20' } },
});
const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => FIRST_SEED + i);
const rows: Row[] = [];
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const progress = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};
const fixed = (value: number): string => (Number.isNaN(value) ? '-' : value.toFixed(3)).padStart(7);

/** One value per seed → a row with its interval. */
function row(
  figure: string,
  perSeed: readonly number[],
  goal: number | null,
  sense: Row['sense'],
  baseline: number | null,
): void {
  const { value, low, high } = meanInterval(perSeed);
  rows.push({ figure, value, unit: 'ratio', goal, sense, baseline, low, high, runs: perSeed.length });
}

function runsOf(name: string, spec: SeriesSpec, horizonsMs: readonly number[], warmSteps: number): Run[] {
  return seeds.map(seed => {
    progress(`${name}, seed ${seed}`);
    return runForecast(spec, seed, { horizonsMs, warmSteps });
  });
}

const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
const at = (run: Run, horizonMs: number): Judged => run.horizons.find(h => h.horizonMs === horizonMs)!;
/** Over presets, for each seed. */
const perSeed = (groups: readonly (readonly Run[])[], read: (run: Run) => number): number[] =>
  seeds.map((_, i) => mean(groups.map(runs => read(runs[i]!))));

const startMs = systemClock.monotonicMs();
const byPreset = new Map<string, Run[]>();
for (const [name, spec] of Object.entries(SERIES_PRESETS))
  byPreset.set(name, runsOf(name, spec, HORIZONS_MS, WARM_STEPS));
byPreset.set('dailyJobs', runsOf('dailyJobs', DAILY_JOBS, [10_000, 30_000], 7 * 8640));
progress('');

say(
  `Mean over ${seeds.length} seeds from ${FIRST_SEED} on; MASE against the last value at the same horizon, in brackets the oracle's.`,
);
say(
  `${'preset'.padEnd(14)}share  ${HORIZONS_MS.map(ms => `${ms / 1000} s`.padStart(8).padEnd(18)).join('')}P90 covers  over 0.7 in 10 s: recall precision (oracle)  lead s  worst window`,
);
for (const [name, runs] of byPreset) {
  const cells = HORIZONS_MS.map(ms => {
    const judged = runs.flatMap(run => run.horizons.filter(h => h.horizonMs === ms));
    if (judged.length === 0) return '-'.padStart(8).padEnd(18);
    return `${fixed(mean(judged.map(j => j.quality.mase)))} (${fixed(mean(judged.map(j => j.oracle.mase))).trim()})`.padEnd(
      18,
    );
  });
  const ten = runs.map(run => at(run, 10_000));
  const of = (read: (judged: Judged) => number): string => fixed(mean(ten.map(read)));
  say(
    `${name.padEnd(14)}${mean(runs.map(r => r.learnableShare)).toFixed(2)}  ${cells.join('')}${of(j => j.quality.coverageP90)}     ${' '.repeat(18)}${of(j => j.quality.recall)} ${of(j => j.quality.precision)} (${of(j => j.oracle.recall).trim()} ${of(j => j.oracle.precision).trim()})  ${of(j => j.quality.leadMs / 1000)}  ${of(j => j.worstWindow)}`,
  );
}

const minute = [...byPreset].filter(([name]) => name !== 'dailyJobs').map(([, runs]) => runs);
for (const [ms, goal] of [
  [1000, 0.8],
  [5000, null],
  [10_000, 0.9],
  [30_000, 0.9],
] as const) {
  const oracle = mean(perSeed(minute, run => at(run, ms).oracle.mase));
  row(
    `MASE at ${ms / 1000} s, mean of all presets`,
    perSeed(minute, run => at(run, ms).quality.mase),
    goal,
    '<=',
    oracle,
  );
  const unscheduled = minute.filter(runs => mean(runs.map(r => r.learnableShare)) < LEARNABLE_SHARE);
  row(
    `MASE at ${ms / 1000} s, presets with a learnable share under ${LEARNABLE_SHARE}`,
    perSeed(unscheduled, run => at(run, ms).quality.mase),
    null,
    '<=',
    mean(perSeed(unscheduled, run => at(run, ms).oracle.mase)),
  );
}
const learnable = minute.filter(runs => mean(runs.map(r => r.learnableShare)) >= LEARNABLE_SHARE);
for (const figure of ['recall', 'precision', 'foreseen'] as const)
  row(
    figure === 'foreseen'
      ? 'overloads begun that were foreseen, learnable load'
      : `${figure} of "over 0.7 in 10 s", learnable load`,
    perSeed(learnable, run => at(run, 10_000).quality[figure]),
    figure === 'recall' ? 0.9 : figure === 'precision' ? 0.8 : null,
    '>=',
    mean(perSeed(learnable, run => at(run, 10_000).oracle[figure])),
  );
for (const ms of [1000, 10_000, 30_000])
  row(
    `coverage of P90 at ${ms / 1000} s`,
    perSeed(minute, run => at(run, ms).quality.coverageP90),
    0.87,
    '>=',
    0.9,
  );
row(
  'error over that of the best simple member, worst preset',
  seeds.map((_, i) =>
    Math.max(
      ...minute.flatMap(runs =>
        runs[i]!.horizons.map(judged => {
          const simple = ['last', 'ses5', 'ses15', 'ses60', 'holt'].map(name => judged.members.get(name)!);
          return judged.quality.mase / Math.min(...simple);
        }),
      ),
    ),
  ),
  1.02,
  '<=',
  1,
);
const late = runsOf(
  'late',
  { ...SERIES_PRESETS.minutely, signal: { lossShare: 0.2, ageMs: 5000 } },
  [10_000],
  WARM_STEPS,
);
row(
  'coverage of P90 at 10 s, samples 5 s late, 20 % lost',
  late.map(run => at(run, 10_000).quality.coverageP90),
  0.87,
  '>=',
  0.9,
);
const days = byPreset.get('dailyJobs')!;
row(
  'overloads begun that were foreseen, two jobs a day at 10 s steps',
  days.map(run => at(run, 30_000).quality.foreseen),
  null,
  '>=',
  mean(days.map(run => at(run, 30_000).oracle.foreseen)),
);
row(
  'MASE at 10 s, two jobs a day at 10 s steps, eighth day',
  days.map(run => at(run, 10_000).quality.mase),
  null,
  '<=',
  mean(days.map(run => at(run, 10_000).oracle.mase)),
);
const quick: SeriesSpec = { ...SERIES_PRESETS.minutely, stepMs: 250, steps: 4 * 7200 };
const fast = runsOf('4 Hz', quick, [10_000], 4 * WARM_STEPS);
row(
  'MASE at 10 s, minutely job sampled at 4 Hz',
  fast.map(run => at(run, 10_000).quality.mase),
  null,
  '<=',
  mean(fast.map(run => at(run, 10_000).oracle.mase)),
);
progress('');
cost();

say('');
for (const { figure, value, unit, goal, sense, baseline, low, high } of rows) {
  const interval = low === undefined ? '' : `[${low.toFixed(3)}, ${high!.toFixed(3)}]`;
  const missed = goal !== null && !(sense === '<=' ? value <= goal : value >= goal);
  say(
    `${figure.padEnd(62)} ${value.toFixed(3).padStart(8)} ${unit.padEnd(6)} ${interval.padEnd(18)} ${goal === null ? '' : `goal ${sense} ${goal}`.padEnd(13)}${baseline === null ? '' : ` bound ${baseline.toFixed(3)}`}${missed ? '   MISSED' : ''}`,
  );
}
say(`\n${((systemClock.monotonicMs() - startMs) / 1000).toFixed(0)} s, ${seeds.length} seeds`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);

/** A thousand forecasters in turn, as the control plane would: each update finds its own state out of the cache. */
function cost(): void {
  const series = generateSeries({ ...quick, steps: 4800 }, 1);
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage();
  const forecasters = Array.from(
    { length: BACKENDS },
    () => new LoadForecaster({ stepMs: 250, horizonsMs: [5000, 10_000, 30_000] }),
  );
  collect();
  const after = process.memoryUsage();
  let sink = 0;
  const perUpdateUs: number[] = [];
  const UPDATES = 60;
  for (let round = 0; round < 6; round++) {
    progress(`cost, round ${round}`);
    const cpu = process.cpuUsage();
    for (let i = 0; i < UPDATES; i++)
      for (const [b, forecaster] of forecasters.entries()) {
        const step = round * UPDATES + i;
        forecaster.observe({
          atMs: 1_000_000 + step * 250,
          wallMs: series.startWallMs + step * 250,
          load: series.load[step + 2 * b]!,
          ageMs: 0,
        });
        for (const ms of [5000, 10_000, 30_000]) sink += forecaster.forecast(ms).p90;
        sink += forecaster.chanceOver(0.7, 10_000);
      }
    const used = process.cpuUsage(cpu);
    perUpdateUs.push((used.user + used.system) / (UPDATES * BACKENDS));
  }
  if (!(sink > 0)) throw new Error('nothing was forecast');
  // The first round compiles.
  const sorted = perUpdateUs.slice(1).sort((a, b) => a - b);
  rows.push({
    figure: 'CPU per backend and update, 4 Hz, 1,000 backends in turn',
    value: sorted[sorted.length >> 1]!,
    unit: 'µs',
    goal: 25,
    sense: '<=',
    baseline: null,
    low: sorted[0]!,
    high: sorted[sorted.length - 1]!,
    runs: sorted.length,
  });
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  rows.push({
    figure: 'memory per backend at 4 Hz',
    value: bytes / BACKENDS / 1024,
    unit: 'KiB',
    goal: null,
    sense: '<=',
    baseline: null,
    runs: 1,
  });
}
