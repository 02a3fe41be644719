// A command that cannot do what was asked: what happened, what to do, and the exit code.

import { LeasewayError, messageOf } from '../core/errors.ts';
import { EXIT, type ExitCode, exitCodeOf } from '../core/exit-codes.ts';

export class CliFailure extends Error {
  readonly exitCode: ExitCode;

  /** Printed as `leaseway: WHAT: WHAT TO DO`. */
  constructor(exitCode: ExitCode, what: string, todo = '') {
    super(todo === '' ? what : `${what}: ${todo}`);
    this.name = 'CliFailure';
    this.exitCode = exitCode;
  }
}

/** Whatever was thrown, as the line for stderr and the exit code. */
export function failureOf(thrown: unknown): { readonly text: string; readonly exitCode: ExitCode } {
  if (thrown instanceof CliFailure) return { text: thrown.message, exitCode: thrown.exitCode };
  if (thrown instanceof LeasewayError) return { text: thrown.message, exitCode: exitCodeOf(thrown.code) };
  return { text: messageOf(thrown), exitCode: EXIT.failed };
}
