// What `leaseway freeze` and `leaseway unfreeze` share.

import type { Command } from 'commander';
import type { Freeze } from '../control/session/ports.ts';
import { type AdminOptions, adminClient, withAdminOptions } from './admin-options.ts';
import { shortDuration } from './figures.ts';
import { jsonText } from './json.ts';
import type { CommandContext } from './main.ts';

interface Answer {
  readonly items: readonly Freeze[];
}

/** Both commands: what they ask for, and what is frozen afterwards. */
export function addHold(
  program: Command,
  { io }: CommandContext,
  name: 'freeze' | 'unfreeze',
  says: string,
): Command {
  return withAdminOptions(
    program.command(name).description(says).argument('[cluster]', 'every cluster when left out'),
  ).action(async (cluster: string | undefined, options: AdminOptions) => {
    const client = await adminClient(options, io);
    const answer = await client.write<Answer>({
      method: 'POST',
      path: `/v1/${name}`,
      ifMatch: '*',
      body: cluster === undefined ? {} : { cluster },
    });
    if (options.json) return void io.out.write(jsonText(answer));
    const nowMs = io.clock.wallMs();
    const lines = answer.items.map(
      freeze =>
        `${freeze.cluster ?? 'every cluster'} is frozen since ${shortDuration(nowMs - freeze.sinceMs)}\n`,
    );
    io.out.write(lines.join('') || 'nothing is frozen\n');
  });
}
