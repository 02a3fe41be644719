// `leaseway connections`: who is connected to what, and for how long.

import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../../core/exit-codes.ts';
import type { ConnectionReport } from '../../orders/messages.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { CliFailure } from '../failure.ts';
import { shortBytes, shortDuration } from '../figures.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { table } from '../table.ts';

interface ConnectionsOptions extends AdminOptions {
  readonly backend?: string;
  readonly cluster?: string;
  readonly client?: string;
  readonly limit: number;
}

interface Page {
  readonly total: number;
  readonly items: readonly ConnectionReport[];
}

const COLUMNS = [
  { title: 'ID' },
  { title: 'PROTOCOL' },
  { title: 'CLIENT' },
  { title: 'BACKEND' },
  { title: 'AGE', right: true },
  { title: 'IN', right: true },
  { title: 'OUT', right: true },
  { title: 'ROUTE' },
];

export const addConnections = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('connections')
      .description('list live tunnels and long requests')
      .option('--cluster <name>', 'only of this cluster')
      .option('--backend <cluster/backend>', 'only of this backend')
      .option('--client <address>', 'only of this client')
      .option('--limit <n>', 'at most so many', limit, 100),
  ).action(async (options: ConnectionsOptions) => {
    const client = await adminClient(options, io);
    const { value } = await client.get<Page>(`/v1/connections?${query(options)}`);
    if (options.json) return void io.out.write(jsonText(value));
    const rows = value.items.map(item => [
      item.id,
      item.protocol,
      item.client,
      `${item.cluster}/${item.backend}`,
      shortDuration(item.ageMs),
      shortBytes(item.bytesIn),
      shortBytes(item.bytesOut),
      item.route,
    ]);
    if (rows.length === 0) return void io.out.write('no connections\n');
    io.out.write(table(COLUMNS, rows, io));
    if (value.total > rows.length)
      io.out.write(`and ${value.total - rows.length} more: --limit shows them\n`);
  });

/** `--backend` takes `cluster/backend`, as status prints it, or the backend's name alone. */
function query({ backend, cluster, client, limit }: ConnectionsOptions): URLSearchParams {
  const query = new URLSearchParams({ limit: String(limit) });
  const slash = backend?.indexOf('/') ?? -1;
  const ofBackend = slash > 0 ? backend!.slice(0, slash) : undefined;
  if (ofBackend !== undefined && cluster !== undefined && cluster !== ofBackend)
    throw new CliFailure(EXIT.usage, '--cluster and --backend name two clusters', 'leave --cluster out');
  const wanted = cluster ?? ofBackend;
  if (wanted !== undefined) query.set('cluster', wanted);
  if (backend !== undefined) query.set('backend', backend.slice(slash + 1));
  if (client !== undefined) query.set('client', client);
  return query;
}

function limit(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 10_000)
    throw new InvalidArgumentError('expected 1 to 10000');
  return count;
}
