// `leaseway agent`: runs beside a backend and says how busy its machine is.

import { type Command, InvalidArgumentError } from 'commander';
import { EXIT } from '../../core/exit-codes.ts';
import { parseDurationMs, parseSizeBytes } from '../../core/units.ts';
import { CliFailure } from '../failure.ts';
import { jsonText } from '../json.ts';
import type { CommandContext } from '../main.ts';
import { sleepAwake } from '../sleep-awake.ts';

interface AgentFlags {
  /** host:port or OFF. */
  readonly metrics: string;
  readonly check: string;
  readonly orca: string;
  readonly port: number;
  readonly capacity: number;
  readonly interval: number;
  readonly networkSpeed: number;
  readonly json?: boolean;
}

export const addAgent = (program: Command, { io }: CommandContext): Command =>
  program
    .command('agent')
    .description('run beside a backend and say how busy its machine is')
    .option('--metrics <host:port>', 'page of metrics, or off', place, '127.0.0.1:9465')
    .option('--check <host:port>', 'line for agent_check, or off', place, '127.0.0.1:9466')
    .option('--orca <host:port>', 'gRPC stream for orca_stream, or off', place, '127.0.0.1:9467')
    .option('--port <n>', 'of the backend, to count its connections', whole(1, 65_535), 0)
    .option('--capacity <n>', 'requests at once that the backend can bear', whole(1, 1_000_000), 0)
    .option('--interval <duration>', 'between two readings', interval, 1_000)
    .option('--network-speed <size>', 'bytes a second, where a device does not tell', speed, 0)
    .option('--json', 'print one reading as JSON and end')
    .action(async ({ json, interval: intervalMs, ...flags }: AgentFlags) => {
      if (process.platform !== 'linux')
        throw new CliFailure(EXIT.failed, 'the agent reads /proc, which only Linux has');
      const { Agent, MachineWatch } = await import('../../agent/agent.ts');
      const at = (place: string): string | null => (place === OFF ? null : place);
      const places = { metrics: at(flags.metrics), check: at(flags.check), orca: at(flags.orca) };
      if (!json && Object.values(places).every(one => one === null))
        throw new CliFailure(EXIT.usage, 'nothing to serve', 'leave one of --metrics, --check, --orca on');
      const options = { ...flags, ...places, intervalMs, clock: io.clock, root: '/' };
      if (json) {
        const watch = new MachineWatch(options);
        await sleepAwake(io, intervalMs);
        const { load, capacity } = watch.read();
        return void io.out.write(jsonText({ ...load, capacity: capacity === 0 ? null : capacity }));
      }
      using agent = await Agent.start(options);
      for (const [name, address] of Object.entries(agent.serving)) io.out.write(`${name} on ${address}\n`);
      await new Promise<void>(resolve => {
        process.once('SIGTERM', () => resolve());
        process.once('SIGINT', () => resolve());
      });
    });

/** Commander takes null for an option that was not given. */
const OFF = 'off';

function place(text: string): string {
  if (text === OFF) return text;
  const port = Number(/^(?:\[[0-9a-fA-F:.]+\]|[^:[\]\s]*):(\d{1,5})$/.exec(text)?.[1] ?? Number.NaN);
  if (!(port <= 65_535)) throw new InvalidArgumentError('expected host:port, :port or off');
  return text;
}

const whole =
  (least: number, most: number) =>
  (text: string): number => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`expected ${least} to ${most}`);
    return value;
  };

function interval(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === undefined || ms < 100 || ms > 60_000)
    throw new InvalidArgumentError('expected a duration from 100ms to 1m, such as 1s');
  return ms;
}

function speed(text: string): number {
  const bytes = parseSizeBytes(text);
  if (bytes === undefined || bytes <= 0)
    throw new InvalidArgumentError('expected a size such as 125MB (1 Gbit/s)');
  return bytes;
}
