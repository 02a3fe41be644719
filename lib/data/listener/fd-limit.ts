// How many sockets this process may hold. Beyond the limit accept() fails and Node closes connections without a word.

import { readFileSync } from 'node:fs';

/** Kept back for files, backends' health checks, the admin API and what else the process opens. */
const RESERVE = 256;

/** Soft limit of open files, or null where the system does not tell (then only the configured bounds hold). */
export function openFilesLimit(
  read: (path: string) => string = path => readFileSync(path, 'latin1'),
): number | null {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(read('/proc/self/limits'))?.[1];
    return soft === undefined || soft === 'unlimited' ? null : Number(soft);
  } catch {
    return null;
  }
}

/** Client connections of one listener in one worker: each may need a second socket to a backend. */
export const connectionBudget = (limit: number | null, workers = 1): number =>
  limit === null ? Number.POSITIVE_INFINITY : Math.max(16, Math.floor((limit - RESERVE) / 2 / workers));
