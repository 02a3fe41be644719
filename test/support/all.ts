// Runs every test as `npm test` does: a line a file, then what failed, then one plain line, `N passed, N failed`.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const TAIL_LENGTH = 4_096;
const require = createRequire(import.meta.url);
const tap = join(dirname(require.resolve('tap/package.json')), 'dist/esm/run.mjs');

// CI=true: no figures that change in place, which a log would keep each time.
const child = spawn(process.execPath, [tap, '--reporter=base', ...process.argv.slice(2)], {
  stdio: ['ignore', 'pipe', 'inherit'],
  env: { ...process.env, CI: 'true' },
});
let tail = '';
child.stdout.setEncoding('utf8').on('data', (text: string) => {
  process.stdout.write(text);
  tail = (tail + text).slice(-TAIL_LENGTH);
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));

child.on('close', (code, signal) => {
  const counted = /^# \{ total: .*\}$/m.exec(tail)?.[0] ?? '';
  const count = (kind: string): number => Number(new RegExp(`\\b${kind}: (\\d+)`).exec(counted)?.[1] ?? 0);
  // A test that is left out shows nothing, so it counts as one that fails.
  const failed = count('fail') + count('skip') + count('todo');
  const whole = code === 0 && counted !== '';
  if (signal !== null) console.log(`ended by ${signal}`);
  console.log(`${count('pass')} passed, ${whole ? failed : Math.max(1, failed)} failed`);
  process.exitCode = whole && failed === 0 ? 0 : code || 1;
});
