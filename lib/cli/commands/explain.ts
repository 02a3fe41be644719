// `leaseway explain`: where a request would go now, and why, with every number that counted.

import { type Command, InvalidArgumentError } from 'commander';
import type { Explained, ExplainedBackend, ExplainedForecast } from '../../orders/explained.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { shortDuration } from '../figures.ts';
import type { CliIo } from '../io.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { type Cell, printable, table } from '../table.ts';

interface ExplainOptions extends AdminOptions {
  readonly hashKey?: string;
  readonly client?: string;
  readonly worker?: number;
}

export const addExplain = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('explain')
      .description('say where a request to a cluster would go now, and why')
      .argument('<cluster>')
      .option(
        '--hash-key <value>',
        'what the policy hashes: value of the header, cookie or parameter, or the path',
      )
      .option('--client <address>', 'the same where it hashes the client')
      .option('--worker <n>', 'ask this worker; each learns by itself', worker),
  ).action(async (cluster: string, options: ExplainOptions) => {
    const client = await adminClient(options, io);
    const query = new URLSearchParams();
    const { hashKey: key, client: address, worker } = options;
    for (const [name, value] of Object.entries({ key, client: address, worker }))
      if (value !== undefined) query.set(name, String(value));
    const path = `/v1/clusters/${encodeURIComponent(cluster)}/explain`;
    const { value } = await client.get<Explained>(query.size === 0 ? path : `${path}?${query}`);
    io.out.write(options.json ? jsonText(value) : explainText(value, io));
  });

/** Loads are measured each second: younger ones are fresh. */
const OLD_MS = 1_500;

/** What is said of every backend; a column that would be empty, or the same word on each line, is left out. */
const COLUMNS: readonly (readonly [title: string, of: (one: ExplainedBackend) => string, usual: string])[] = [
  ['SCORE', one => figure(one.score), '-'],
  ['IN FLIGHT', one => String(one.inFlight), ''],
  ['WEIGHT', one => figure(one.effectiveWeight), '1'],
  ['LIMIT', one => figure(one.concurrency), '0'],
  ['LATENCY MS', one => figure(one.latencyMs), '-'],
  ['PREDICTED', one => figure(one.predicted), '-'],
  ['GATE', one => one.gate, 'open'],
];

function explainText(explained: Explained, io: Pick<CliIo, 'columns' | 'color'>): string {
  const { cluster, policy, worker, rule, choice, backends } = explained;
  const names = [...new Set(backends.flatMap(({ figures }) => Object.keys(figures)))];
  const known = COLUMNS.filter(([, of, usual]) => backends.some(one => of(one) !== usual));
  const columns = [
    { title: 'BACKEND' },
    { title: 'STATE' },
    ...known.map(([title]) => ({ title, right: true })),
    ...names.map(name => ({ title: name.replaceAll('_', ' ').toUpperCase(), right: true })),
    { title: '' },
  ];
  const rows = backends.map((one): (Cell | string)[] => [
    { text: one.id, ...(one.id === choice && { paint: 'bold' as const }) },
    { text: one.state, ...(!one.candidate && { paint: 'red' as const }) },
    ...known.map(([, of]) => of(one)),
    ...names.map(name => figure(one.figures[name] ?? null)),
    one.remark,
  ]);
  const goes =
    choice === null ? (backends.some(one => one.candidate) ? 'chance decides' : 'nowhere') : choice;
  const head = [
    `cluster    ${cluster}, policy ${policy}, as worker ${worker} sees it`,
    `goes to    ${goes}`,
    `rule       ${rule}`,
  ];
  return `${head.map(printable).join('\n')}\n\n${table(columns, rows, io)}${foresight(backends)}`;
}

/** What the gate goes by, in a line for each backend of which something is foreseen. */
function foresight(backends: readonly ExplainedBackend[]): string {
  const lines = backends.flatMap(({ id, forecast }) => (forecast ? [`  ${id}: ${foreseen(forecast)}`] : []));
  return lines.length === 0 ? '' : `\nforeseen\n${lines.map(printable).join('\n')}\n`;
}

function foreseen(forecast: ExplainedForecast): string {
  const { load, resource, ageMs, doubt, horizons, models, periodMs, again, events } = forecast;
  const age = ageMs !== null && ageMs >= OLD_MS ? `, ${shortDuration(ageMs)} old` : '';
  const ahead = horizons.map(
    ({ horizonMs, p50, p90 }) => `${shortDuration(horizonMs)} ${p50.toFixed(2)}..${p90.toFixed(2)}`,
  );
  const words = [
    `load ${load?.toFixed(2)} of ${resource?.replaceAll('_', ' ')}${age}`,
    ahead.length > 0 ? `in ${ahead.join(', ')}` : '',
    `by ${models.map(({ name, weight }) => `${name} ${Math.round(100 * weight)} %`).join(', ')}`,
    periodMs > 0 ? `repeats every ${shortDuration(periodMs)}` : '',
    again === null ? '' : `came to ${again.toFixed(2)} about now in the last two periods`,
    ...events.map(event => eventWords(event)),
    doubt === 'none' ? '' : `its reports are doubted: ${doubt}`,
  ];
  return words.filter(word => word !== '').join('; ');
}

function eventWords({ name, factor, beginsInMs, endsInMs }: ExplainedForecast['events'][number]): string {
  const when =
    beginsInMs > 0 ? `begins in ${shortDuration(beginsInMs)}` : `holds for ${shortDuration(endsInMs)} more`;
  return `event ${name} (${factor} × the load) ${when}`;
}

const figure = (value: number | null): string =>
  value === null ? '-' : String(Number(value.toPrecision(3)));

function worker(text: string): number {
  const row = Number(text);
  if (!Number.isInteger(row) || row < 0 || row > 63) throw new InvalidArgumentError('expected 0 to 63');
  return row;
}
