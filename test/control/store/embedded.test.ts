// The embedded store keeps the contract, and what it acknowledged survives kill -9, a full disk and a lost file.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import t from 'tap';
import { openEmbeddedStore } from '../../../lib/control/store/embedded.ts';
import type { LeaseStore } from '../../../lib/control/store/store.ts';
import { storeContract } from '../../contract/store.ts';

const HISTORY = 100;
/** Keeps the test alive while it waits for another's commit, as a proxy's sockets do. */
const poll = (run: () => void): Disposable => {
  const timer = setInterval(run, 5);
  return { [Symbol.dispose]: () => clearInterval(timer) };
};
const open = (path: string, firstRevision = 1_000, history = HISTORY): LeaseStore =>
  openEmbeddedStore({ path, firstRevision, history, poll });

const WRITER = join(import.meta.dirname, '../../support/store-writer-process.ts');

t.test('the contract', async t => {
  storeContract(t, async t => {
    const path = join(t.testdir(), 'store.db');
    return {
      open: async () => open(path),
      // It forgets what is older than its history.
      compact: async store => {
        for (let i = 0; i < 2 * HISTORY; i++) await store.commit([], [{ key: 'filler', value: i }]);
      },
    };
  });
});

t.test('the file is ours alone, and says whose it is', async t => {
  const path = join(t.testdir(), 'store.db');
  const store = open(path);
  await store.commit([], [{ key: 'k', value: 1 }]);
  for (const suffix of ['', '-wal', '-shm']) t.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
  await store[Symbol.asyncDispose]();
  t.equal(readFileSync(path).readUInt32BE(68).toString(16), '6c737779', 'the application id');
});

t.test('a file of another program or version is left as it is', async t => {
  const path = join(t.testdir(), 'other.db');
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE theirs (n INTEGER)');
  other.close();
  t.throws(() => open(path), { code: 'STORE_UNAVAILABLE', message: /another program/ });
  rmSync(path);
  await open(path)[Symbol.asyncDispose]();
  const later = new DatabaseSync(path);
  later.exec('PRAGMA user_version = 99');
  later.close();
  t.throws(() => open(path), { code: 'STORE_UNAVAILABLE', message: /format 99/ });
  writeFileSync(path, 'this is no database, though it is long enough to be looked at as one. '.repeat(20));
  t.throws(() => open(path), { code: 'STORE_UNAVAILABLE', message: /not a database/ });
});

t.test('a lost file begins above all that it may have granted', async t => {
  const path = join(t.testdir(), 'store.db');
  const first = open(path, 1_000);
  const { revision } = await first.commit([], [{ key: 'k', value: 1 }]);
  await first[Symbol.asyncDispose]();
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  const second = open(path, 5_000);
  t.teardown(() => second[Symbol.asyncDispose]());
  t.ok((await second.commit([], [{ key: 'k', value: 1 }])).revision > Math.max(revision, 5_000));
});

t.test('all commits of one turn share a transaction', async t => {
  const path = join(t.testdir(), 'store.db');
  const store = open(path);
  t.teardown(() => store[Symbol.asyncDispose]());
  await store.commit([], [{ key: 'warm', value: 0 }]);
  const timed = async (run: () => Promise<unknown>): Promise<number> => {
    const start = performance.now();
    await run();
    return performance.now() - start;
  };
  const together = await timed(() =>
    Promise.all(Array.from({ length: 500 }, (_, i) => store.commit([], [{ key: `k${i}`, value: i }]))),
  );
  const oneByOne = await timed(async () => {
    for (let i = 0; i < 500; i++) await store.commit([], [{ key: `k${i}`, value: i }]);
  });
  t.comment(`500 commits: ${together.toFixed(1)} ms together, ${oneByOne.toFixed(1)} ms one by one`);
  t.ok(together < oneByOne, 'together is cheaper');
});

t.test('more than it can take is refused, and the rest is written', async t => {
  const path = join(t.testdir(), 'store.db');
  const store = open(path);
  t.teardown(() => store[Symbol.asyncDispose]());
  const commits = Array.from({ length: 10_050 }, (_, i) =>
    store.commit([], [{ key: `k${i % 7}`, value: i }]),
  );
  const settled = await Promise.allSettled(commits);
  const refused = settled.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  t.equal(refused.length, 50);
  t.ok(refused.every(({ reason }) => reason.code === 'STORE_BUSY'));
  t.equal((await store.list('k')).records.length, 7);
});

/** Runs the writer until it has acknowledged `untilAcks` commits, kills it, and answers what it said. */
async function killedWriter(path: string, untilAcks: number): Promise<{ revision: number; n: number }[]> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.split('\n').length > untilAcks) child.kill('SIGKILL');
  });
  await once(child, 'close');
  // The last line may be cut.
  return text
    .split('\n')
    .slice(0, -1)
    .map(line => JSON.parse(line) as { revision: number; n: number });
}

t.test('what was acknowledged survives kill -9, and revisions never fall', async t => {
  const path = join(t.testdir(), 'store.db');
  let highest = 0;
  for (let life = 0; life < 5; life++) {
    const acks = await killedWriter(path, 40 + 37 * life);
    t.ok(acks.length >= 40 + 37 * life - 1, `life ${life}: ${acks.length} commits acknowledged`);
    t.ok(acks[0]!.revision > highest, 'it goes on above the life before');
    const store = open(path);
    const { records, revision } = await store.list('n/');
    highest = revision;
    const last = acks.at(-1)!;
    t.ok(revision >= last.revision, 'no acknowledged revision is lost');
    const stored = new Map(records.map(({ key, value }) => [key, value]));
    const lost = acks.filter(({ n }) => stored.get(`n/${n}`) === undefined);
    t.same(lost, [], 'no acknowledged record is lost');
    await store[Symbol.asyncDispose]();
  }
});

t.test('a full disk refuses commits, loses none, and is got over', async t => {
  const path = join(t.testdir(), 'store.db');
  // The size a file of the child may have stands in for the disk; both fail the write itself. tap's preloads catch SIGXFSZ.
  const child = spawn(
    'bash',
    [
      '-c',
      `trap "" XFSZ; ulimit -f 96; exec env -u NODE_OPTIONS "$0" "$1" "$2" fill`,
      process.execPath,
      WRITER,
      path,
    ],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(child, 'close');
  const lines = text
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { revision?: number; n: number; error?: string; listed?: number });
  const failed = lines.filter(({ error }) => error !== undefined);
  const acked = lines.filter(({ revision }) => revision !== undefined);
  t.ok(failed.length > 0, 'the disk was full');
  t.ok(failed.every(({ error }) => error === 'STORE_UNAVAILABLE'));
  t.equal(lines.at(-1)!.listed, acked.length, 'it still reads');
  const store = open(path);
  t.teardown(() => store[Symbol.asyncDispose]());
  const keys = new Set((await store.list('n/')).records.map(({ key }) => key));
  t.same(
    acked.filter(({ n }) => !keys.has(`n/${n}`)),
    [],
  );
  t.equal((await store.commit([], [{ key: 'after', value: 1 }])).ok, true, 'with room again it goes on');
});
