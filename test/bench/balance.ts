// Policies against each other on the shipped scenarios: `node test/bench/balance.ts [--full] [--keep FILE] [--json FILE]`.
//
// The short form takes 2 seeds of each scenario, under ten minutes. `--full` takes what the scenarios say and, with `--keep`, appends each run to
// a file of lines and begins again where it stopped: a run is known by its scenario's text, setting, policy and seed.

import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../lib/core/clock.ts';
import { hash32 } from '../../lib/core/hash.ts';
import { compare, type Run } from '../../lib/sim/compare.ts';
import { blocksOf, rowsOf } from '../../lib/sim/report.ts';
import type { RunFigures } from '../../lib/sim/run.ts';
import { loadScenario } from '../../lib/sim/scenario/load.ts';

const FOLDER = join(import.meta.dirname, '../../config/scenarios');
const SHORT_SEEDS = 2;

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    seeds: { type: 'string' },
    keep: { type: 'string' },
    json: { type: 'string' },
  },
});

const known = new Map<string, RunFigures>();
if (values.keep !== undefined && existsSync(values.keep))
  for (const line of readFileSync(values.keep, 'utf8').split('\n').filter(Boolean)) {
    const [key, figures] = JSON.parse(line) as [string, RunFigures];
    known.set(key, figures);
  }

const rows = [];
let events = 0;
let busyMs = 0;
for (const file of readdirSync(FOLDER)
  .filter(name => name.endsWith('.yaml'))
  .sort()) {
  const name = file.replace('.yaml', '');
  if (values.only !== undefined && !values.only.split(',').includes(name)) continue;
  const loaded = await loadScenario(join(FOLDER, file));
  if (!loaded.ok) throw new Error(`${file} is not valid`);
  const { scenario } = loaded;
  const seeds =
    values.seeds !== undefined ? Number(values.seeds) : values.full ? scenario.seeds : SHORT_SEEDS;
  const identity = hash32(JSON.stringify({ ...scenario, seeds: 0, policies: 0, goals: 0, baseline: 0 }));
  const keyOf = (run: Run): string => JSON.stringify([name, identity, run.setting, run.policy, run.seed]);
  let beganMs = systemClock.monotonicMs();
  const series = await compare(
    scenario,
    seeds,
    run => known.get(keyOf(run)),
    (run, figures) => {
      const key = keyOf(run);
      if (!known.has(key)) {
        events += figures.events;
        busyMs += systemClock.monotonicMs() - beganMs;
        if (values.keep !== undefined) appendFileSync(values.keep, `${JSON.stringify([key, figures])}\n`);
        known.set(key, figures);
      }
      beganMs = systemClock.monotonicMs();
    },
  );
  const own = rowsOf(name, scenario, series);
  rows.push(...own);
  process.stdout.write(`\n${name}: ${scenario.describe}\n`);
  for (const { title, columns, lines, goals } of blocksOf(scenario, series, own)) {
    process.stdout.write(`\n${title}\n`);
    for (const line of [columns, ...lines])
      process.stdout.write(
        `${line.map((cell, i) => (i === 0 ? cell.padEnd(20) : cell.padStart(9))).join('')}\n`,
      );
    for (const { text, met } of goals) process.stdout.write(`${met ? 'met   ' : 'MISSED'}  ${text}\n`);
  }
}
if (busyMs > 0) {
  const perSecond = Math.round((events * 1000) / busyMs);
  rows.push({
    figure: 'simulated events per second',
    value: perSecond,
    unit: '/s',
    goal: 500_000,
    sense: 'higher',
    baseline: null,
    runs: [perSecond],
  });
  process.stdout.write(`\n${perSecond} events a second, goal ≥ 500000\n`);
}
if (values.json !== undefined) {
  const told = rows.map(row => ({ ...row, sense: row.sense === 'lower' ? '<=' : '>=' }));
  writeFileSync(values.json, `${JSON.stringify(told, null, 1)}\n`);
}
