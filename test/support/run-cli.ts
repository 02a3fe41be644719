// Runs `leaseway` as a person does: a process of its own, its output collected.

import { spawn } from 'node:child_process';
import { join } from 'node:path';

const BIN = join(import.meta.dirname, '../../bin/leaseway.ts');

export interface CliResult {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface CliRun {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Sees the output as it grows. */
  readonly onOut?: (out: string, kill: () => void) => void;
}

/** Without LEASEWAY_* of the surrounding environment. */
export function runCli(args: readonly string[], { env = {}, cwd, onOut }: CliRun = {}): Promise<CliResult> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(LEASEWAY_|NO_COLOR|TAP)/.test(name));
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { ...Object.fromEntries(inherited), ...env },
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', chunk => {
    out += chunk;
    onOut?.(out, () => child.kill());
  });
  child.stderr.setEncoding('utf8').on('data', chunk => {
    err += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', code => resolve({ code, out, err }));
  });
}
