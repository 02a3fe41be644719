// Runs every test as `npm test` does: a line a file, then what failed, then one plain line, `N passed, N failed`.
//
// What touches the framing of HTTP/1.1 is run twice, the second time on `http1: node`. LEASEWAY_HTTP1=node runs all of them on it.

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const TAIL_LENGTH = 4_096;
const ON_BOTH = [
  'aborts',
  'apps/large-bodies',
  'apps/server-sent-events',
  'apps/socket-io',
  'apps/two-way',
  'apps/websocket',
  'faults/backend-answer',
  'faults/backend-connect',
  'faults/backend-reuse',
  'faults/client-bounds',
  'faults/client-malformed',
  'faults/client-slow',
  'lifecycle/shutdown',
  'routing',
  'sessions',
].map(name => `test/e2e/${name}.test.ts`);

const require = createRequire(import.meta.url);
const tap = join(dirname(require.resolve('tap/package.json')), 'dist/esm/run.mjs');

interface Counted {
  readonly passed: number;
  readonly failed: number;
  readonly code: number;
}

/** One run of tap, its report passed on. */
function run(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Counted> {
  // CI=true: no figures that change in place, which a log would keep each time.
  const child = spawn(process.execPath, [tap, '--reporter=base', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env, CI: 'true' },
  });
  let tail = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    tail = (tail + text).slice(-TAIL_LENGTH);
  });
  const pass = (signal: NodeJS.Signals): boolean => child.kill(signal);
  process.on('SIGINT', pass).on('SIGTERM', pass);
  return new Promise(resolve => {
    child.on('close', (code, signal) => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      const counted = /^# \{ total: .*\}$/m.exec(tail)?.[0] ?? '';
      const count = (kind: string): number =>
        Number(new RegExp(`\\b${kind}: (\\d+)`).exec(counted)?.[1] ?? 0);
      // A test that is left out shows nothing, so it counts as one that fails.
      const failed = count('fail') + count('skip') + count('todo');
      const whole = code === 0 && counted !== '';
      if (signal !== null) console.log(`ended by ${signal}`);
      resolve({ passed: count('pass'), failed: whole ? failed : Math.max(1, failed), code: code ?? 1 });
    });
  });
}

const chosen = process.argv.slice(2);
const runs = [await run(chosen, {})];
if (chosen.length === 0 && process.env.LEASEWAY_HTTP1 === undefined && runs[0]!.code === 0) {
  console.log('\nonce more on http1: node');
  runs.push(await run(ON_BOTH, { LEASEWAY_HTTP1: 'node' }));
}
const sum = (of: 'passed' | 'failed'): number => runs.reduce((all, one) => all + one[of], 0);
console.log(`${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = runs.find(({ code }) => code !== 0)?.code ?? (sum('failed') === 0 ? 0 : 1);
