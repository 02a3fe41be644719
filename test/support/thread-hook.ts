// Stands in for a thread's entry: listens for orders of the test, then runs the real one.

import { closeSync, openSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BroadcastChannel } from 'node:worker_threads';
import { HOOK_CHANNEL, hookWorkers } from './hook-workers.ts';
import type { HookOrder, Measure } from './hooked-leaseway.ts';

const [entry, name] = process.argv.slice(2) as [string, string];
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const hoarded: number[] = [];
const wallMs = Date.now;
const STEP_MS = 600_000;
let aheadMs = 0;
const channel = new BroadcastChannel(HOOK_CHANNEL);
channel.unref();
channel.onmessage = message => {
  const order = (message as { data: HookOrder }).data;
  if (order.thread !== name) return;
  if (order.act === 'exit') process.exit(7);
  if (order.act === 'hang') for (;;);
  if (order.act === 'fill') fill();
  if (order.act === 'throw')
    setImmediate(() => {
      throw new Error('thrown by the test');
    });
  if (order.act === 'hoard') hoard();
  if (order.act === 'release') for (const fd of hoarded.splice(0)) closeSync(fd);
  if (order.act === 'later') setClock(STEP_MS);
  if (order.act === 'earlier') setClock(-STEP_MS);
  if (order.act === 'measure') channel.postMessage({ measure: measure() });
};

function setClock(byMs: number): void {
  aheadMs += byMs;
  Date.now = () => wallMs() + aheadMs;
}

function hoard(): void {
  try {
    for (;;) hoarded.push(openSync('/dev/null', 'r'));
  } catch {
    // There is none left.
  }
}

/** Until the heap is full, with turns of the loop in between: what comes meanwhile is served. */
function fill(held: number[][] = []): void {
  for (let i = 0; i < 10; i++) held.push(new Array<number>(10_000).fill(i));
  setImmediate(fill, held);
}

function measure(): Measure {
  collect();
  collect();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  const { heapUsed, rss } = process.memoryUsage();
  return { thread: name, heapUsed, rss, handles };
}

// A thread that it starts has the hook as well.
hookWorkers();
await import(entry);
