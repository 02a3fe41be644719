import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { systemClock } from '../../lib/core/clock.ts';

t.test('monotonic time is the same in all threads', async t => {
  const url = new URL('../../lib/core/clock.ts', import.meta.url).href;
  const worker = new Worker(
    `import { parentPort } from 'node:worker_threads';
     import { systemClock } from ${JSON.stringify(url)};
     parentPort.on('message', () => parentPort.postMessage(systemClock.monotonicMs()));`,
    { eval: true, execArgv: ['--input-type=module'] },
  );
  for (let i = 0; i < 5; i++) {
    const before = systemClock.monotonicMs();
    worker.postMessage('now?');
    const [there] = (await once(worker, 'message')) as [number];
    const after = systemClock.monotonicMs();
    // The offset of a thread is measured once, between two readings that a busy machine may drive apart by a little.
    t.ok(there >= before - 5 && there <= after + 5, `${there} between ${before} and ${after}`);
  }
  await worker.terminate();
});
