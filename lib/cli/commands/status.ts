// `leaseway status`: the process and its backends at a glance.

import type { Command } from 'commander';
import type { StatusReport } from '../../control/admin/ports.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { sleepAwake } from '../sleep-awake.ts';
import { statusText } from '../status-text.ts';

const EVERY_MS = 2_000;

export const addStatus = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('status')
      .description('show the process and its backends')
      .option('--watch', 'again every two seconds, until interrupted'),
  ).action(async (options: AdminOptions & { watch?: boolean }) => {
    const client = await adminClient(options, io);
    do {
      const { value } = await client.get<StatusReport>('/v1/status');
      if (options.json) io.out.write(options.watch ? `${JSON.stringify(value)}\n` : jsonText(value));
      else {
        const clear = options.watch && io.terminal ? '\x1b[H\x1b[J' : '';
        io.out.write(`${clear}${statusText(value, io.clock.wallMs(), io)}`);
      }
      if (options.watch) await sleepAwake(io, EVERY_MS);
    } while (options.watch);
  });
