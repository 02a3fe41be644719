// Backends that take a request and answer it badly: never, half, too late, too early, or with nonsense.

import http2 from 'node:http2';
import type { Socket } from 'node:net';
import t from 'tap';
import { eachHead, goodBackend, rawBackend, streamBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { producedHere } from './codes.ts';
import { Stage } from './stage.ts';

const HEAD_MS = 600;
const IDLE_MS = 600;
const TRY_MS = 300;
const DEADLINE_MS = 500;
const SLACK_MS = 2000;
const HALF = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
const HALF_CHUNK = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';

/** Bytes a backend answers with, by path; what follows them by the last word of the path. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/half-length': HALF,
  '/half-chunks': HALF_CHUNK,
  '/noise': '\x00\x01\x02 not http at all\r\n\r\n',
  '/two-lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
  '/both-framings': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  '/control': 'HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n',
  '/coded': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  '/switching': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  '/endless-head': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`,
  '/bad-chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nzz\r\n',
};
const GARBAGE = [
  '/noise',
  '/two-lengths',
  '/both-framings',
  '/control',
  '/coded',
  '/switching',
  '/endless-head',
];

/** Sockets on which the bad backend holds a request. */
const holding = new Map<string, Socket>();
const bad = await rawBackend(false, socket => {
  eachHead(socket, head => {
    const target = head.split(' ')[1]!;
    const [path, then] = target.split('?') as [string, string?];
    holding.set(target, socket);
    socket.on('close', () => holding.delete(target));
    const bytes = ANSWERS[path];
    if (bytes !== undefined) socket.write(bytes, 'latin1');
    if (then === 'close') socket.end();
    if (then === 'reset') setImmediate(() => socket.resetAndDestroy());
  });
});
const good = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  request.resume();
  request.on('end', () => response.end('good'));
});
/** Answers 413 at once and reads nothing more. */
const early = await rawBackend(false, socket => {
  socket.once('data', () => {
    socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge');
    socket.pause();
  });
});
/** HTTP/2: half an answer, then silence or the end of the stream by its path. */
const halfH2 = await streamBackend(false, (stream, headers) => {
  const path = String(headers[':path']);
  if (path.startsWith('/h2/never')) return;
  stream.respond({ ':status': 200 });
  stream.write('half');
  if (path === '/h2/reset') setImmediate(() => rawReset(stream, http2.constants.NGHTTP2_INTERNAL_ERROR));
  if (path === '/h2/reset-calmly') setImmediate(() => rawReset(stream, http2.constants.NGHTTP2_NO_ERROR));
  if (path.startsWith('/h2/cut')) setImmediate(() => stream.session!.destroy());
});

/** Resets without END_STREAM, whatever the code: `stream.close` would end the stream first. */
function rawReset(stream: http2.ServerHttp2Stream, code: number): void {
  const handle = Object.getOwnPropertySymbols(stream).find(symbol => symbol.description === 'kHandle')!;
  (stream as unknown as Record<symbol, { rstStream(code: number): void }>)[handle]!.rstStream(code);
}

const common = {
  timeouts: { head: `${HEAD_MS}ms`, idle: `${IDLE_MS}ms` },
  outlier: { consecutive_failures: 0 },
  balance: { policy: 'round_robin' },
  retry: { min_per_second: 1000 },
};
const both = [
  { id: 'bad', url: bad.url },
  { id: 'good', url: good.url },
];
const stage = await Stage.open({
  clusters: {
    bad: { ...common, backends: [{ id: 'bad', url: bad.url }] },
    pair: { ...common, backends: both },
    tries: { ...common, backends: both, retry: { min_per_second: 1000, per_try_timeout: `${TRY_MS}ms` } },
    early: { ...common, backends: [{ id: 'early', url: early.url }] },
    h2: { ...common, protocol: 'h2', backends: [{ id: 'h2', url: halfH2.url }] },
  },
  routes: [
    { name: 'pair', match: { path: '/pair' }, cluster: 'pair' },
    { name: 'tries', match: { path: '/tries' }, cluster: 'tries' },
    { name: 'early', match: { path: '/early' }, cluster: 'early' },
    { name: 'h2', match: { path: '/h2' }, cluster: 'h2' },
    { name: 'deadline', match: { path: '/deadline' }, cluster: 'bad', timeout: `${DEADLINE_MS}ms` },
    { name: 'bad', cluster: 'bad' },
  ],
});
stage.keep(bad, good, early, halfH2);
t.teardown(() => stage[Symbol.asyncDispose]());

interface Asked {
  readonly answer: string;
  readonly tookMs: number;
  /** The connection ended by a reset or an answer that lacks its end. */
  readonly broken: boolean;
}

async function ask(target: string, method = 'GET'): Promise<Asked> {
  const since = performance.now();
  const caller = await stage.connect();
  caller.send(`${method} ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  await caller.whole();
  await until('closed', () => caller.closed, 10_000);
  return { answer: caller.text, tookMs: performance.now() - since, broken: caller.error !== null };
}

/** The answer to a GET over HTTP/2: its status, its body, and the code the stream ended with. */
function askH2(
  session: http2.ClientHttp2Session,
  path: string,
): Promise<{ status: unknown; body: string; code: number }> {
  const stream = session.request({ ':path': path });
  let status: unknown = 0;
  let body = '';
  stream.on('response', headers => {
    status = headers[':status'];
  });
  stream.on('data', chunk => {
    body += chunk;
  });
  stream.on('error', () => {});
  return new Promise(resolve =>
    stream.on('close', () => resolve({ status, body, code: stream.rstCode ?? 0 })),
  );
}

t.test('hanging before the head: 504 after timeouts.head, the request let go', async t => {
  for (const method of ['GET', 'POST']) {
    const { answer, tookMs } = await ask(`/hang/${method}`, method);
    t.equal(statusOf(answer), 504, method);
    t.match(answer, /HEAD_TIMEOUT/);
    t.ok(tookMs >= HEAD_MS * 0.9 && tookMs < HEAD_MS + SLACK_MS, `after ${Math.round(tookMs)} ms`);
    t.match(await stage.lineOf(`/hang/${method}`), {
      status: 504,
      error: 'HEAD_TIMEOUT',
      detail: 'backend bad',
      attempts: [/^bad:HEAD_TIMEOUT:/],
    });
    await until('the backend is let go', () => !holding.has(`/hang/${method}`));
  }
  const session = http2.connect(stage.leaseway.url());
  t.equal((await askH2(session, '/h2/never')).status, 504, 'by HTTP/2 on both sides too');
  session.destroy();
  stage.steady.unharmed(t);
});

t.test('a time-out per try leads to another try for what is safe, and to 504 for what is not', async t => {
  let tried = 0;
  for (let i = 0; i < 4; i++) {
    const { answer } = await ask(`/tries/${i}`);
    t.match(answer, /^HTTP\/1.1 200 [\s\S]*good/);
    const { attempts } = await stage.lineOf(`/tries/${i}`);
    if (attempts.length === 2) tried += 1;
  }
  t.ok(tried > 0, `${tried} of 4 went to the one that hangs first`);
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push(statusOf((await ask(`/tries/post/${i}`, 'POST')).answer));
  t.ok(statuses.includes(504) && statuses.includes(200), `POST is tried once: ${statuses}`);
});

t.test('without one a slow backend is not asked twice', async t => {
  const statuses = [];
  for (let i = 0; i < 4; i++) statuses.push(statusOf((await ask(`/pair/${i}`)).answer));
  t.ok(statuses.includes(504) && statuses.includes(200), `${statuses}`);
});

t.test('the deadline of a route ends it whatever the backend does', async t => {
  const { answer, tookMs } = await ask('/deadline/never');
  t.equal(statusOf(answer), 504);
  t.ok(tookMs >= DEADLINE_MS * 0.9 && tookMs < DEADLINE_MS + SLACK_MS);
  t.match(await stage.lineOf('/deadline/never'), { status: 504, error: 'DEADLINE' });
});

t.test('half an answer is never delivered as a whole one', async t => {
  for (const [path, code] of [
    ['/half-length', 'BODY_TIMEOUT'],
    ['/half-chunks', 'BODY_TIMEOUT'],
    ['/half-length?close', 'ANSWER_CUT'],
    ['/half-chunks?close', 'ANSWER_CUT'],
    ['/half-length?reset', 'ANSWER_CUT'],
    ['/half-chunks?reset', 'ANSWER_CUT'],
    ['/bad-chunk', 'BAD_ANSWER'],
  ] as const) {
    const before = stage.lines().length;
    const { answer, broken } = await ask(path);
    // A reset from the backend may overtake its head: then there is nothing to cut and the answer is ours.
    if (path.endsWith('reset') && statusOf(answer) === 502) continue;
    t.equal(statusOf(answer), 200, `${path}: it had begun`);
    t.ok(broken, `${path}: the client’s connection breaks`);
    t.notMatch(answer, /\r\n0\r\n/, `${path}: no last chunk`);
    const bare = path.split('?')[0];
    const line = await stage.leaseway.until(() =>
      stage
        .lines()
        .slice(before)
        .find(one => one.path === bare),
    );
    t.match(line, { status: 200, error: code }, `${path}: in the log`);
  }
  const session = http2.connect(stage.leaseway.url());
  for (const [path, error] of [
    ['/half-length', 'BODY_TIMEOUT'],
    ['/h2/hang', 'BODY_TIMEOUT'],
    ['/h2/reset', 'ANSWER_CUT'],
    ['/h2/reset-calmly', 'ANSWER_CUT'],
    ['/h2/cut', 'ANSWER_CUT'],
  ] as const) {
    const { status, body, code } = await askH2(session, path);
    t.match({ status, body }, { status: 200, body: 'half' }, `${path} by HTTP/2: it had begun`);
    t.not(code, http2.constants.NGHTTP2_NO_ERROR, `${path} by HTTP/2: RST_STREAM`);
    t.ok(
      await stage.line(line => line.path === path && line.error === error),
      `${path} by HTTP/2: ${error} in the log`,
    );
  }
  t.notOk(session.destroyed, 'the connection serves on');
  session.destroy();
  await stage.quiet('bad', 'h2');
  stage.steady.unharmed(t);
});

t.test('garbage for an answer: 502, and nothing of it reaches the client', async t => {
  for (const path of GARBAGE) {
    const { answer } = await ask(path);
    t.equal(statusOf(answer), 502, path);
    t.match(answer, /BAD_ANSWER/, path);
    t.notMatch(answer, /not http|xxxx|gzip|h2c/, `${path}: nothing of it`);
    t.match(await stage.lineOf(path), { status: 502, error: 'BAD_ANSWER' }, `${path}: in the log`);
  }
  stage.steady.unharmed(t);
});

t.test('an answer that comes while the upload goes on is passed on at once', async t => {
  const caller = await stage.connect();
  caller.send(`POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: ${64 * 1024 * 1024}\r\n\r\n`);
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const pump = setInterval(() => {
    if (!caller.socket.destroyed && caller.socket.writableLength < 1024 * 1024) caller.send(chunk);
  }, 5);
  const answer = await caller.until(text => text.endsWith('large'));
  clearInterval(pump);
  t.equal(statusOf(answer), 413);
  caller.socket.destroy();
  t.match(await stage.lineOf('/early'), { status: 413, attempts: [/^early:413:/] });
  await stage.quiet('early');
  stage.steady.unharmed(t, 20);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
