// `leaseway simulate`: policies against each other in a world that a scenario file describes.

import { basename } from 'node:path';
import type { Command } from 'commander';
import { EXIT } from '../../core/exit-codes.ts';
import { CliFailure } from '../failure.ts';
import type { CommandContext } from '../main.ts';

interface SimulateFlags {
  readonly seeds?: string;
  readonly json?: boolean;
  readonly progress?: boolean;
  readonly report?: string;
}

const MOST_SEEDS = 1_000;

export const addSimulate = (program: Command, { io, finish }: CommandContext): Command =>
  program
    .command('simulate')
    .description('compare balancing policies in a simulated world')
    .argument('<scenario>', 'YAML file; config/scenarios has some, of requests and of sessions')
    .option('--seeds <n>', 'runs of each policy, instead of what the scenario says')
    .option('--json', 'print JSON: one row a figure')
    .option('--report <file>', 'write a page with tables and plots')
    .option('--progress', 'show on stderr how far it is')
    .action(async (path: string, { seeds, json = false, progress = false, report }: SimulateFlags) => {
      const count = seeds === undefined ? undefined : Number(seeds);
      if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= MOST_SEEDS))
        throw new CliFailure(EXIT.usage, `--seeds ${seeds}`, `give a whole number from 1 to ${MOST_SEEDS}`);
      const { simulate } = await import('../simulate.ts');
      const name = basename(path).replace(/\.ya?ml$/, '');
      finish(await simulate({ path, name, seeds: count, json, progress, report, io }));
    });
