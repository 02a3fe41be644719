// `leaseway reload`: the running process reads its configuration again.

import type { Command } from 'commander';
import type { ReloadResult } from '../../control/admin/ports.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';

const TIMEOUT_MS = 40_000;

export const addReload = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(program.command('reload').description('have the configuration read again')).action(
    async (options: AdminOptions) => {
      const client = await adminClient(options, io);
      const result = await client.write<ReloadResult>({
        method: 'POST',
        path: '/v1/reload',
        ifMatch: '*',
        timeoutMs: TIMEOUT_MS,
      });
      if (options.json) return void io.out.write(jsonText(result));
      const { generation, changes } = result;
      if (changes.length === 0) return void io.out.write('reloaded: nothing changed\n');
      io.out.write(`reloaded, generation ${generation}:\n${changes.map(change => `  ${change}\n`).join('')}`);
    },
  );
