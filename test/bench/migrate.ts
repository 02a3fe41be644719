// Five backends rolled under WebSockets that talk, behind leaseway, HAProxy and nginx in one run:
// `npm run bench:migrate -- [--clients 5000] [--pace 250] [--fronts leaseway,haproxy,nginx] [--json FILE]`.
//
// Messages are numbered both ways: what a client sends is checked by the backends, whichever had it; what they answer, by the client.

import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { percentile } from '../support/percentile.ts';
import type { FrontName } from './migrate-fronts.ts';
import { type RollReport, roll } from './migrate-roll.ts';
import type { Row } from './rivals-figures.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '5000' },
    pace: { type: 'string', default: '250' },
    fronts: { type: 'string', default: 'leaseway,haproxy,nginx' },
    json: { type: 'string' },
  },
});
const [clients, pace, backends, periodMs] = [Number(values.clients), Number(values.pace), 5, 1_000];

// Node has raised the soft limit to the hard one, which only the system's administrator may raise.
const needed = 2 * clients + 1_000;
const limit = Number(/^Max open files +\S+ +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]);
if (limit < needed)
  throw new Error(
    `${clients} clients take ${needed} file descriptors of the proxy, and the limit is ${limit}: ulimit -Hn, or --clients ${(limit - 1_000) >> 1}`,
  );

const rows: Row[] = [];
const lines: string[][] = [
  [
    '',
    'sessions broken',
    'disconnects',
    'messages',
    'lost',
    'doubled',
    'reordered',
    'held p50',
    'p99',
    'answered p50',
    'p99',
    'max ms',
  ],
];
for (const name of values.fronts.split(',') as FrontName[]) {
  process.stderr.write(`${name} …\n`);
  const report = await roll({ front: name, migrate: 'transparent', backends, clients, periodMs, pace });
  note(name, report);
}
const widths = lines[0]!.map((_, column) => Math.max(...lines.map(line => line[column]!.length)));
for (const line of lines)
  process.stdout.write(
    `${line
      .map((cell, i) => cell.padStart(widths[i]!))
      .join('  ')
      .trimEnd()}\n`,
  );
let missed = 0;
for (const { figure, value, unit, sense, goal } of rows.filter(row => row.goal !== null)) {
  const met = sense === '<=' ? value <= goal! : value >= goal!;
  if (!met) missed += 1;
  process.stdout.write(`${met ? 'met   ' : 'MISSED'} ${figure}: ${value} ${unit} (goal ${sense} ${goal})\n`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
process.exitCode = missed === 0 ? 0 : 1;

function note(name: FrontName, report: RollReport): void {
  const { heard, answers, holdsMs, answeredMs } = report;
  const both = (kind: 'lost' | 'doubled' | 'reordered'): number => heard[kind] + answers[kind];
  const held = (share: number): number => percentile(holdsMs, share);
  const ms = (figure: number): string => (Number.isNaN(figure) ? '' : figure.toFixed(1));
  lines.push([
    name,
    `${report.broken} of ${clients}`,
    ...[report.disconnects, report.messages, both('lost'), both('doubled'), both('reordered')].map(String),
    ...[held(0.5), held(0.99), answeredMs.p50, answeredMs.p99, answeredMs.max].map(ms),
  ]);
  const ours = name === 'leaseway';
  const title = ours ? 'transparent, co-operative' : name;
  const row = (figure: string, value: number, unit: string, goal: number | null, sense: Row['sense']): void =>
    void rows.push({
      ...{ figure: `roll: ${title}: ${figure}`, value: Math.round(value * 10) / 10, unit },
      ...{ goal, sense, baseline: '', runs: 1 },
    });
  row('sessions broken', report.broken, `of ${clients}`, ours ? 0 : null, '<=');
  row('disconnects', report.disconnects, 'connections', ours ? 0 : null, '<=');
  for (const kind of ['lost', 'doubled', 'reordered'] as const)
    row(`messages ${kind}`, both(kind), `of ${2 * report.messages}`, ours ? 0 : null, '<=');
  if (!ours) return;
  row('moves', holdsMs.length, 'connections', clients, '>=');
  row('pause p50', held(0.5), 'ms', null, '<=');
  row('pause p99', held(0.99), 'ms', 20, '<=');
}
