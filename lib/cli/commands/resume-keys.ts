// `leaseway resume-keys`: what backends check Leaseway-Resume with; they can sign nothing by it.

import type { Command } from 'commander';
import { LeasewayError } from '../../core/errors.ts';
import { configPathOf } from '../config-path.ts';
import type { CommandContext } from '../main.ts';

export const addResumeKeys = (program: Command, { io }: CommandContext): Command =>
  program
    .command('resume-keys')
    .description('print the keys by which backends check Leaseway-Resume, for leaseway/server')
    .argument('[config]', 'folder or file (config, else leaseway.yaml)')
    .action(async (given: string | undefined) => {
      const { loadConfig } = await import('../../config/load.ts');
      const { formatProblem } = await import('../../config/problem.ts');
      const { readLeaseKeys } = await import('../../control/secrets/lease-keys.ts');
      const { stateDirOf } = await import('../../core/state-dir.ts');
      const { writeResumeKeys } = await import('../../plan/lease/resume.ts');
      const configPath = configPathOf(given);
      const loaded = await loadConfig(configPath, io.env);
      if (!loaded.ok)
        throw new LeasewayError('CONFIG_INVALID', loaded.problems.map(formatProblem).join('\n'));
      const { leases, state } = loaded.config;
      const directory = stateDirOf({ configPath, configured: state.dir, env: io.env });
      io.out.write(`${writeResumeKeys(readLeaseKeys(leases.keys, directory))}\n`);
    });
