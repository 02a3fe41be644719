// `leaseway validate`: would this configuration be taken?

import type { Command } from 'commander';
import { EXIT } from '../../core/exit-codes.ts';
import { configPathOf } from '../config-path.ts';
import type { CommandContext } from '../main.ts';

export const addValidate = (program: Command, { io, finish }: CommandContext): Command =>
  program
    .command('validate')
    .description('check a configuration and say everything that is wrong with it')
    .argument('[config]', 'folder or file (config, else leaseway.yaml)')
    .option('--json', 'print JSON')
    .action(async (given: string | undefined, { json = false }: { json?: boolean }) => {
      const { validate } = await import('../validate.ts');
      const code = await validate(configPathOf(given), { json, out: io.out, env: io.env });
      finish(code === 1 ? EXIT.configInvalid : code);
    });
