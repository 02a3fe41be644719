// What a command may touch of the world it runs in: a port, so that commands run in tests as they do in a terminal.

import { type Clock, systemClock } from '../core/clock.ts';

export interface Output {
  write(text: string): unknown;
}

export interface CliIo {
  readonly out: Output;
  readonly err: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** `out` is a terminal: it can be redrawn. */
  readonly terminal: boolean;
  readonly color: boolean;
  /** Width that tables keep to; unlimited when `out` is no terminal, so that nothing is lost in a pipe. */
  readonly columns: number;
}

export function processIo(): CliIo {
  const { stdout, stderr, env } = process;
  const terminal = stdout.isTTY === true;
  return {
    out: stdout,
    err: stderr,
    env,
    clock: systemClock,
    terminal,
    // https://no-color.org: set and not empty.
    color: terminal && !env.NO_COLOR && env.TERM !== 'dumb',
    columns: terminal ? stdout.columns : Number.POSITIVE_INFINITY,
  };
}
