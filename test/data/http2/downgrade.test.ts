import t from 'tap';
import {
  Code,
  Flag,
  frame,
  GET,
  goawayOf,
  greeting,
  h2StatusOf,
  headers,
  POST,
  rstOf,
  Type,
} from '../../support/h2-frames.ts';
import { startListener } from '../../support/listener-harness.ts';
import { rawConnect } from '../../support/raw-client.ts';

const without = (name: string): string[] => {
  const kept = [...GET];
  kept.splice(kept.indexOf(name), 2);
  return kept;
};
const changed = (name: string, value: string): string[] => {
  const fields = [...GET];
  fields[fields.indexOf(name) + 1] = value;
  return fields;
};

/** What is sent, and what it gets: a status, or RST_STREAM(PROTOCOL_ERROR). */
const CASES: readonly (readonly [string, readonly string[], number | 'reset' | 'either'])[] = [
  ['CR LF in :path', changed(':path', '/ HTTP/1.1\r\nx: y'), 'either'],
  ['a space in :path', changed(':path', '/a b'), 'either'],
  ['a fragment in :path', changed(':path', '/a#b'), 400],
  ['a high byte in :path', changed(':path', '/\xe9'), 'either'],
  ['an empty :path', changed(':path', ''), 'either'],
  ['a :path without slash', changed(':path', 'a'), 'either'],
  ['a URL as :path', changed(':path', 'http://b/'), 'either'],
  ['* with GET', changed(':path', '*'), 'either'],
  ['a space in :method', changed(':method', 'GET /x'), 'either'],
  ['an empty :method', changed(':method', ''), 'either'],
  ['CR LF in :method', changed(':method', 'GET\r\n'), 'either'],
  ['a space in :authority', changed(':authority', 'a b'), 'either'],
  ['CR LF in :authority', changed(':authority', 'a\r\nx: y'), 'either'],
  ['userinfo in :authority', changed(':authority', 'u@a'), 'either'],
  ['a path in :authority', changed(':authority', 'a/b'), 'either'],
  ['an empty :authority', changed(':authority', ''), 'either'],
  ['a Host other than :authority', [...GET, 'host', 'b'], 400],
  ['two Hosts', [...GET, 'host', 'a', 'host', 'a'], 'either'],
  ['neither :authority nor Host', without(':authority'), 'either'],
  ['no :method', without(':method'), 'reset'],
  ['no :scheme', without(':scheme'), 'reset'],
  ['no :path', without(':path'), 'reset'],
  ['a strange :scheme', changed(':scheme', 'ftp'), 'either'],
  [':method twice', [':method', 'GET', ...GET], 'reset'],
  [':path twice', [':path', '/', ...GET], 'reset'],
  [':authority twice', [':authority', 'b', ...GET], 'reset'],
  ['an unknown pseudo-field', [':x', 'y', ...GET], 'reset'],
  ['a pseudo-field of an answer', [':status', '200', ...GET], 'reset'],
  ['a pseudo-field behind a field', ['x', 'y', ...GET], 'reset'],
  ['an upper-case name', [...GET, 'X-Upper', 'y'], 'reset'],
  ['Connection', [...GET, 'connection', 'close'], 'reset'],
  ['Keep-Alive', [...GET, 'keep-alive', '1'], 'reset'],
  ['Proxy-Connection', [...GET, 'proxy-connection', 'close'], 'reset'],
  ['Transfer-Encoding', [...GET, 'transfer-encoding', 'chunked'], 'reset'],
  ['Upgrade', [...GET, 'upgrade', 'h2c'], 'reset'],
  ['TE gzip', [...GET, 'te', 'gzip'], 'either'],
  ['a length of letters', [...POST, 'content-length', 'x'], 'either'],
  ['a length with a plus', [...POST, 'content-length', '+0'], 'either'],
  ['two lengths', [...POST, 'content-length', '0', 'content-length', '0'], 'either'],
  ['a length without body', [...POST, 'content-length', '5'], 'either'],
  ['CONNECT', [':method', 'CONNECT', ':authority', 'a:1'], 405],
  ['TRACE', changed(':method', 'TRACE'), 405],
  ['an unknown :protocol', [':method', 'CONNECT', ':protocol', 'x', ...GET.slice(2)], 400],
  [':protocol without CONNECT', [':protocol', 'websocket', ...GET], 'either'],
  ['an unknown expectation', [...GET, 'expect', 'x'], 417],
  ['a :path over the limit', changed(':path', `/${'a'.repeat(9000)}`), 414],
  ['fields over the limit', [...GET, 'x', 'a'.repeat(15_000), 'y', 'a'.repeat(9000)], 431],
  ['too many fields', [...GET, ...Array.from({ length: 101 }, () => ['a', 'b']).flat()], 431],
];

/** Splits a block over HEADERS and CONTINUATION as frames of 16 KiB need it. */
function split(stream: number, fields: readonly string[]): Buffer {
  const whole = headers(stream, fields).subarray(9);
  if (whole.length <= 16_384) return headers(stream, fields);
  const parts = [frame(Type.headers, Flag.endStream, stream, whole.subarray(0, 16_384))];
  parts.push(frame(Type.continuation, Flag.endHeaders, stream, whole.subarray(16_384)));
  return Buffer.concat(parts);
}

t.test('what must not be passed on as HTTP/1.1 is refused, and the connection goes on', async t => {
  const harness = await startListener(t);
  const client = await rawConnect(harness.port);
  client.send(greeting);
  let stream = 1;
  for (const [name, fields, expected] of CASES) {
    const seen = harness.exchanges.length;
    client.send(split(stream, fields));
    await client.until(() => rstOf(client, stream) !== -1 || h2StatusOf(client, stream) !== 0);
    const reset = rstOf(client, stream);
    const status = h2StatusOf(client, stream);
    if (expected === 'reset') t.equal(reset, Code.protocol, name);
    else if (expected === 'either')
      t.ok(reset === Code.protocol || status === 400, `${name}: ${reset} ${status}`);
    else t.equal(status, expected, name);
    t.equal(harness.exchanges.length, seen, `${name}: never a request`);
    stream += 2;
  }
  client.send(headers(stream, GET));
  await client.until(() => h2StatusOf(client, stream) === 200);
  client.socket.destroy();
});

t.test('a field that is no field is dropped, and nothing of it is passed on', async t => {
  const harness = await startListener(t);
  const client = await rawConnect(harness.port);
  client.send(greeting);
  const bad = [
    'x',
    'a\r\nb: c',
    'x',
    'a\nb',
    'x',
    'a\0b',
    'x y',
    'z',
    'x:y',
    'z',
    'x\r\ny',
    'z',
    '',
    'z',
    'x',
    ' padded ',
  ];
  for (let i = 0; i < bad.length; i += 2) {
    client.send(headers(i + 1, [...GET, bad[i]!, bad[i + 1]!, 'good', 'yes']));
    const { incoming } = await harness.next();
    t.strictSame(incoming.head.fields, ['good', 'yes'], JSON.stringify(bad[i + 1]));
  }
  client.socket.destroy();
});

t.test('a body that is not as long as Content-Length says is never complete', async t => {
  for (const [name, bytes] of [
    ['shorter', 3],
    ['longer', 8],
  ] as const) {
    const harness = await startListener(t);
    harness.serve = () => {};
    const client = await rawConnect(harness.port);
    client.send(greeting);
    client.send(headers(1, [...POST, 'content-length', '5'], 0));
    const { sink } = await harness.next();
    client.send(frame(Type.data, Flag.endStream, 1, Buffer.alloc(bytes)));
    await client.until(() => rstOf(client, 1) === Code.protocol || goawayOf(client) > 0);
    await sink.until('gone');
    t.notOk(sink.events.includes('end'), name);
    client.socket.destroy();
  }
});

t.test('crumbs of a cookie become one field', async t => {
  const harness = await startListener(t);
  const client = await rawConnect(harness.port);
  client.send(greeting);
  client.send(headers(1, [...GET, 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'te', 'trailers']));
  const { incoming } = await harness.next();
  t.strictSame(incoming.head.fields, ['cookie', 'a=1; b=2', 'x', 'y', 'te', 'trailers']);
  client.socket.destroy();
});

t.test('Host alone stands for :authority, and may repeat it', async t => {
  const harness = await startListener(t);
  const client = await rawConnect(harness.port);
  client.send(greeting);
  client.send(headers(1, [...without(':authority'), 'host', 'only.example']));
  t.equal((await harness.next()).incoming.head.authority, 'only.example');
  client.send(headers(3, [...GET, 'host', 'A']));
  t.equal((await harness.next()).incoming.head.authority, 'a');
  client.socket.destroy();
});
