// What the operating system says about this process, for the metrics.

import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessReading {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** Unix seconds. */
  readonly startTimeSeconds: number;
  /** Only where /proc tells (Linux). */
  readonly openFds?: number;
  readonly maxFds?: number;
  readonly nodeVersion: string;
}

/** Of the whole process, whichever thread asks. */
export function readProcess(startedMs: number): ProcessReading {
  const { user, system } = process.cpuUsage();
  const openFds = attempt(() => readdirSync('/proc/self/fd').length);
  const maxFds = attempt(() => maxOpenFiles(readFileSync('/proc/self/limits', 'utf8')));
  return {
    cpuSeconds: (user + system) / 1e6,
    residentBytes: process.memoryUsage.rss(),
    startTimeSeconds: startedMs / 1000,
    ...(openFds !== undefined && { openFds }),
    ...(maxFds !== undefined && { maxFds }),
    nodeVersion: process.version,
  };
}

/** The soft limit; undefined when it is unlimited. */
function maxOpenFiles(limits: string): number | undefined {
  const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? undefined : Number(soft);
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
