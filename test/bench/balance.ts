// Policies against each other on the shipped scenarios: `node test/bench/balance.ts [--full] [--keep FILE] [--json FILE]`.
//
// The short form takes 2 seeds of each scenario, under ten minutes. `--full` takes what the scenarios say and, with `--keep`, appends each run to
// a file of lines and begins again where it stopped: a run is known by its scenario's text, setting, policy and seed.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { systemClock } from '../../lib/core/clock.ts';
import { compare, type Run } from '../../lib/sim/compare.ts';
import { blocksOf, rowsOf } from '../../lib/sim/report.ts';
import type { RunFigures } from '../../lib/sim/run.ts';
import { loadScenario } from '../../lib/sim/scenario/load.ts';
import { blockText } from '../support/block-text.ts';
import { identityOf, KeptRuns } from '../support/kept-runs.ts';

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

const kept = new KeptRuns<RunFigures>(values.keep);
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
  const identity = identityOf(scenario);
  const keyOf = (run: Run): string => JSON.stringify([name, identity, run.setting, run.policy, run.seed]);
  let beganMs = systemClock.monotonicMs();
  const series = await compare(
    scenario,
    seeds,
    run => kept.find(keyOf(run)),
    (run, figures) => {
      if (kept.keep(keyOf(run), figures)) {
        events += figures.events;
        busyMs += systemClock.monotonicMs() - beganMs;
      }
      beganMs = systemClock.monotonicMs();
    },
  );
  const own = rowsOf(name, scenario, series);
  rows.push(...own);
  process.stdout.write(`\n${name}: ${scenario.describe}\n`);
  for (const block of blocksOf(scenario, series, own))
    process.stdout.write(`\n${block.title}\n${blockText(block)}`);
}
if (busyMs > 0) {
  const perSecond = Math.round((events * 1000) / busyMs);
  rows.push({
    figure: 'simulated events per second',
    value: perSecond,
    unit: '/s',
    goal: 500_000,
    sense: '>=',
    baseline: null,
    runs: [perSecond],
  });
  process.stdout.write(`\n${perSecond} events a second, goal ≥ 500000\n`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
