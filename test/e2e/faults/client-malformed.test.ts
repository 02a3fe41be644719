// Malformed, ambiguous and oversized requests through the running program: status, closed connection, log line, nobody else harmed.

import t from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { producedHere } from './codes.ts';
import { Stage } from './stage.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const WEBSOCKET =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const MAX_BODY = 64 * 1024;

/** What is sent; the status and the code in the log. */
const CASES: readonly (readonly [string, string, number, string])[] = [
  [
    'both framings',
    `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
    'BAD_REQUEST',
  ],
  ['two lengths', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400, 'BAD_REQUEST'],
  ['a length with a plus', `${POST}Content-Length: +3\r\n\r\nabc`, 400, 'BAD_REQUEST'],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400, 'BAD_REQUEST'],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400, 'BAD_REQUEST'],
  ['a target that contradicts Host', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
  ['obs-fold', `${GET}X: a\r\n b\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['bare LF everywhere', 'GET / HTTP/1.1\nHost: a\n\n', 400, 'BAD_REQUEST'],
  ['bare LF after a field', `${GET}X: a\nY: b\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['bare CR in a value', `${GET}X: a\rb\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['NUL in a value', `${GET}X: a\0b\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
  ['an encoded NUL in the target', 'GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
  ['an encoded slash', 'GET /a%2Fb HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
  ['a control character in a value', `${GET}X: a\x01b\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['a space before the colon', `${GET}X : a\r\n\r\n`, 400, 'BAD_REQUEST'],
  ['TE xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400, 'BAD_REQUEST'],
  [
    'TE in HTTP/1.0',
    'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'BAD_REQUEST',
  ],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 400, 'BAD_REQUEST'],
  ['bytes of TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400, 'BAD_REQUEST'],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_REFUSED'],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'METHOD_REFUSED'],
  ['a target over the limit', `GET /${'a'.repeat(2000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414, 'URI_TOO_LONG'],
  [
    'a target far over the limit',
    `GET /${'a'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    414,
    'URI_TOO_LONG',
  ],
  ['fields over the limit', `${GET}X: ${'a'.repeat(3000)}\r\n\r\n`, 431, 'HEAD_TOO_LARGE'],
  ['fields far over the limit', `${GET}X: ${'a'.repeat(60_000)}\r\n\r\n`, 431, 'HEAD_TOO_LARGE'],
  ['too many fields', `${GET}${'a: b\r\n'.repeat(21)}\r\n`, 431, 'HEAD_TOO_LARGE'],
  ['a WebSocket with a bad key', `${GET}${WEBSOCKET.replace('dGhl', '')}\r\n`, 400, 'UPGRADE_REFUSED'],
  [
    'an endless chunk extension',
    `${CHUNKED}1;${'a'.repeat(17_000)}\r\na\r\n0\r\n\r\n`,
    413,
    'BODY_TOO_LARGE',
  ],
];

/** These are found out in mid-body: the backend has heard of the request and must not take the part for the whole. */
const IN_THE_BODY: readonly (readonly [string, string])[] = [
  ['a chunk size of letters', `${CHUNKED}x\r\n`],
  ['a chunk size with a space', `${CHUNKED}1 \r\na\r\n0\r\n\r\n`],
  ['a chunk size too large', `${CHUNKED}fffffffffffffffff\r\na`],
  ['a chunk size ended by LF', `${CHUNKED}1\na\r\n0\r\n\r\n`],
  ['chunk data longer than its size', `${CHUNKED}1\r\nab0\r\n\r\n`],
  ['CR in a chunk extension', `${CHUNKED}1;a\rb\r\na\r\n0\r\n\r\n`],
  ['a good chunk before a bad one', `${CHUNKED}1\r\na\r\nzz\r\n`],
  ['Content-Length in a trailer', `${CHUNKED}0\r\nContent-Length: 3\r\n\r\n`],
];

/** Requests whose body the backend has seen to its end, by path. */
const completed: string[] = [];
const seenFields: string[][] = [];
const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  seenFields.push(request.rawHeaders);
  request.on('end', () => {
    completed.push(request.url!);
    response.end('ok');
  });
  request.on('error', () => {});
  request.resume();
});

const stage = await Stage.open({
  config: { limits: { uri_bytes: '1KiB', header_bytes: '2KiB', header_count: 20 } },
  clusters: { app: { backends: [{ id: 'app', url: backend.url }] } },
  routes: [
    { name: 'small', match: { path: '/small' }, cluster: 'app', max_body: MAX_BODY },
    { name: 'closed', match: { path: '/closed' }, cluster: 'app', clients: { allow: ['10.0.0.0/8'] } },
    { name: 'plain', match: { path: '/plain' }, cluster: 'app', websocket: false },
    { name: 'app', match: { hosts: ['a'] }, cluster: 'app' },
  ],
});
stage.keep(backend);
t.teardown(() => stage[Symbol.asyncDispose]());

t.test('every malformed or oversized request gets its status, a closed connection and a line', async t => {
  const came: string[] = [];
  for (const [name, bytes, status] of CASES) {
    const before = completed.length;
    const { answer, address } = await stage.say(
      bytes.replace(/Host: a\r\n/, 'Host: a\r\nConnection: close\r\n'),
    );
    t.equal(statusOf(answer), status, name);
    t.match(answer, /\r\nConnection: close\r\n/i, `${name}: closed`);
    t.equal(answer.split('HTTP/1.1 ').length, 2, `${name}: one answer`);
    t.equal(completed.length, before, `${name}: no backend served it`);
    came.push(address);
  }
  for (const [i, [name, , status, code]] of CASES.entries()) {
    const line = await stage.lineFrom(came[i]!);
    t.match(line, { status, error: code }, `${name}: in the log`);
    t.not(line.detail, '', `${name}: with its reason`);
  }
  stage.steady.unharmed(t);
});

t.test('what turns out malformed in mid-body is cut off at the backend too', async t => {
  const came: string[] = [];
  const before = completed.length;
  for (const [name, bytes] of IN_THE_BODY) {
    const { answer, address } = await stage.say(bytes);
    t.equal(statusOf(answer), 400, name);
    t.equal(answer.split('HTTP/1.1 ').length, 2, `${name}: one answer`);
    came.push(address);
  }
  await stage.quiet('app');
  t.equal(completed.length, before, 'no backend took a part for the whole');
  for (const [i, [name]] of IN_THE_BODY.entries()) {
    await stage.lineFrom(came[i]!);
    const lines = stage.lines().filter(({ client }) => client === came[i]);
    t.match(lines, [{ status: 400, error: 'BAD_REQUEST' }], `${name}: in the log`);
    t.equal(lines.length, 1, `${name}: once`);
  }
  stage.steady.unharmed(t);
});

t.test('malformed requests are counted once each', async t => {
  const before = await stage.count('requestsMalformed');
  for (let i = 0; i < 10; i++) await stage.say('GET / HTTP/1.1\r\n\r\n');
  t.equal((await stage.count('requestsMalformed')) - before, 10);
});

t.test('a body over the limit: by its length at once, by its chunks as soon as it is', async t => {
  const announced = await stage.say(
    `POST /small/length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${MAX_BODY + 1}\r\n\r\n`,
  );
  t.equal(statusOf(announced.answer), 413);
  t.match(announced.answer, /BODY_TOO_LARGE/);
  const caller = await stage.connect();
  caller.send(
    'POST /small/chunks HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n',
  );
  const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
  // Far more than the limit and in large pieces: what comes behind the refusal must not cost the client its answer.
  for (let sent = 0; sent <= MAX_BODY * 3; sent += 8192) caller.send(chunk + chunk);
  t.equal(statusOf(await caller.whole()), 413);
  t.match(await stage.lineOf('/small/chunks'), { status: 413, error: 'BODY_TOO_LARGE' });
  t.match(await stage.lineOf('/small/length'), { status: 413, error: 'BODY_TOO_LARGE', attempts: [] });
  await stage.quiet('app');
  t.notOk(
    completed.some(path => path.startsWith('/small')),
    'the backend never took a part for the whole',
  );
  stage.steady.unharmed(t);
});

t.test('Upgrade: h2c is ignored and not passed on; smuggling fields neither', async t => {
  const { answer } = await stage.say(
    `GET /h2c HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings, X-Secret\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Secret: 1\r\nTE: gzip\r\n\r\n`,
  );
  t.equal(statusOf(answer), 200);
  const names = seenFields
    .at(-1)!
    .filter((_, i) => i % 2 === 0)
    .map(name => name.toLowerCase());
  for (const gone of ['upgrade', 'http2-settings', 'x-secret', 'te'])
    t.notOk(names.includes(gone), `${gone} is not passed on`);
});

t.test('what the routes refuse', async t => {
  for (const [path, more, status, code] of [
    ['/closed', '', 403, 'FORBIDDEN'],
    ['/plain', WEBSOCKET, 400, 'UPGRADE_REFUSED'],
  ] as const) {
    const { answer, address } = await stage.say(
      `GET ${path} HTTP/1.1\r\nHost: a\r\n${more === '' ? 'Connection: close\r\n' : more}\r\n`,
    );
    t.equal(statusOf(answer), status, code);
    t.match(await stage.lineFrom(address), { status, error: code });
  }
  const { answer, address } = await stage.say(
    'GET /x HTTP/1.1\r\nHost: nowhere\r\nConnection: close\r\n\r\n',
  );
  t.equal(statusOf(answer), 404);
  t.match(await stage.lineFrom(address), { status: 404, error: 'NO_ROUTE' });
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
  stage.steady.unharmed(t, 20);
});
