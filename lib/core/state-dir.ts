// Where what must survive a restart is kept: one directory per configuration, ours alone.

import { mkdirSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { LeasewayError } from './errors.ts';
import { hash32 } from './hash.ts';

export interface StateDirRequest {
  /** The folder or file that `run` was given. */
  readonly configPath: string;
  /** `state.dir` of the configuration, which loading has made absolute. */
  readonly configured?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * The path alone, nothing is created. `configPath` is made absolute but links are kept: a deployment that
 * switches a `current` link keeps its state.
 */
export function stateDirOf({ configPath, configured, env }: StateDirRequest): string {
  if (configured !== undefined) return resolve(configured);
  const absolute = resolve(configPath);
  const xdg = env.XDG_STATE_HOME;
  // The XDG specification has relative values ignored.
  const home = xdg !== undefined && isAbsolute(xdg) ? xdg : join(env.HOME || homedir(), '.local', 'state');
  const mark = hash32(absolute).toString(16).padStart(8, '0');
  return join(home, 'leaseway', `${basename(absolute) || 'root'}-${mark}`);
}

/**
 * Creates the directory with mode 0700 where it is missing. One that exists is left as it is (it may be a
 * system's own, such as /var/lib/leaseway), but refused when others may write there: they could plant a token.
 */
export function ensureStateDir(path: string): string {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new LeasewayError('CONFIG_INVALID', `state.dir ${path} cannot be made: choose another`, error);
  }
  const { mode } = statSync(path);
  if (process.platform !== 'win32' && (mode & 0o022) !== 0)
    throw new LeasewayError('CONFIG_INVALID', `state.dir ${path} is writable by others: chmod 700 ${path}`);
  return path;
}
