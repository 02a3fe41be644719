// Compiled code kept between threads and processes: what starts again does not compile the same modules again.

import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { ensureStateDir } from '../core/state-dir.ts';

const FOLDER = 'code-cache';
/** One version of leaseway on one Node needs about 3 MB; versions at other paths come beside it, and none goes by itself. */
const MOST_BYTES = 32 * 1024 * 1024;

/**
 * Makes the threads and the successor that start from now on use Node's compile cache, in the state directory: what lies there is run as
 * code, so it must be ours alone. Whoever has set (or forbidden) a cache by Node's own variables keeps it. Node checks each entry
 * against the module's text and keeps those of its versions apart; a cache that cannot be used costs time only.
 */
export function keepCode(stateDir: string, env: NodeJS.ProcessEnv, log: Log, mostBytes = MOST_BYTES): void {
  const directory = join(stateDir, FOLDER);
  if (env.NODE_DISABLE_COMPILE_CACHE !== undefined) return;
  if (env.NODE_COMPILE_CACHE !== undefined && env.NODE_COMPILE_CACHE !== directory) return;
  try {
    if (bytesIn(directory) > mostBytes) rmSync(directory, { recursive: true, force: true });
    env.NODE_COMPILE_CACHE = ensureStateDir(directory);
  } catch (error) {
    log.warn('compiled code is not kept: starting again takes longer', {
      directory,
      reason: messageOf(error),
    });
  }
}

/** 0 where there is none; an entry that goes meanwhile does not count. */
function bytesIn(directory: string): number {
  let bytes = 0;
  for (const path of entries(directory))
    bytes += statSync(join(directory, path), { throwIfNoEntry: false })?.size ?? 0;
  return bytes;
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
