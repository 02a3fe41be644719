import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import t from 'tap';
import type { LeasewayError } from '../../lib/core/errors.ts';
import { acquireLock, LOCK_FILE, lockHolder, takeOverLock } from '../../lib/core/process-lock.ts';

const script = new URL('../support/lock-contender.ts', import.meta.url).pathname;

/** Started and waiting at the line; `go` lets it try and resolves with what it said. */
async function contender(directory: string, from = '') {
  const child: ChildProcess = spawn(process.execPath, [script, directory, from], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  await lines.next();
  return {
    pid: child.pid!,
    async go(): Promise<string> {
      child.stdin!.write('go\n');
      return String((await lines.next()).value);
    },
    async kill(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const code = (run: () => unknown): string => {
  try {
    run();
    return '';
  } catch (error) {
    return (error as LeasewayError).code;
  }
};

t.test('a second acquire is refused and names the holder; disposing frees', async t => {
  const directory = t.testdir();
  const lock = acquireLock(directory);
  t.equal(lockHolder(directory), process.pid);
  t.equal(readFileSync(join(directory, LOCK_FILE), 'utf8').split('\n')[0], String(process.pid));
  t.throws(() => acquireLock(directory), {
    code: 'ALREADY_RUNNING',
    detail: `process ${process.pid} holds ${directory}`,
  });
  lock[Symbol.dispose]();
  t.equal(lockHolder(directory), undefined);
  t.same(readdirSync(directory), []);
  acquireLock(directory)[Symbol.dispose]();
});

t.test('a missing directory is made', async t => {
  const directory = join(t.testdir(), 'a', 'b');
  using _lock = acquireLock(directory);
  t.ok(existsSync(join(directory, LOCK_FILE)));
});

t.test('a reused process id, another boot and garbage are stale', async t => {
  const identity = { startTicks: '', bootId: '', nonce: 'ab' };
  for (const content of [
    `${process.pid}\n${JSON.stringify({ ...identity, pid: process.pid, startTicks: '1' })}\n`,
    `${process.pid}\n${JSON.stringify({ ...identity, pid: process.pid, bootId: 'another' })}\n`,
    `${process.pid}\n{"pid":`,
    '',
  ]) {
    if (content.includes('startTicks":"1') && process.platform !== 'linux') continue;
    const directory = t.testdir({});
    writeFileSync(join(directory, LOCK_FILE), content);
    using _lock = acquireLock(directory);
    t.equal(lockHolder(directory), process.pid, JSON.stringify(content));
    t.same(readdirSync(directory), [LOCK_FILE]);
  }
});

t.test(
  'of several that start at once exactly one wins; after kill -9 exactly one of the next wins',
  async t => {
    const directory = t.testdir();
    let winner: Awaited<ReturnType<typeof contender>> | undefined;
    for (let round = 0; round < 4; round += 1) {
      const runners = await Promise.all(Array.from({ length: 6 }, () => contender(directory)));
      t.teardown(() => Promise.all(runners.map(runner => runner.kill())));
      await winner?.kill();
      const said = await Promise.all(runners.map(runner => runner.go()));
      const won = runners.filter((_, i) => said[i] === 'won');
      t.equal(won.length, 1, `round ${round}: ${said.join(' | ')}`);
      t.equal(lockHolder(directory), won[0]!.pid);
      winner = won[0]!;
    }
    await winner?.kill();
  },
);

t.test('a claimant that dies half-way is succeeded', async t => {
  const directory = t.testdir();
  const dead = (nonce: string): string =>
    `999999999\n${JSON.stringify({ pid: 999_999_999, startTicks: '', bootId: '', nonce })}\n`;
  writeFileSync(join(directory, LOCK_FILE), dead('a1'));
  writeFileSync(join(directory, `${LOCK_FILE}.after-a1`), dead('b2'));
  writeFileSync(join(directory, `${LOCK_FILE}.after-b2`), dead('c3'));
  writeFileSync(join(directory, `${LOCK_FILE}.999999999-abcd.new`), dead('d4'));
  using _lock = acquireLock(directory);
  t.equal(lockHolder(directory), process.pid);
  t.same(readdirSync(directory), [LOCK_FILE], 'nothing left behind');
});

t.test('a living claimant is waited out by refusing', async t => {
  const directory = t.testdir();
  const other = await contender(t.testdir({ other: {} }));
  t.teardown(() => other.kill());
  writeFileSync(
    join(directory, LOCK_FILE),
    `1\n${JSON.stringify({ pid: 999_999_999, startTicks: '', bootId: '', nonce: 'a1' })}`,
  );
  writeFileSync(
    join(directory, `${LOCK_FILE}.after-a1`),
    `1\n${JSON.stringify({ pid: other.pid, startTicks: '', bootId: '', nonce: 'b2' })}`,
  );
  t.throws(() => acquireLock(directory), {
    code: 'ALREADY_RUNNING',
    detail: `process ${other.pid} holds ${directory}`,
  });
});

t.test('an upgrade hands the lock on while the old process lives', async t => {
  const directory = t.testdir();
  let old = acquireLock(directory);
  old.replaceBy(999_999_999);
  const uninvited = await contender(directory, String(process.pid));
  t.match(await uninvited.go(), /^lost another leaseway holds this state directory: process \d+/);

  for (const named of [true, false]) {
    const heir = await contender(directory, String(process.pid));
    t.teardown(() => heir.kill());
    old.replaceBy(named ? heir.pid : null);
    t.equal(lockHolder(directory), process.pid, 'until the heir takes it');
    t.equal(await heir.go(), 'won');
    t.equal(lockHolder(directory), heir.pid);
    old[Symbol.dispose]();
    old.replaceBy(null);
    t.equal(lockHolder(directory), heir.pid, 'the old one leaves the new one’s file alone');
    if (!named) continue;
    await heir.kill();
    old = acquireLock(directory);
  }
});

t.test('of several that take over from one living process exactly one wins', async t => {
  const directory = t.testdir();
  using _old = acquireLock(directory);
  const runners = await Promise.all(
    Array.from({ length: 4 }, () => contender(directory, String(process.pid))),
  );
  t.teardown(() => Promise.all(runners.map(runner => runner.kill())));
  const said = await Promise.all(runners.map(runner => runner.go()));
  t.equal(said.filter(line => line === 'won').length, 1, said.join(' | '));
});

t.test('a takeover from whoever holds it names whom it replaced', async t => {
  const directory = join(t.testdir(), 'state');
  const first = takeOverLock.any(directory);
  t.equal(first.replacedPid, null);
  first.lock[Symbol.dispose]();
  const holder = await contender(directory);
  t.teardown(() => holder.kill());
  await holder.go();
  const { lock, replacedPid } = takeOverLock.any(directory);
  t.equal(replacedPid, holder.pid);
  t.equal(lockHolder(directory), process.pid);
  lock[Symbol.dispose]();
});

t.test('an heir that never came leaves a lock that can be taken back or replaced', async t => {
  const directory = t.testdir();
  const lock = acquireLock(directory);
  lock.replaceBy(999_999_999);
  lock.replaceBy(null);
  lock[Symbol.dispose]();
  t.notOk(existsSync(join(directory, LOCK_FILE)));
});

t.test('taking over from a holder that died is an ordinary acquire', async t => {
  const directory = t.testdir();
  const holder = await contender(directory);
  t.equal(await holder.go(), 'won');
  t.equal(
    code(() => takeOverLock(directory, 999_999_999)),
    'ALREADY_RUNNING',
    'from somebody who does not hold it',
  );
  await holder.kill();
  using _lock = takeOverLock(directory, holder.pid);
  t.equal(lockHolder(directory), process.pid);
});
