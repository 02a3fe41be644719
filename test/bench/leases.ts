// Session leases against what others do, in simulated worlds: `npm run bench:leases [-- --full] [--keep FILE] [--json FILE]`.
//
// The short form takes 3 seeds of each scenario; `--full` takes what the scenarios say and, with `--keep`, appends each run
// to a file of lines and begins again where it stopped. Delete that file when the code changes.

import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hash32 } from '../../lib/core/hash.ts';
import {
  compareSessions,
  type SessionRun,
  sessionBlock,
  sessionRows,
} from '../../lib/sim/sessions/compare.ts';
import type { SessionFigures } from '../../lib/sim/sessions/figures.ts';
import { loadSessions } from '../../lib/sim/sessions/load.ts';

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

const known = new Map<string, SessionFigures>();
if (values.keep !== undefined && existsSync(values.keep))
  for (const line of readFileSync(values.keep, 'utf8').split('\n').filter(Boolean)) {
    const [key, figures] = JSON.parse(line) as [string, SessionFigures];
    known.set(key, figures);
  }

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const rows = [];
for (const file of readdirSync(FOLDER).sort()) {
  const name = file.replace('.yaml', '');
  if (values.only !== undefined && !values.only.split(',').includes(name)) continue;
  const loaded = await loadSessions(join(FOLDER, file));
  if (!loaded.ok) throw new Error(`${file} is not valid`);
  const { scenario } = loaded;
  const seeds =
    values.seeds !== undefined ? Number(values.seeds) : values.full ? scenario.seeds : SHORT_SEEDS;
  const identity = hash32(JSON.stringify({ ...scenario, seeds: 0, policies: 0, goals: 0, baseline: 0 }));
  const keyOf = (run: SessionRun): string => JSON.stringify([name, identity, run.policy, run.seed]);
  const series = await compareSessions(
    scenario,
    seeds,
    run => known.get(keyOf(run)),
    (run, figures, finished, of) => {
      const key = keyOf(run);
      if (!known.has(key) && values.keep !== undefined)
        appendFileSync(values.keep, `${JSON.stringify([key, figures])}\n`);
      known.set(key, figures);
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${name}: ${finished} of ${of} runs`);
    },
  );
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  const own = sessionRows(name, scenario, series);
  rows.push(...own);
  const { title, columns, lines, goals } = sessionBlock(scenario, series, own);
  say(`\n${name}: ${scenario.describe}; ${title}`);
  for (const line of [columns, ...lines])
    say(line.map((cell, i) => (i === 0 ? cell.padEnd(20) : ` ${cell}`.padStart(11))).join(''));
  for (const { text, met } of goals) say(`${met ? 'met   ' : 'MISSED'}  ${text}`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
