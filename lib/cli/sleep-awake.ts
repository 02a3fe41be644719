// Waiting between two looks at a running leaseway.

import { MessageChannel } from 'node:worker_threads';
import { sleep } from '../core/clock.ts';
import type { CliIo } from './io.ts';

/** The clock's timers do not keep a process alive, and while a command waits nothing else may; an open port does. */
export async function sleepAwake(io: CliIo, ms: number): Promise<void> {
  const { port1 } = new MessageChannel();
  port1.on('message', () => {});
  try {
    await sleep(io.clock, ms);
  } finally {
    port1.close();
  }
}
