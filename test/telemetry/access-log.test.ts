import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { systemClock } from '../../lib/core/clock.ts';
import type { Log } from '../../lib/core/log.ts';
import { type AccessLogOptions, noAccessLog, openAccessLog } from '../../lib/telemetry/access-log.ts';
import { requestRecord } from '../support/records.ts';
import { until } from '../support/until.ts';

function setUp(destination: string, changes: Partial<AccessLogOptions> = {}) {
  const said: string[] = [];
  const say = (message: string): void => void said.push(message);
  const log: Log = { debug: say, info: say, warn: say, error: say };
  const state = { dropped: 0 };
  const accessLog = openAccessLog({
    destination,
    clock: systemClock,
    log,
    ledger: {
      add(counter, amount) {
        if (counter === 'accessLogDropped') state.dropped += amount;
      },
    },
    ...changes,
  });
  return { accessLog, said, state };
}

const lines = (path: string): string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1) : [];

t.test('one JSON line for each exchange, with every field', async t => {
  const path = join(t.testdir(), 'logs', 'access.log');
  const { accessLog } = setUp(path);
  accessLog.write(requestRecord({ error: 'HEAD_TIMEOUT', detail: 'no answer in 30 s', queuedMs: 1.23456 }));
  await until('a line', () => lines(path).length === 1);
  t.strictSame(JSON.parse(lines(path)[0]!), {
    time: '2023-11-14T22:13:20.000Z',
    client: '192.0.2.10',
    method: 'GET',
    scheme: 'https',
    host: 'example.org',
    path: '/items/7',
    query: 'token=*&page=*',
    version: '1.1',
    status: 200,
    bytes_in: 0,
    bytes_out: 512,
    duration_ms: 12.5,
    first_byte_ms: 11.5,
    queued_ms: 1.235,
    listener: ':8443',
    route: 'items',
    cluster: 'web',
    backend: 'web-1',
    attempts: ['web-1:200:12.1'],
    lease: 'keep',
    error: 'HEAD_TIMEOUT',
    detail: 'no answer in 30 s',
    request_id: 'request-1',
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    user_agent: 'test/1.0',
  });
  t.equal(statSync(path).mode & 0o777 & ~0o640, 0, 'others cannot read it');
  accessLog[Symbol.dispose]();
});

t.test('values of the query stay out unless asked for', async t => {
  const directory = t.testdir();
  for (const [query, policy, expected] of [
    ['?token=secret&page=2', 'names', 'token=*&page=*'],
    ['?eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.payload', 'names', '*'],
    ['?flag&a=b=c', 'names', 'flag&a=*'],
    ['?token=secret', 'off', ''],
    ['?token=secret', 'full', 'token=secret'],
    ['', 'names', ''],
  ] as const) {
    const path = join(directory, `${policy}${query.length}`);
    const { accessLog } = setUp(path, { query: policy });
    accessLog.write(requestRecord({ query }));
    await until('a line', () => lines(path).length === 1);
    t.equal(JSON.parse(lines(path)[0]!).query, expected);
    accessLog[Symbol.dispose]();
  }
});

t.test('nothing a client sends can break a line, forge one, steer a terminal, or fill the disk', async t => {
  const path = join(t.testdir(), 'access.log');
  const { accessLog } = setUp(path);
  const nasty = 'a"b\\c\n{"forged":true}\r\u001b[2J\u0000\u009b31m\u2028\ud800é';
  accessLog.write(requestRecord({ userAgent: nasty, path: nasty, authority: nasty }));
  accessLog.write(requestRecord({ path: `/${'p'.repeat(100_000)}`, userAgent: 'u'.repeat(100_000) }));
  accessLog.write(requestRecord({ firstByteMs: Number.NaN, endMs: Number.POSITIVE_INFINITY }));
  await until('the lines', () => lines(path).length === 3);
  const [first, second, third] = lines(path);
  t.notMatch(first, /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
  t.equal(JSON.parse(first!).user_agent.slice(0, 20), nasty.slice(0, 20));
  t.ok(second!.length < 4_000);
  t.match(JSON.parse(third!), { first_byte_ms: -1, duration_ms: -1 });
  accessLog[Symbol.dispose]();
});

t.test('several writers append to one file without tearing lines', async t => {
  const path = join(t.testdir(), 'access.log');
  const writers = [0, 1, 2, 3].map(() => setUp(path));
  for (let i = 0; i < 1_000; i += 1)
    for (const [at, { accessLog }] of writers.entries())
      accessLog.write(requestRecord({ requestId: `${at}-${i}` }));
  await until('all lines', () => lines(path).length === 4_000);
  const ids = new Set(lines(path).map(line => JSON.parse(line).request_id));
  t.equal(ids.size, 4_000);
  for (const { accessLog, state } of writers) {
    accessLog[Symbol.dispose]();
    t.equal(state.dropped, 0);
  }
});

t.test('after a rotation and reopen new lines go to the new file, and none is lost', async t => {
  const directory = t.testdir();
  const path = join(directory, 'access.log');
  const { accessLog, state } = setUp(path);
  for (let i = 0; i < 100; i += 1) accessLog.write(requestRecord());
  await until('the first hundred', () => lines(path).length === 100);
  renameSync(path, `${path}.1`);
  for (let i = 0; i < 50; i += 1) accessLog.write(requestRecord());
  accessLog.reopen();
  for (let i = 0; i < 100; i += 1) accessLog.write(requestRecord({ requestId: 'new' }));
  await until('the rest', () => lines(path).length + lines(`${path}.1`).length === 250);
  t.ok(lines(`${path}.1`).length >= 100);
  t.ok(lines(path).length >= 100, `${lines(path).length} in the new file`);
  accessLog.reopen();
  accessLog.reopen();
  accessLog.write(requestRecord({ requestId: 'later' }));
  await until('one more', () => lines(path).length + lines(`${path}.1`).length === 251);
  t.equal(state.dropped, 0);
  accessLog[Symbol.dispose]();
});

t.test('a flood beyond the buffer is dropped and counted; every line is written or counted', async t => {
  const path = join(t.testdir(), 'access.log');
  const { accessLog, state, said } = setUp(path, { maxBufferBytes: 64 * 1024 });
  // One turn of the event loop: nothing can be written meanwhile.
  for (let i = 0; i < 20_000; i += 1) accessLog.write(requestRecord());
  accessLog[Symbol.dispose]();
  await until('the rest', () => lines(path).length + state.dropped === 20_000);
  t.ok(state.dropped > 15_000);
  t.same(said, [], 'which is no reason for a message');
});

t.test(
  'a full disk loses lines and nothing else, and is told of once',
  { skip: !existsSync('/dev/full') },
  async t => {
    const directory = t.testdir();
    const path = join(directory, 'access.log');
    symlinkSync('/dev/full', path);
    const { accessLog, state, said } = setUp(path);
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 500; i += 1) accessLog.write(requestRecord());
      await new Promise(resolve => setImmediate(resolve));
    };
    await until('the message', () => {
      void fill();
      return said.length > 0;
    });
    const before = state.dropped;
    await fill();
    t.equal(state.dropped, before + 500, 'while it is full lines are dropped at once');
    t.equal(said.length, 1);
    t.match(said[0], /cannot be written/);
    // Space again: what a rotation does.
    rmSync(path);
    writeFileSync(path, '');
    accessLog.reopen();
    await until('a line in the new file', () => {
      accessLog.write(requestRecord());
      return lines(path).length > 0;
    });
    await until('the good news', () => said.length === 2);
    t.match(said[1], /written again/);
    accessLog[Symbol.dispose]();
  },
);

t.test('a path that cannot be opened is tried again', async t => {
  const directory = t.testdir({ file: 'not a folder' });
  const path = join(directory, 'file', 'access.log');
  const { accessLog, state, said } = setUp(path);
  accessLog.write(requestRecord());
  await until('the message', () => said.length === 1);
  await until('the loss', () => {
    accessLog.write(requestRecord());
    return state.dropped > 0;
  });
  rmSync(join(directory, 'file'));
  mkdirSync(join(directory, 'file'));
  accessLog.reopen();
  await until('a line', () => {
    accessLog.write(requestRecord());
    return lines(path).length > 0;
  });
  accessLog[Symbol.dispose]();
  t.doesNotThrow(() => {
    accessLog.write(requestRecord());
    accessLog.reopen();
    accessLog[Symbol.dispose]();
  }, 'a closed log ignores everything');
});

t.test('standard output is a destination too, and complete at exit', async t => {
  const script = `
    import { openAccessLog } from ${JSON.stringify(new URL('../../lib/telemetry/access-log.ts', import.meta.url).href)};
    import { requestRecord } from ${JSON.stringify(new URL('../support/records.ts', import.meta.url).href)};
    import { systemClock } from ${JSON.stringify(new URL('../../lib/core/clock.ts', import.meta.url).href)};
    import { silentLog } from ${JSON.stringify(new URL('../../lib/core/log.ts', import.meta.url).href)};
    using log = openAccessLog({ destination: 'stdout', clock: systemClock, log: silentLog, ledger: { add() {} } });
    for (let i = 0; i < 300; i += 1) log.write(requestRecord());
    log.reopen();`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const text = Buffer.concat(await child.stdout.toArray()).toString();
  t.equal(text.split('\n').filter(line => line !== '' && JSON.parse(line).status === 200).length, 300);
});

t.test('off is nothing at all', async t => {
  t.equal(setUp('off').accessLog, noAccessLog);
  noAccessLog.write(requestRecord());
  noAccessLog.reopen();
  noAccessLog[Symbol.dispose]();
});
