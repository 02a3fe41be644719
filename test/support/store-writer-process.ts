// A process that commits until it is killed, or `fill` until nothing more fits: says each commit it was answered.

import { writeSync } from 'node:fs';
import { openEmbeddedStore } from '../../lib/control/store/embedded.ts';
import type { LeasewayError } from '../../lib/core/errors.ts';

const [path, mode] = process.argv.slice(2);
const store = openEmbeddedStore({
  path: path!,
  firstRevision: 1,
  poll: () => ({ [Symbol.dispose]() {} }),
});
const say = (what: unknown): void => void writeSync(1, `${JSON.stringify(what)}\n`);
const value = 'x'.repeat(mode === 'fill' ? 4_000 : 100);
const { records } = await store.list('n/');
let failures = 0;
for (let n = records.length; failures < 3; n++) {
  try {
    const { revision } = await store.commit([], [{ key: `n/${n}`, value }]);
    say({ n, revision });
  } catch (error) {
    failures += 1;
    say({ n, error: (error as LeasewayError).code });
  }
}
say({ n: -1, listed: (await store.list('n/')).records.length });
await store[Symbol.asyncDispose]();
