// `leaseway` with a hook in each of its threads, for tests that kill one, hang one, or measure one: nothing of it is in the product.
//
// The parent asks over IPC `{ thread, act }`; the answer to `measure` comes the same way. Threads are named `control`, `worker-0`, …

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { BroadcastChannel, Worker, type WorkerOptions } from 'node:worker_threads';

/** `fill`: until the heap is full; `hoard`: opens files until there is no descriptor left, `release`: closes them. */
export type Act = 'exit' | 'throw' | 'hang' | 'fill' | 'measure' | 'hoard' | 'release';

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

const HOOK = new URL('./thread-hook.ts', import.meta.url);

/** Small enough to be filled within a test. */
const HEAP = { maxOldGenerationSizeMb: 256 };

class HookedWorker extends Worker {
  constructor(entry: URL, options: WorkerOptions) {
    super(HOOK, { ...options, resourceLimits: HEAP, argv: [entry.href, options.name ?? ''] });
  }
}

(createRequire(import.meta.url)('node:worker_threads') as { Worker: unknown }).Worker = HookedWorker;
syncBuiltinESMExports();

const channel = new BroadcastChannel('leaseway-test-hook');
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
