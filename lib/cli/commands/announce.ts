// `leaseway announce`: says that load will come or a backend be slowed, lists what was said, takes it back.

import { type Command, InvalidArgumentError } from 'commander';
import type { EventReport } from '../../control/forecast/ports.ts';
import { EXIT } from '../../core/exit-codes.ts';
import { parseDurationMs } from '../../core/units.ts';
import { type AdminOptions, adminClient, withAdminOptions } from '../admin-options.ts';
import { eventText } from '../event-text.ts';
import { CliFailure } from '../failure.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';

interface AnnounceOptions extends AdminOptions {
  readonly factor?: number;
  readonly in?: string;
  readonly for?: string;
  readonly name?: string;
  readonly list?: boolean;
  readonly cancel?: string;
}

export const addAnnounce = (program: Command, { io }: CommandContext): Command =>
  withAdminOptions(
    program
      .command('announce')
      .description('announce an event, so that load is foreseen before it comes')
      .argument('[cluster/backend]', 'a cluster, or one backend of it')
      .option('--factor <n>', 'load meanwhile, as a multiple of what it would be', factor)
      .option('--in <time>', 'begins so long from now, such as 10s (at once)', duration)
      .option('--for <time>', 'lasts so long (1m)', duration)
      .option('--name <name>', 'events of one name learn from each other (announced)')
      .option('--list', 'show what is known to come')
      .option('--cancel <id>', 'take one back'),
  ).action(async (target: string | undefined, options: AnnounceOptions) => {
    const client = await adminClient(options, io);
    const nowMs = io.clock.wallMs();
    if (options.cancel !== undefined) {
      const path = `/v1/events/${encodeURIComponent(options.cancel)}`;
      const answer = await client.write<object>({ method: 'DELETE', path, ifMatch: '*' });
      io.out.write(options.json ? jsonText(answer) : `${options.cancel} is cancelled\n`);
      return;
    }
    if (options.list) {
      const { value } = await client.get<{ items: readonly EventReport[] }>('/v1/events');
      const lines = value.items.map(event => `${eventText(event, nowMs)}\n`).join('');
      io.out.write(options.json ? jsonText(value) : lines || 'nothing is known to come\n');
      return;
    }
    const { cluster, backend } = subject(target);
    if (options.factor === undefined)
      throw new CliFailure(
        EXIT.usage,
        'how much load is to be expected?',
        'say --factor, such as --factor 4',
      );
    const answer = await client.write<{ event: EventReport }>({
      method: 'POST',
      path: `/v1/clusters/${encodeURIComponent(cluster)}/events`,
      ifMatch: '*',
      body: {
        factor: options.factor,
        ...(options.name !== undefined && { name: options.name }),
        ...(backend !== undefined && { backends: [backend] }),
        ...(options.in !== undefined && { in: options.in }),
        ...(options.for !== undefined && { for: options.for }),
      },
    });
    io.out.write(options.json ? jsonText(answer) : `announced ${eventText(answer.event, nowMs)}\n`);
  });

function subject(target: string | undefined): { readonly cluster: string; readonly backend?: string } {
  const [cluster = '', ...rest] = target?.split('/') ?? [];
  const backend = rest.join('/');
  if (cluster === '' || (rest.length > 0 && backend === ''))
    throw new CliFailure(
      EXIT.usage,
      target === undefined ? 'what is it about?' : `${JSON.stringify(target)} names no cluster or backend`,
      'write CLUSTER or CLUSTER/BACKEND, as leaseway status lists them',
    );
  return rest.length === 0 ? { cluster } : { cluster, backend };
}

function factor(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 50))
    throw new InvalidArgumentError('expected a number from 0 to 50');
  return value;
}

function duration(text: string): string {
  if (parseDurationMs(text) === undefined)
    throw new InvalidArgumentError('expected a duration such as 10s or 5m');
  return text;
}
