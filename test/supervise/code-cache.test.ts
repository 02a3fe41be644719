// Compiled code in the state directory: ours alone, bounded, used by threads, and never forced on who has decided otherwise.

import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { keepCode } from '../../lib/supervise/code-cache.ts';
import { MemoryLog } from '../support/memory-log.ts';

const CACHE = 'code-cache';

t.test('a thread that starts again spends less on loading code', async t => {
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env.NODE_COMPILE_CACHE;
  const folder = t.testdir();
  keepCode(folder, env, new MemoryLog());
  t.equal(env.NODE_COMPILE_CACHE, join(folder, CACHE));
  t.equal(statSync(join(folder, CACHE)).mode & 0o777, 0o700);
  const [cold, warm] = [await loadMs(env), await loadMs(env)];
  t.comment(`${cold.toFixed(0)} ms of CPU time, then ${warm.toFixed(0)} ms`);
  t.ok(readdirSync(join(folder, CACHE)).length > 0);
  t.ok(warm < 0.75 * cold);
});

t.test('what somebody else has set stays', async t => {
  for (const set of [{ NODE_COMPILE_CACHE: '/elsewhere' }, { NODE_DISABLE_COMPILE_CACHE: '1' }]) {
    const env: NodeJS.ProcessEnv = { ...set };
    keepCode(t.testdir(), env, new MemoryLog());
    t.same(env, set);
  }
});

t.test('a cache that has grown too large is begun anew', async t => {
  const folder = t.testdir();
  mkdirSync(join(folder, CACHE, 'v1'), { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, CACHE, 'v1', 'entry'), Buffer.alloc(10_000));
  keepCode(folder, {}, new MemoryLog(), 20_000);
  t.same(readdirSync(join(folder, CACHE)), ['v1'], 'not yet');
  keepCode(folder, {}, new MemoryLog(), 9_000);
  t.same(readdirSync(join(folder, CACHE)), []);
});

t.test('a folder that others may write is not run from', async t => {
  const folder = t.testdir();
  mkdirSync(join(folder, CACHE));
  chmodSync(join(folder, CACHE), 0o777);
  const log = new MemoryLog();
  const env: NodeJS.ProcessEnv = {};
  keepCode(folder, env, log);
  t.same(env, {});
  t.equal(log.count('warn', 'compiled code is not kept'), 1);
});

t.test('a file in the place of the folder costs time only', async t => {
  const folder = t.testdir();
  writeFileSync(join(folder, CACHE), 'no folder');
  const log = new MemoryLog();
  const env: NodeJS.ProcessEnv = {};
  keepCode(folder, env, log);
  t.same(env, {});
  t.equal(log.count('warn', 'compiled code is not kept'), 1);
});

/** CPU time of a thread that loads what a worker loads. */
function loadMs(env: NodeJS.ProcessEnv): Promise<number> {
  const plane = new URL('../../lib/data/plane.ts', import.meta.url).href;
  const thread = new Worker(
    `import(${JSON.stringify(plane)}).then(() => {
      const { user, system } = process.threadCpuUsage();
      require('node:module').flushCompileCache();
      require('node:worker_threads').parentPort.postMessage((user + system) / 1000);
    });`,
    { eval: true, env, execArgv: [] },
  );
  return new Promise((resolve, reject) => {
    thread.once('message', resolve);
    thread.once('error', reject);
  });
}
