// Exit codes of every command, one table: scripts depend on them, `leaseway --help` prints them.

import type { ErrorCode } from './errors.ts';

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  refused: 4,
  configInvalid: 5,
  notFound: 6,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export const EXIT_SAYS: Readonly<Record<ExitCode, string>> = {
  0: 'done',
  1: 'failed',
  2: 'the command was not understood, or there is nothing at the path given',
  3: 'no running leaseway answers',
  4: 'refused: wrong token, state changed meanwhile, or another leaseway runs',
  5: 'the configuration is not valid',
  6: 'no such cluster, backend or connection',
};

const BY_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  UNREACHABLE: EXIT.unreachable,
  UNAUTHORIZED: EXIT.refused,
  FORBIDDEN: EXIT.refused,
  CONFLICT: EXIT.refused,
  ALREADY_RUNNING: EXIT.refused,
  CONFIG_INVALID: EXIT.configInvalid,
  NOT_FOUND: EXIT.notFound,
};

export const exitCodeOf = (code: ErrorCode): ExitCode => BY_CODE[code] ?? EXIT.failed;

export const exitCodeHelp = (): string =>
  ['Exit codes:', ...Object.entries(EXIT_SAYS).map(([code, says]) => `  ${code}  ${says}`)].join('\n');
