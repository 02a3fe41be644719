import { spawn } from 'node:child_process';
import t from 'tap';
import { createLog, type LogEntry, type LogOptions } from '../../lib/telemetry/log.ts';
import { FakeClock } from '../support/fake-clock.ts';

function setUp(changes: Partial<LogOptions> = {}) {
  const clock = new FakeClock(Date.UTC(2026, 10, 20, 13, 4, 5, 123));
  const lines: string[] = [];
  const log = createLog({
    level: 'info',
    format: 'text',
    clock,
    write: line => lines.push(line),
    ...changes,
  });
  return { clock, lines, log };
}

t.test('text is for people: time, level, message, key=value', async t => {
  const { lines, log } = setUp();
  log.warn('a backend is down', {
    backend: 'web-1',
    url: 'http://a:1',
    failures: 3,
    since: undefined,
    why: 'no answer',
  });
  log.info('ready', { ok: true, none: null, empty: '' });
  t.same(lines, [
    '13:04:05.123 warn  a backend is down backend=web-1 url=http://a:1 failures=3 why="no answer"',
    '13:04:05.123 info  ready ok=true none=null empty=""',
  ]);
});

t.test('JSON is for machines', async t => {
  const { lines, log } = setUp({ format: 'json' });
  log.error('failed', { reason: 'a "quoted"\nline', code: 7, gone: undefined, none: null });
  t.strictSame(JSON.parse(lines[0]!), {
    time: '2026-11-20T13:04:05.123Z',
    level: 'error',
    message: 'failed',
    reason: 'a "quoted"\nline',
    code: 7,
    none: null,
  });
});

t.test('levels below the configured one are silent', async t => {
  const { lines, log } = setUp({ level: 'warn' });
  log.debug('a');
  log.info('b');
  log.warn('c');
  log.error('d');
  t.equal(lines.length, 2);
  const all = setUp({ level: 'debug' });
  all.log.debug('a');
  t.match(all.lines[0], /debug a$/);
});

t.test('nothing in a value ends the line, steers a terminal or floods', async t => {
  for (const format of ['text', 'json'] as const) {
    const { lines, log } = setUp({ format });
    log.warn('client said\u001b[2J', {
      what: 'x\n13:00:00.000 error forged\u001b[31m\u009b',
      long: 'y'.repeat(100_000),
    });
    t.equal(lines.length, 1);
    t.notMatch(lines[0], /[\u0000-\u001f\u007f-\u009f]/);
    t.ok(lines[0]!.length < 4_000);
  }
});

t.test('a flood of one message is summed up; others are not held back', async t => {
  const { clock, lines, log } = setUp();
  for (let i = 0; i < 542; i += 1) log.warn('connection refused', { port: i });
  log.warn('something else');
  t.equal(lines.length, 11);
  clock.advance(9_999);
  t.equal(lines.length, 11);
  clock.advance(1);
  t.equal(lines.length, 12);
  t.match(lines[11], /warn {2}connection refused … 532 more in 10 s$/);
  log.warn('connection refused');
  t.equal(lines.length, 13, 'a new window');
  clock.advance(60_000);
  t.equal(lines.length, 13, 'no summary without a flood');
  t.equal(clock.pending, 0);
});

t.test('the same text at another level has its own budget', async t => {
  const { lines, log } = setUp();
  for (let i = 0; i < 20; i += 1) {
    log.warn('same');
    log.error('same');
  }
  t.equal(lines.length, 20);
});

t.test('ever new messages share one budget, so that memory is bounded', async t => {
  const { clock, lines, log } = setUp();
  for (let i = 0; i < 100_000; i += 1) log.info(`message ${i}`);
  t.ok(lines.length < 600, String(lines.length));
  t.ok(clock.pending < 600);
  clock.advance(10_000);
  t.match(lines.at(-1), /messages of all kinds … \d+ more in 10 s/);
});

t.test('what is said is heard by the tap as well, what is suppressed is not', async t => {
  const heard: LogEntry[] = [];
  const { log } = setUp({ tap: entry => heard.push(entry) });
  for (let i = 0; i < 20; i += 1) log.warn('again', { i });
  log.debug('not this');
  t.equal(heard.length, 10);
  t.match(heard[0], { level: 'warn', message: 'again', fields: { i: 0 }, timeMs: 1_795_179_845_123 });
});

t.test('by default it is standard error, complete even when the process exits at once', async t => {
  const script = `
    import { createLog } from ${JSON.stringify(new URL('../../lib/telemetry/log.ts', import.meta.url).href)};
    createLog({ level: 'info', format: 'text' }).error('last words');
    process.exit(1);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  t.match(
    Buffer.concat(await child.stderr.toArray()).toString(),
    /^\d\d:\d\d:\d\d\.\d{3} error last words\n$/,
  );
});
