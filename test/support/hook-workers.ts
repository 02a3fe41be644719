// Puts the hook into every thread that this thread starts from now on, and ends those that a test wants ended from outside.

import { createRequire, syncBuiltinESMExports } from 'node:module';
import { BroadcastChannel, Worker, type WorkerOptions } from 'node:worker_threads';
import type { HookOrder } from './hooked-leaseway.ts';

const HOOK = new URL('./thread-hook.ts', import.meta.url);

/** Small enough to be filled within a test. */
const HEAP = { maxOldGenerationSizeMb: 256 };

export const HOOK_CHANNEL = 'leaseway-test-hook';

class HookedWorker extends Worker {
  constructor(entry: URL, options: WorkerOptions) {
    super(HOOK, { ...options, resourceLimits: HEAP, argv: [entry.href, options.name ?? ''] });
    const channel = new BroadcastChannel(HOOK_CHANNEL);
    channel.unref();
    channel.onmessage = message => {
      const { thread, act } = (message as { data: HookOrder }).data;
      if (thread === options.name && act === 'terminate') void this.terminate();
    };
    this.on('exit', () => channel.close());
  }
}

export function hookWorkers(): void {
  (createRequire(import.meta.url)('node:worker_threads') as { Worker: unknown }).Worker = HookedWorker;
  syncBuiltinESMExports();
}
