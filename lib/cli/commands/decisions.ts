// `leaseway decisions`: what was decided of sessions, and why; the newest last, as in a log.

import type { Command } from 'commander';
import type { DecisionRecord } from '../../control/session/ports.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { shortDuration } from '../figures.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { limit } from '../session-filter.ts';
import { type Cell, table } from '../table.ts';

interface DecisionsOptions extends AdminOptions {
  readonly cluster?: string;
  readonly limit: number;
}

const COLUMNS = [
  { title: 'AGO', right: true },
  { title: 'WHAT' },
  { title: 'REASON' },
  { title: 'SESSION' },
  { title: 'FROM' },
  { title: 'TO' },
  { title: 'FORESEEN', right: true },
  { title: 'OUTCOME' },
  { title: 'DETAIL' },
];

export const addDecisions = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('decisions')
      .description('show what was decided of sessions, and why')
      .option('--cluster <name>', 'only of this cluster')
      .option('--limit <n>', 'the latest so many', limit, 100),
  ).action(async ({ cluster, limit: most, ...options }: DecisionsOptions) => {
    const client = await adminClient(options, io);
    const query = new URLSearchParams({
      limit: String(Math.min(most, 4096)),
      ...(cluster !== undefined && { cluster }),
    });
    const { value } = await client.get<{ items: readonly DecisionRecord[] }>(`/v1/decisions?${query}`);
    if (options.json) return void io.out.write(jsonText(value));
    if (value.items.length === 0) return void io.out.write('nothing was decided yet\n');
    const nowMs = io.clock.wallMs();
    io.out.write(
      table(
        COLUMNS,
        value.items.toReversed().map(item => row(item, nowMs)),
        io,
      ),
    );
  });

function row(decision: DecisionRecord, nowMs: number): (Cell | string)[] {
  const { cluster, kind, reason, session, from, to, fromLevel, toLevel, outcome, holdMs, detail } = decision;
  const levels = [fromLevel, toLevel].map(level => level?.toFixed(2) ?? '-').join(' → ');
  const held = holdMs === null || holdMs === 0 ? [] : [`held ${holdMs.toFixed(1)} ms`];
  const bad = outcome === 'failed' || outcome === 'lost' || outcome === 'unclean';
  return [
    shortDuration(nowMs - decision.atMs),
    kind,
    reason,
    session ?? '',
    `${cluster}/${from}`,
    to ?? '',
    fromLevel === null && toLevel === null ? '' : levels,
    { text: outcome, paint: bad ? 'red' : outcome === 'shadow' ? 'yellow' : 'green' },
    [...held, detail].filter(text => text !== '').join('; '),
  ];
}
