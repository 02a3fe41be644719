// `leaseway init`: a first configuration to start from.

import type { Command } from 'commander';
import type { CommandContext } from '../main.ts';

export const addInit = (program: Command, { io, finish }: CommandContext): Command =>
  program
    .command('init')
    .description('write a small commented configuration')
    .argument('[dir]', 'folder to write it to', 'config')
    .option('--force', 'write over files that are there')
    .action(async (dir: string, { force = false }: { force?: boolean }) => {
      const { init } = await import('../init.ts');
      finish(await init(dir, { force, out: io.out }));
    });
