// The command line: finds the command, runs it, and turns whatever it throws into one line and an exit code.

import { Command, CommanderError } from 'commander';
import { EXIT, exitCodeHelp } from '../core/exit-codes.ts';
import { VERSION } from '../version.ts';
import { addAgent } from './commands/agent.ts';
import { addAnnounce } from './commands/announce.ts';

import { addCompletion } from './commands/completion.ts';
import { addConnections } from './commands/connections.ts';
import { addDecisions } from './commands/decisions.ts';
import { addDrain } from './commands/drain.ts';
import { addExplain } from './commands/explain.ts';
import { addForecast } from './commands/forecast.ts';
import { addFreeze } from './commands/freeze.ts';
import { addInit } from './commands/init.ts';
import { addLeases } from './commands/leases.ts';
import { addReload } from './commands/reload.ts';
import { addResumeKeys } from './commands/resume-keys.ts';
import { addRun } from './commands/run.ts';
import { addSchema } from './commands/schema.ts';
import { addSimulate } from './commands/simulate.ts';
import { addStatus } from './commands/status.ts';
import { addUndrain } from './commands/undrain.ts';
import { addUnfreeze } from './commands/unfreeze.ts';
import { addUpgrade } from './commands/upgrade.ts';
import { addValidate } from './commands/validate.ts';
import { failureOf } from './failure.ts';
import type { CliIo } from './io.ts';

/** What a command file gets: the world, and where its exit code goes. */
export interface CommandContext {
  readonly io: CliIo;
  finish(exitCode: number): void;
}

const COMMANDS = [
  addRun,
  addValidate,
  addInit,
  addStatus,
  addReload,
  addDrain,
  addUndrain,
  addUpgrade,
  addConnections,
  addLeases,
  addDecisions,
  addFreeze,
  addUnfreeze,
  addForecast,
  addAnnounce,
  addExplain,
  addResumeKeys,
  addAgent,
  addSimulate,
  addSchema,
  addCompletion,
];

/** Resolves with the exit code; never rejects. `argv` is without node and script. */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  let exitCode: number = EXIT.ok;
  const program = new Command('leaseway')
    .description('A layer-7 load-balancing reverse proxy that treats every placement as a lease')
    .version(VERSION, '-V, --version')
    .exitOverride()
    .configureOutput({
      writeOut: text => io.out.write(text),
      writeErr: text => io.err.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'leaseway: ')),
    })
    .showHelpAfterError('leaseway --help shows what there is')
    .addHelpText('after', `\n${exitCodeHelp()}`);
  const context: CommandContext = {
    io,
    finish: code => {
      exitCode = code;
    },
  };
  for (const add of COMMANDS) add(program, context);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const failure = failureOf(error);
    io.err.write(`leaseway: ${failure.text}\n`);
    return failure.exitCode;
  }
}
