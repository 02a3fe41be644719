// Clients that are slow, stop, leave or vanish: a status or a close in time, the backend told, nothing left behind.

import http2 from 'node:http2';
import t from 'tap';
import { type AnyResponse, goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { producedHere } from './codes.ts';
import { Stage } from './stage.ts';

/** The steady client is bound by it too: this process must not keep it from sending for as long, however busy the machine. */
const HEAD_MS = 2000;
const BODY_MS = 500;
const WRITE_MS = 700;
/** Time-outs are looked at four times within the shortest; the machine may be busy. */
const SLACK_MS = 2500;

/** Requests the backend saw begin, and how each ended: `whole` or `aborted`. */
const begun = new Map<string, number>();
const ended = new Map<string, string>();
const PIECE = Buffer.alloc(64 * 1024, 'x');

function flood(response: AnyResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write(PIECE));
  };
  response.on('drain', more);
  more();
}

const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  const path = request.url!;
  begun.set(path, (begun.get(path) ?? 0) + 1);
  request.on('error', () => {});
  response.on('error', () => {});
  response.on('close', () => ended.set(path, response.writableFinished ? 'whole' : 'aborted'));
  request.resume();
  if (path.startsWith('/flood')) flood(response);
  else if (path.startsWith('/never')) return;
  else request.on('end', () => response.end('ok'));
});

const stage = await Stage.open({
  config: {
    limits: {
      head_timeout: `${HEAD_MS}ms`,
      body_idle_timeout: `${BODY_MS}ms`,
      write_idle_timeout: `${WRITE_MS}ms`,
    },
  },
  clusters: { app: { backends: [{ id: 'app', url: backend.url }] } },
  routes: [{ cluster: 'app' }],
});
stage.keep(backend);
t.teardown(() => stage[Symbol.asyncDispose]());

const untilEnded = (path: string): Promise<void> => until(`${path} ends`, () => ended.has(path), 10_000);

t.test('a head that does not arrive in time: 408', async t => {
  const since = performance.now();
  const caller = await stage.connect();
  caller.send('GET /slow-head HTTP/1.1\r\nHost: a\r\n');
  const answer = await caller.whole();
  const tookMs = performance.now() - since;
  t.equal(statusOf(answer), 408);
  t.match(answer, /REQUEST_TIMEOUT/);
  t.ok(tookMs >= HEAD_MS * 0.9 && tookMs < HEAD_MS + SLACK_MS, `after ${Math.round(tookMs)} ms`);
  t.match(await stage.lineFrom(caller.address), { status: 408, error: 'REQUEST_TIMEOUT', detail: /head/ });
});

t.test('a head that comes byte by byte gains nothing by it', async t => {
  const since = performance.now();
  const caller = await stage.connect();
  const drip = setInterval(() => caller.send('x'), 50);
  caller.send('GET /drip HTTP/1.1\r\nHost: a\r\nX: ');
  const answer = await caller.whole();
  clearInterval(drip);
  t.equal(statusOf(answer), 408);
  t.ok(performance.now() - since < HEAD_MS + SLACK_MS);
});

t.test('a body that stops: 408, and the backend’s request is aborted', async t => {
  for (const [path, framing] of [
    ['/slow-length', 'Content-Length: 10'],
    ['/slow-chunks', 'Transfer-Encoding: chunked'],
  ] as const) {
    const caller = await stage.connect();
    caller.send(
      `POST ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${path === '/slow-chunks' ? '1\r\na\r\n' : 'a'}`,
    );
    t.equal(statusOf(await caller.whole()), 408, path);
    await untilEnded(path);
    t.equal(ended.get(path), 'aborted', `${path}: the backend did not take the part for the whole`);
    const line = await stage.lineOf(path);
    t.match(line, { status: 408, error: 'REQUEST_TIMEOUT', detail: /body/ });
  }
  await stage.quiet('app');
  const { failures } = await stage.backend('app', 'app');
  t.equal(failures, 0, 'slow clients are not counted against the backend');
});

t.test('a body that stops on HTTP/2 ends that stream only', async t => {
  const session = http2.connect(stage.leaseway.url());
  const slow = session.request({ ':method': 'POST', ':path': '/slow-h2' });
  slow.on('error', () => {});
  slow.write('a');
  const status = await new Promise(resolve => slow.on('response', headers => resolve(headers[':status'])));
  t.equal(status, 408);
  const fine = session.request({ ':path': '/fine-h2' });
  t.equal(await new Promise(resolve => fine.on('response', headers => resolve(headers[':status']))), 200);
  await untilEnded('/slow-h2');
  t.equal(ended.get('/slow-h2'), 'aborted');
  session.destroy();
});

t.test('a reader that takes nothing is closed, and the backend’s answer stopped', async t => {
  const caller = await stage.connect();
  caller.socket.pause();
  caller.send('GET /flood/unread HTTP/1.1\r\nHost: a\r\n\r\n');
  await untilEnded('/flood/unread');
  t.equal(ended.get('/flood/unread'), 'aborted');
  t.match(await stage.lineOf('/flood/unread'), { status: 200, error: 'CLIENT_GONE', detail: /took nothing/ });
  caller.socket.destroy();
});

t.test('a reader that is slow but reads is served: backpressure, no cut', async t => {
  const caller = await stage.connect();
  caller.send('GET /flood/slow HTTP/1.1\r\nHost: a\r\n\r\n');
  const end = performance.now() + WRITE_MS * 3;
  // Reads for a moment, rests for a moment, over several write time-outs.
  const rest = setInterval(() => {
    if (caller.socket.isPaused()) caller.socket.resume();
    else caller.socket.pause();
  }, WRITE_MS / 10);
  await until('three time-outs', () => performance.now() > end, 10_000);
  clearInterval(rest);
  t.notOk(caller.closed, 'still served');
  t.notOk(ended.has('/flood/slow'));
  caller.socket.destroy();
  await untilEnded('/flood/slow');
});

t.test('a client that leaves while the backend works: the backend sees the abort', async t => {
  const caller = await stage.connect();
  caller.send('GET /never/left HTTP/1.1\r\nHost: a\r\n\r\n');
  await until('the backend has it', () => begun.has('/never/left'));
  caller.socket.destroy();
  await untilEnded('/never/left');
  t.match(await stage.lineOf('/never/left'), {
    status: 499,
    error: 'CLIENT_GONE',
    attempts: [/^app:CLIENT_GONE:/],
  });
});

t.test(
  'a client that leaves in mid-request and in mid-answer, by FIN, by reset and by RST_STREAM',
  async t => {
    const request = await stage.connect();
    request.send('POST /upload/left HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc');
    await until('the backend has it', () => begun.has('/upload/left'));
    request.socket.resetAndDestroy();
    const answer = await stage.connect();
    answer.send('GET /flood/left HTTP/1.1\r\nHost: a\r\n\r\n');
    await answer.until(text => text.length > 100_000);
    answer.socket.destroy();
    const session = http2.connect(stage.leaseway.url());
    const stream = session.request({ ':path': '/flood/reset' });
    stream.on('error', () => {});
    await new Promise(resolve => stream.once('data', resolve));
    stream.close(http2.constants.NGHTTP2_CANCEL);
    for (const path of ['/upload/left', '/flood/left', '/flood/reset']) {
      await untilEnded(path);
      t.equal(ended.get(path), 'aborted', path);
      t.match(await stage.lineOf(path), { error: 'CLIENT_GONE' });
    }
    session.destroy();
  },
);

// A client that closes its socket and one that only says it will send no more look the same until an answer is written.
// As with nginx and Envoy it counts as gone: an upstream request that nobody waits for is worth more than a half-close.
t.test('a half-open client is a client that left: no request and no connection outlives it', async t => {
  for (const [path, bytes] of [
    ['/never/half', 'GET /never/half HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['/half-body', 'POST /half-body HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc'],
  ] as const) {
    const caller = await stage.connect();
    caller.send(bytes);
    await until('the backend has it', () => begun.has(path));
    caller.socket.end();
    await caller.whole();
    await untilEnded(path);
    t.equal(ended.get(path), 'aborted', path);
    t.match(await stage.lineOf(path), { status: 499, error: 'CLIENT_GONE' });
  }
  const idle = await stage.connect();
  idle.send('GET /idle HTTP/1.1\r\nHost: a\r\n\r\n');
  await idle.until(text => text.endsWith('ok'));
  idle.socket.end();
  await idle.whole();
  t.equal(statusOf(idle.text), 200, 'an idle connection that is half closed is closed');
});

t.test('a hundred clients that leave at any moment leave nothing behind', async t => {
  for (let round = 0; round < 5; round++) {
    const callers = await Promise.all(Array.from({ length: 20 }, () => stage.connect()));
    for (const [i, caller] of callers.entries()) {
      const path = i % 2 === 0 ? '/flood/crowd' : '/never/crowd';
      caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }
    await new Promise(resolve => setImmediate(resolve));
    for (const [i, caller] of callers.entries()) {
      if (i % 3 === 0) caller.socket.resetAndDestroy();
      else caller.socket.destroy();
    }
  }
  await stage.quiet('app');
  await stage.leaseway.until(async () => (await stage.count('connections')) <= 6);
  // The steady client's own request may be under way at any single look.
  await stage.leaseway.until(async () => (await stage.backend('app', 'app')).inFlight === 0);
  await until('the backend holds only idle connections', () => backend.sockets.size <= 6, 10_000);
  stage.steady.unharmed(t, 20);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
