// Where brain.js is worth its cost and where not:
// `node test/bench/neural.ts [--seeds N | --full] [--part seconds|minutes|recurrent] [--presets a,b] [--json FILE]`.
//
// MASE is the mean error over that of the last value at the same distance. The settings of feed-forward networks were chosen on
// seeds 1001 and 1002, which are not judged by; those of recurrent ones are hardly tuned.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { meanInterval } from '../../lib/sim/measure/bootstrap.ts';
import { MINUTE_PRESETS, SERIES_PRESETS } from '../../lib/sim/series/presets.ts';
import type { SeriesSpec } from '../../lib/sim/series/spec.ts';
import { costOfMinute, type NeuralRun, runMinutes, runRecurrent, runSeconds } from '../support/neural-run.ts';

const FIRST_SEED = 301;
const FULL_SEEDS = 20;
const SECONDS_PRESETS = ['steady', 'dense', 'minutely', 'sawtooth', 'ramps', 'mixed'] as const;
/** The network earns its place where the whole with it is better than the whole without by at least this. */
const EARNED = 0.99;
/** It may nowhere cost more than this: the ensemble has to refuse it. */
const REFUSED = 1.01;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    full: { type: 'boolean', default: false },
    part: { type: 'string' },
    presets: { type: 'string' },
    json: { type: 'string' },
  },
});
const count = values.full ? FULL_SEEDS : Number(values.seeds);
const seeds = Array.from({ length: count }, (_, i) => FIRST_SEED + i);
const wanted = values.presets?.split(',');
const rows: object[] = [];
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
const wants = (part: string): boolean => values.part === undefined || values.part === part;
const maseOf = (run: NeuralRun, ahead: number, model: string): number => run.mase.get(ahead)!.get(model)!;

/** Every run of the presets, printed as they come: one line per preset and distance. */
function runAll(
  presets: Readonly<Record<string, SeriesSpec>>,
  unit: string,
  run: (spec: SeriesSpec, seed: number) => NeuralRun,
): Map<string, NeuralRun[]> {
  const all = new Map<string, NeuralRun[]>();
  for (const [name, spec] of Object.entries(presets)) {
    if (wanted?.includes(name) === false) continue;
    const runs = seeds.map(seed => run(spec, seed));
    all.set(name, runs);
    for (const [ahead, models] of runs[0]!.mase) {
      const cells = [...models.keys()]
        .filter(model => model !== 'last')
        .map(model => `${model} ${mean(runs.map(one => maseOf(one, ahead, model))).toFixed(3)}`);
      say(`${name.padEnd(12)}${String(ahead).padStart(4)} ${unit.padEnd(4)} ${cells.join('  ')}`);
    }
  }
  return all;
}

/** One value per seed: the ratio, averaged over presets, of one model's MASE to another's. */
function compare(
  all: ReadonlyMap<string, readonly NeuralRun[]>,
  at: { readonly ahead: number; readonly unit: string },
  [model, rival]: readonly [string, string],
  goal: number | null,
): void {
  if (all.size === 0) return;
  const ratios = seeds.map((_, i) =>
    mean(
      [...all.values()].map(runs => maseOf(runs[i]!, at.ahead, model) / maseOf(runs[i]!, at.ahead, rival)),
    ),
  );
  const { value, low, high } = meanInterval(ratios);
  const figure = `error of ${model} over that of ${rival}, ${at.ahead} ${at.unit}, ${[...all.keys()].join(' ')}`;
  rows.push({ figure, value, unit: 'ratio', goal, sense: '<=', baseline: 1, low, high, runs: seeds.length });
  const met = goal === null ? '' : `   goal <= ${goal}${value <= goal ? '' : '   MISSED'}`;
  say(`${figure.padEnd(110)} ${value.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}]${met}`);
}

function cost(all: ReadonlyMap<string, readonly NeuralRun[]>, figure: string, goal: number | null): void {
  if (all.size === 0) return;
  const runs = [...all.values()].flat();
  const value = mean(runs.map(({ trainMs, trainings }) => trainMs / trainings));
  rows.push({ figure, value, unit: 'ms', goal, sense: '<=', baseline: null, runs: runs.length });
  say(`${figure.padEnd(110)} ${value.toFixed(0)} ms of CPU`);
}

say(
  `Means over ${seeds.length} seeds from ${FIRST_SEED} on; MASE against the last value at the same distance.`,
);
if (wants('seconds')) {
  const presets = Object.fromEntries(SECONDS_PRESETS.map(name => [name, SERIES_PRESETS[name]]));
  const all = runAll(presets, 's', runSeconds);
  for (const ahead of [1, 10, 30]) {
    compare(all, { ahead, unit: 's' }, ['network', 'ensemble'], null);
    compare(all, { ahead, unit: 's' }, ['mean of both', 'ensemble'], null);
  }
  cost(all, 'one training on an hour of seconds', null);
}
if (wants('minutes')) {
  const all = runAll(MINUTE_PRESETS, 'min', runMinutes);
  const jobs = new Map([...all].filter(([name]) => name === 'hourlyJobs' || name === 'everything'));
  const others = new Map([...all].filter(([name]) => !jobs.has(name)));
  for (const ahead of [5, 15, 60]) {
    const at = { ahead, unit: 'min' };
    compare(jobs, at, ['ensemble with', 'ensemble without'], EARNED);
    compare(others, at, ['ensemble with', 'ensemble without'], REFUSED);
    for (const group of [jobs, others]) {
      compare(group, at, ['network', 'regression'], null);
      compare(group, at, ['ensemble without', 'simple'], null);
      compare(group, at, ['ensemble without', 'profile'], null);
    }
  }
  cost(all, 'one training on two weeks of minutes', null);
  const { minuteUs, answerUs } = costOfMinute(MINUTE_PRESETS.hourlyJobs, FIRST_SEED);
  for (const [figure, value] of [
    ['CPU of a minute of an outlook with a network', minuteUs],
    ["of that, the network's answer", answerUs],
  ] as const) {
    rows.push({ figure, value, unit: 'µs', goal: null, sense: '<=', baseline: null, runs: 1 });
    say(`${figure.padEnd(110)} ${value.toFixed(1)} µs`);
  }
}
if (wants('recurrent'))
  for (const kind of ['GRUTimeStep', 'LSTMTimeStep'] as const) {
    const presets = { daily: MINUTE_PRESETS.daily, hourlyJobs: MINUTE_PRESETS.hourlyJobs };
    const all = runAll(presets, 'min', (spec, seed) => runRecurrent(spec, seed, kind));
    for (const ahead of [5, 15, 60]) compare(all, { ahead, unit: 'min' }, [kind, 'last'], null);
    cost(all, `one training of ${kind} on a week of five minutes each`, null);
  }
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
