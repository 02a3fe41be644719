// `leaseway upgrade`: the running process hands over to a new one of the version now installed.

import type { Command } from 'commander';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';

const TIMEOUT_MS = 130_000;

export const addUpgrade = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program.command('upgrade').description('hand over to a new process without losing a connection'),
  ).action(async (options: AdminOptions) => {
    const client = await adminClient(options, io);
    const before = (await client.get<{ pid: number }>('/v1/status')).value.pid;
    const { pid } = await client.write<{ pid: number }>({
      method: 'POST',
      path: '/v1/upgrade',
      ifMatch: '*',
      timeoutMs: TIMEOUT_MS,
    });
    io.out.write(
      options.json
        ? jsonText({ pid, before })
        : `process ${pid} serves now; process ${before} finishes what it has and ends\n`,
    );
  });
