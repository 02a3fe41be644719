// Session leases against what others do, in simulated worlds: `npm run bench:leases [-- --full] [--keep FILE] [--json FILE]`.
//
// The short form takes 3 seeds of each scenario; `--full` takes what the scenarios say and, with `--keep`, appends each run
// to a file of lines and begins again where it stopped. Delete that file when the code changes.

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  compareSessions,
  type SessionRun,
  sessionBlock,
  sessionRows,
} from '../../lib/sim/sessions/compare.ts';
import type { SessionFigures } from '../../lib/sim/sessions/figures.ts';
import { loadSessions } from '../../lib/sim/sessions/load.ts';
import { blockText } from '../support/block-text.ts';
import { identityOf, KeptRuns } from '../support/kept-runs.ts';

const FOLDER = join(import.meta.dirname, '../../config/scenarios/sessions');
const SHORT_SEEDS = 3;

const { values } = parseArgs({
  options: {
    full: { type: 'boolean', default: false },
    only: { type: 'string' },
    seeds: { type: 'string' },
    keep: { type: 'string' },
    json: { type: 'string' },
  },
});

const kept = new KeptRuns<SessionFigures>(values.keep);
const rows = [];
for (const file of readdirSync(FOLDER).sort()) {
  const name = file.replace('.yaml', '');
  if (values.only !== undefined && !values.only.split(',').includes(name)) continue;
  const loaded = await loadSessions(join(FOLDER, file));
  if (!loaded.ok) throw new Error(`${file} is not valid`);
  const { scenario } = loaded;
  const seeds =
    values.seeds !== undefined ? Number(values.seeds) : values.full ? scenario.seeds : SHORT_SEEDS;
  const identity = identityOf(scenario);
  const keyOf = (run: SessionRun): string => JSON.stringify([name, identity, run.policy, run.seed]);
  const series = await compareSessions(
    scenario,
    seeds,
    run => kept.find(keyOf(run)),
    (run, figures, finished, of) => {
      kept.keep(keyOf(run), figures);
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name}: ${finished} of ${of} runs`);
    },
  );
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const own = sessionRows(name, scenario, series);
  rows.push(...own);
  const block = sessionBlock(scenario, series, own);
  process.stdout.write(`\n${name}: ${scenario.describe}; ${block.title}\n${blockText(block)}`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
