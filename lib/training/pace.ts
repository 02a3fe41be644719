// Work that may take its time: no more than a share of a core, and behind everything else that the machine has to do.

import { setPriority } from 'node:os';
import { threadCpuUsage } from 'node:process';

/** Worked on end, so that whoever shares our cores or our quota of them waits no longer. */
const SLICE_US = 10_000;
const LOWEST = 19;

/** On Linux a priority is the thread's own; elsewhere it would be the whole process's. */
export function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(LOWEST);
  } catch {
    // A sandbox may forbid it; the share holds all the same.
  }
}

/** Called between pieces of work, it sleeps for as long as keeps this thread within its share of a core. Blocks: for a thread with nothing else to do. */
export function pacer(share: number): () => void {
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  let workedUs = cpuUs();
  return () => {
    const sliceUs = cpuUs() - workedUs;
    if (sliceUs < SLICE_US) return;
    Atomics.wait(asleep, 0, 0, (sliceUs * (1 / share - 1)) / 1000);
    workedUs = cpuUs();
  };
}

export function cpuUs(): number {
  const { user, system } = threadCpuUsage();
  return user + system;
}
