// The memory of another process while something goes on: its resident set, as the kernel counts it.

import { readFileSync } from 'node:fs';

const EVERY_MS = 25;
const MIB = 1 << 20;

/** MiB now. Linux only. */
export function residentMiB(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Math.round((Number(kib) * 1024) / MIB);
}

/** Runs `work` and says how high the process went. */
export async function peakMiB(pid: number, work: () => Promise<void>): Promise<number> {
  let peak = residentMiB(pid);
  const timer = setInterval(() => {
    peak = Math.max(peak, residentMiB(pid));
  }, EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
  return Math.max(peak, residentMiB(pid));
}
