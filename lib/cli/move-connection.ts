// `leaseway connections move`: one connection goes to another backend.

import type { Command } from 'commander';
import { EXIT } from '../core/exit-codes.ts';
import type { TunnelMoved } from '../orders/messages.ts';
import { type AdminOptions, adminClient, withAdminOptions } from './admin-options.ts';
import { CliFailure } from './failure.ts';
import { jsonText } from './json.ts';
import type { CommandContext } from './main.ts';

/** The API answers when the move is over. */
const WITHIN_MS = 60_000;

interface MoveOptions extends AdminOptions {
  readonly to?: string;
}

export const addMove = (connections: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    connections
      .command('move')
      .description(
        'move a connection to another backend; its client stays connected where the route allows it',
      )
      .argument('<id>', 'as `leaseway connections` prints it')
      .option('--to <backend>', 'of the same cluster; any other when left out'),
  ).action(async (id: string, _options: MoveOptions, command: Command) => {
    // The parent has options of the same names, which commander gives to it.
    const options = command.optsWithGlobals<MoveOptions>();
    const client = await adminClient(options, io);
    const moved = await client.write<TunnelMoved>({
      method: 'POST',
      path: `/v1/connections/${encodeURIComponent(id)}/move`,
      ifMatch: '*',
      timeoutMs: WITHIN_MS,
      body: options.to === undefined ? {} : { to: nameOf(options.to) },
    });
    if (options.json) io.out.write(jsonText(moved));
    if (moved.result === 'failed') throw new CliFailure(EXIT.failed, `${id} was not moved: ${moved.reason}`);
    if (!options.json) io.out.write(`${id} ${TEXTS[moved.result](moved)}\n`);
  });

const TEXTS: Readonly<Record<'moved' | 'unclean' | 'ended', (moved: TunnelMoved) => string>> = {
  moved: ({ from, to, holdMs }) => `moved from ${from} to ${to}; its client waited ${holdMs.toFixed(1)} ms`,
  unclean: ({ from, to, holdMs }) =>
    `moved from ${from} to ${to}, but ${from} did not close in order: what it had not sent is lost; the client waited ${holdMs.toFixed(1)} ms`,
  ended: ({ from }) => `left ${from}: its client was told to come again (1012)`,
};

/** `cluster/backend`, as status prints it, or the backend's name alone. */
const nameOf = (target: string): string => target.slice(target.indexOf('/') + 1);
