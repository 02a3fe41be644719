// `leaseway leases`: the sessions that can move; `show`, `move` and `end` one of them.

import type { Command } from 'commander';
import type { LeaseReport } from '../../control/admin/ports.ts';
import type { DecisionRecord, SessionView } from '../../control/session/ports.ts';
import { EXIT } from '../../core/exit-codes.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { CliFailure } from '../failure.ts';
import { shortDuration } from '../figures.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { type Filter, filterQuery, limit } from '../session-filter.ts';
import { table } from '../table.ts';

interface LeasesOptions extends AdminOptions, Filter {
  readonly to?: string;
}

const COLUMNS = [
  { title: 'ID' },
  { title: 'BACKEND' },
  { title: 'CLIENT' },
  { title: 'TYPE' },
  { title: 'AGE', right: true },
  { title: 'HERE', right: true },
  { title: 'MSG/S', right: true },
  { title: 'MOVES TO' },
];

const ACTIONS = ['show', 'move', 'end'];

export const addLeases = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('leases')
      .description('list the sessions that can move, or show, move or end one')
      .argument('[action]', ACTIONS.join(', '))
      .argument('[id]', 'as the list shows it')
      .option('--to <backend>', 'where it moves to')
      .option('--cluster <name>', 'only of this cluster')
      .option('--backend <cluster/backend>', 'only of this backend')
      .option('--client <address>', 'only of this client')
      .option('--limit <n>', 'at most so many', limit, 100),
  ).action(async (action: string | undefined, id: string | undefined, options: LeasesOptions) => {
    const client = await adminClient(options, io);
    const print = (value: object, text: string): void =>
      void io.out.write(options.json ? jsonText(value) : text);
    if (action === undefined) {
      const { value } = await client.get<{ total: number; items: readonly LeaseReport[] }>(
        `/v1/leases?${filterQuery(options)}`,
      );
      const more = value.total - value.items.length;
      const text =
        value.items.length === 0
          ? 'no session can move\n'
          : table(COLUMNS, value.items.map(row), io) +
            (more > 0 ? `and ${more} more: --limit shows them\n` : '');
      return print(value, text);
    }
    if (!ACTIONS.includes(action) || id === undefined)
      throw new CliFailure(
        EXIT.usage,
        ACTIONS.includes(action) ? `which session is to ${action}?` : `there is no leases ${action}`,
        'write leases show ID, leases move ID --to BACKEND, or leases end ID',
      );
    const path = `/v1/leases/${encodeURIComponent(id)}`;
    if (action === 'show') {
      const { value } = await client.get<{ lease: SessionView }>(path);
      return print(value, shown(value.lease));
    }
    if (action === 'end') {
      const answer = await client.write<object>({ method: 'DELETE', path, ifMatch: '*' });
      return print(answer, `${id} is told to end\n`);
    }
    if (options.to === undefined)
      throw new CliFailure(EXIT.usage, `where is ${id} to go?`, 'say --to BACKEND');
    const answer = await client.write<{ decision: DecisionRecord }>({
      method: 'POST',
      path: `${path}/move`,
      ifMatch: '*',
      body: { to: options.to },
    });
    const { from, to } = answer.decision;
    print(answer, `${id} moves from ${from} to ${to}; leaseway decisions says how it ends\n`);
  });

const row = (lease: LeaseReport): string[] => [
  lease.id,
  `${lease.cluster}/${lease.backend}`,
  lease.client,
  lease.type,
  shortDuration(lease.ageMs),
  shortDuration(lease.placedMs),
  lease.messagesPerSecond.toFixed(1),
  lease.movingTo ?? '',
];

function shown({ id, cluster, backend, type, placedMs, messagesPerSecond, movingTo }: SessionView): string {
  const lines = [
    `session   ${id}`,
    `backend   ${cluster}/${backend}, for ${shortDuration(placedMs)}`,
    `lease     ${type}`,
    `messages  ${messagesPerSecond.toFixed(1)} a second`,
    ...(movingTo === null ? [] : [`moves to  ${movingTo}`]),
  ];
  return `${lines.join('\n')}\n`;
}
