// `leaseway drain`: a backend gets no new sessions; with --wait until nothing is left on it.

import { type Command, InvalidArgumentError } from 'commander';
import type { BackendStatus } from '../../control/backend/ports.ts';
import { parseDurationMs } from '../../core/units.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { waitUntilEmpty } from '../drain-wait.ts';
import { shortDuration } from '../figures.ts';
import type { CliIo } from '../io.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { type BackendAnswer, backendPath, left } from '../target.ts';

interface DrainOptions extends AdminOptions {
  readonly deadline?: string;
  readonly wait?: boolean;
}

export const addDrain = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('drain')
      .description('give a backend no new sessions and let what it has end')
      .argument('<cluster/backend>')
      .option(
        '--deadline <time>',
        'end what is left after this, such as 5m (the cluster’s drain.deadline)',
        duration,
      )
      .option('--wait', 'return only when nothing is left'),
  ).action(async (target: string, options: DrainOptions) => {
    const path = backendPath(target);
    const client = await adminClient(options, io);
    const { etag } = await client.get(path);
    const answer = await client.write<BackendAnswer>({
      method: 'POST',
      path: `${path}/drain`,
      ifMatch: etag,
      body: options.deadline === undefined ? {} : { deadline: options.deadline },
    });
    if (!options.json) io.out.write(`${target} drains: ${begun(answer.backend, io)}\n`);
    const waited = options.wait
      ? await waitUntilEmpty(
          { client, path, target, first: answer.backend, quiet: options.json === true },
          io,
        )
      : {};
    if (options.json) io.out.write(jsonText({ ...answer, ...waited }));
  });

function duration(text: string): string {
  if (parseDurationMs(text) === undefined)
    throw new InvalidArgumentError('expected a duration such as 30s or 5m');
  return text;
}

function begun(backend: BackendStatus, { clock }: CliIo): string {
  const { inFlight, tunnels, drainUntilMs } = backend;
  if (left(backend) === 0) return 'nothing is left on it';
  const end =
    drainUntilMs === null ? '' : `, ended in ${shortDuration(drainUntilMs - clock.wallMs())} at the latest`;
  return `${inFlight} requests and ${tunnels} tunnels left${end}`;
}
