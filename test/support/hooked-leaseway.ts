// `leaseway` with a hook in each of its threads, for tests that kill one, hang one, or measure one: nothing of it is in the product.
//
// The parent asks over IPC `{ thread, act }`; the answer to `measure` comes the same way. Threads are named `control`, `worker-0`, …

import { BroadcastChannel } from 'node:worker_threads';
import { HOOK_CHANNEL, hookWorkers } from './hook-workers.ts';

/**
 * `terminate`: ended from outside, whatever it does; `fill`: until the heap is full; `hoard`: opens files until there is no descriptor
 * left, `release`: closes them; `later` and `earlier`: the wall clock is set by ten minutes.
 */
export type Act =
  | 'exit'
  | 'throw'
  | 'hang'
  | 'fill'
  | 'measure'
  | 'hoard'
  | 'release'
  | 'later'
  | 'earlier'
  | 'terminate';

export interface HookOrder {
  readonly thread: string;
  readonly act: Act;
}

export interface Measure {
  readonly thread: string;
  readonly heapUsed: number;
  /** Of the whole process. */
  readonly rss: number;
  readonly handles: Readonly<Record<string, number>>;
}

hookWorkers();

const channel = new BroadcastChannel(HOOK_CHANNEL);
channel.unref();
channel.onmessage = message => {
  const { measure } = (message as { data: { measure?: Measure } }).data;
  if (measure !== undefined) process.send?.(measure);
};
process.on('message', (order: HookOrder) => channel.postMessage(order));
process.channel?.unref();

const { main } = await import('../../lib/cli/main.ts');
const { processIo } = await import('../../lib/cli/io.ts');
process.exitCode = await main(process.argv.slice(2), processIo());
channel.close();
