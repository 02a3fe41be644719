// `leaseway drain`: a backend gets no new sessions; with --wait until nothing is left on it.

import { type Command, InvalidArgumentError } from 'commander';
import type { BackendReport } from '../../control/admin/ports.ts';
import type { DrainPlan } from '../../control/session/ports.ts';
import { parseDurationMs } from '../../core/units.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { waitUntilEmpty } from '../drain-wait.ts';
import { shortDuration } from '../figures.ts';
import type { CliIo } from '../io.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { table } from '../table.ts';
import { type BackendAnswer, backendPath, left } from '../target.ts';

interface DrainOptions extends AdminOptions {
  readonly deadline?: string;
  readonly wait?: boolean;
  readonly plan?: boolean;
  readonly force?: boolean;
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
      .option('--plan', 'show who would receive what, and change nothing')
      .option('--force', 'also when it is predicted to overload the others')
      .option('--wait', 'return only when nothing is left'),
  ).action(async (target: string, options: DrainOptions) => {
    const path = backendPath(target);
    const client = await adminClient(options, io);
    if (options.plan) {
      const query = options.deadline === undefined ? '' : `?deadline=${encodeURIComponent(options.deadline)}`;
      const { value } = await client.get<{ plan: DrainPlan }>(`${path}/drain-plan${query}`);
      return void io.out.write(options.json ? jsonText(value) : planText(value.plan, io));
    }
    const { etag } = await client.get(path);
    const answer = await client.write<BackendAnswer>({
      method: 'POST',
      path: `${path}/drain`,
      ifMatch: etag,
      body: {
        ...(options.deadline !== undefined && { deadline: options.deadline }),
        ...(options.force && { force: true }),
      },
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

function planText(plan: DrainPlan, io: CliIo): string {
  const { cluster, shares, movable, ending, finishMs, load, objection } = plan;
  const figure = (value: number | null): string => (value === null ? '-' : value.toFixed(2));
  const columns = [
    { title: 'RECEIVES' },
    { title: 'LOAD', right: true },
    { title: 'AFTER', right: true },
    { title: 'SESSIONS', right: true },
  ];
  const rows = shares.map(share => [
    `${cluster}/${share.id}`,
    figure(share.load),
    figure(share.after),
    `${share.sessions}`,
  ]);
  const leftMs = Math.max(0, finishMs - io.clock.wallMs());
  const says = [
    `${cluster}/${plan.backend} has a predicted load of ${figure(load)}; ${movable} connections move, ${ending} end`,
    leftMs < 1_000 ? 'nothing has to be waited for' : `done in ${shortDuration(leftMs)} at the latest`,
    ...(objection === '' ? [] : [`this would be refused: ${objection}; --force does it all the same`]),
  ];
  return (rows.length === 0 ? '' : table(columns, rows, io)) + says.map(line => `${line}\n`).join('');
}

function begun(backend: BackendReport, { clock }: CliIo): string {
  const { inFlight, tunnels, drainUntilMs, sessionsStaying } = backend;
  if (left(backend) === 0 && sessionsStaying === null) return 'nothing is left on it';
  const end =
    drainUntilMs === null ? '' : `, ended in ${shortDuration(drainUntilMs - clock.wallMs())} at the latest`;
  const sessions = sessionsStaying === null ? '' : ', its HTTP sessions leave evenly';
  return `${inFlight} requests and ${tunnels} tunnels left${sessions}${end}`;
}
