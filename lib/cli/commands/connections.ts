// `leaseway connections`: who is connected to what, and for how long.

import type { Command } from 'commander';
import type { ConnectionReport } from '../../orders/messages.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { shortBytes, shortDuration } from '../figures.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { addMove } from '../move-connection.ts';
import { type Filter, filterQuery, limit } from '../session-filter.ts';
import { table } from '../table.ts';

type ConnectionsOptions = AdminOptions & Filter;

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

export const addConnections = (program: Command, context: CommandContext): Command => {
  const { io } = context;
  const connections = withAdminOptions(
    program
      .command('connections')
      .description('list live tunnels and long requests')
      .option('--cluster <name>', 'only of this cluster')
      .option('--backend <cluster/backend>', 'only of this backend')
      .option('--client <address>', 'only of this client')
      .option('--limit <n>', 'at most so many', limit, 100),
  ).action(async (options: ConnectionsOptions) => {
    const client = await adminClient(options, io);
    const { value } = await client.get<Page>(`/v1/connections?${filterQuery(options)}`);
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
  addMove(connections, context);
  return connections;
};
