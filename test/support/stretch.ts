// How busy the machine is at this moment, so that a bound in ms can be kept on a machine that others share.

import { Worker } from 'node:worker_threads';

const PAUSE_MS = 50;
/** Says what it has cost so far: the CPU time of its own start. */
const PLAIN = `require('node:worker_threads').parentPort.postMessage(process.threadCpuUsage())`;

/**
 * What `work` resolves with, and by how much plain threads took longer to start meanwhile than they computed: 1 where they had a
 * processor for themselves. A wall time divided by it is about what it would have been there.
 */
export async function stretched<T>(
  work: Promise<T>,
): Promise<{ readonly value: T; readonly stretch: number }> {
  const { signal, abort } = watch(work);
  let wallMs = 0;
  let cpuMs = 0;
  do {
    const startMs = performance.now();
    const cpu = await plainStart();
    wallMs += performance.now() - startMs;
    cpuMs += cpu;
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS));
  } while (!signal.aborted);
  abort();
  return { value: await work, stretch: Math.max(1, wallMs / cpuMs) };
}

function watch(work: Promise<unknown>): { signal: AbortSignal; abort(): void } {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  work.then(abort, abort);
  return { signal: controller.signal, abort };
}

function plainStart(): Promise<number> {
  const thread = new Worker(PLAIN, { eval: true, execArgv: [] });
  return new Promise((resolve, reject) => {
    thread.once('message', ({ user, system }: NodeJS.CpuUsage) => resolve((user + system) / 1000));
    thread.once('error', reject);
  });
}
