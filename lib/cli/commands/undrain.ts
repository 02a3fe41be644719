// `leaseway undrain`: a backend goes back into service.

import type { Command } from 'commander';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { type BackendAnswer, backendPath } from '../target.ts';

export const addUndrain = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('undrain')
      .description('take a backend back into service after drain or maintenance')
      .argument('<cluster/backend>'),
  ).action(async (target: string, options: AdminOptions) => {
    const path = backendPath(target);
    const client = await adminClient(options, io);
    const { etag } = await client.get(path);
    const answer = await client.write<BackendAnswer>({
      method: 'POST',
      path: `${path}/undrain`,
      ifMatch: etag,
    });
    io.out.write(options.json ? jsonText(answer) : `${target} is back in service: ${answer.backend.state}\n`);
  });
