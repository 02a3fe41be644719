import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { cpuUs, pacer } from '../../lib/training/pace.ts';

function work(ms: number): void {
  const endUs = cpuUs() + 1000 * ms;
  while (cpuUs() < endUs);
}

t.test('work keeps within its share of a core', async t => {
  const breathe = pacer(0.25);
  const [startMs, startUs] = [performance.now(), cpuUs()];
  for (let i = 0; i < 40; i++) {
    work(3);
    breathe();
  }
  const share = (cpuUs() - startUs) / 1000 / (performance.now() - startMs);
  t.ok(share < 0.3, `${share}`);
});

t.test('all of a core is no pause at all', async t => {
  const breathe = pacer(1);
  const startMs = performance.now();
  for (let i = 0; i < 1000; i++) breathe();
  t.ok(performance.now() - startMs < 1000);
});

t.test('who gives way does it alone', { skip: process.platform !== 'linux' }, async t => {
  const before = getPriority();
  const entry = new URL('../../lib/training/pace.ts', import.meta.url).href;
  const code = `import('${entry}').then(({ giveWay }) => {
    giveWay();
    require('node:worker_threads').parentPort.postMessage(require('node:os').getPriority());
  })`;
  const own = await new Promise(resolve => new Worker(code, { eval: true }).once('message', resolve));
  t.equal(own, 19);
  t.equal(getPriority(), before);
});
