// `leaseway run`: the proxy itself, in the foreground.

import { type Command, InvalidArgumentError } from 'commander';
import type { ListeningSocket } from '../../orders/messages.ts';
import { configPathOf } from '../config-path.ts';
import type { CommandContext } from '../main.ts';

interface RunOptions {
  readonly withExamples?: boolean;
  readonly takeover?: boolean;
  readonly workers?: number;
  readonly json?: boolean;
}

export const addRun = (program: Command, { io, finish }: CommandContext): Command =>
  program
    .command('run')
    .description('run the proxy')
    .argument('[config]', 'folder, or one file that holds all (config, else leaseway.yaml)')
    .option('--workers <n>', 'data-plane threads, in place of the configured number', workerCount)
    .option('--takeover', 'replace the leaseway that runs with this configuration')
    .option('--with-examples', 'start three example backends on 127.0.0.1:9001–9003 as well')
    .option('--json', 'print one line of JSON when everything serves, again after each upgrade')
    .action(async (given: string | undefined, options: RunOptions) => {
      const [{ runSupervisor }, { isSuccessor }] = await Promise.all([
        import('../../supervisor.ts'),
        import('../../supervise/handover.ts'),
      ]);
      // An upgrade starts us with the same words; the examples run already and are handed on.
      const successor = isSuccessor(io.env);
      const examples =
        options.withExamples && !successor ? await (await import('../examples.ts')).startExamples() : null;
      const running = runSupervisor({
        configPath: configPathOf(given),
        takeover: options.takeover ?? false,
        ...(options.workers !== undefined && { workers: options.workers }),
        ...(examples !== null && { examplesPid: examples.pid }),
        onServing(sockets, admin) {
          if (options.json) io.out.write(`${servingLine(sockets, admin)}\n`);
          else if (examples !== null) io.out.write(`${examples.lines(urlsOf(sockets), admin).join('\n')}\n`);
        },
      });
      try {
        finish(await running);
      } catch (error) {
        await examples?.[Symbol.asyncDispose]();
        throw error;
      }
    });

function workerCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new InvalidArgumentError('expected 1 to 64');
  return count;
}

const servingLine = (sockets: readonly ListeningSocket[], admin: ListeningSocket | null): string =>
  JSON.stringify({
    event: 'serving',
    pid: process.pid,
    listeners: sockets.map(({ address, port }) => ({ address, port })),
    admin: admin === null ? null : { address: admin.address, port: admin.port },
  });

const urlsOf = (sockets: readonly ListeningSocket[]): string[] => [
  ...new Set(sockets.map(({ port }) => `http://localhost:${port}`)),
];
