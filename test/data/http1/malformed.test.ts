import t from 'tap';
import { startListener } from '../../support/listener-harness.ts';
import { rawConnect, statusOf } from '../../support/raw-client.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const WS = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';

/** What is sent, and the status it must get before the connection closes. */
const CASES: readonly (readonly [string, string, number])[] = [
  ['both framings', `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  [
    'both framings, the other way',
    `${POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['the same length twice', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`, 400],
  ['two lengths', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`, 400],
  ['a list of lengths', `${POST}Content-Length: 3, 3\r\n\r\nabc`, 400],
  ['a length with a plus', `${POST}Content-Length: +3\r\n\r\nabc`, 400],
  ['a negative length', `${POST}Content-Length: -3\r\n\r\nabc`, 400],
  ['a hexadecimal length', `${POST}Content-Length: 0x3\r\n\r\nabc`, 400],
  ['an empty length', `${POST}Content-Length: \r\n\r\n`, 400],
  ['a length with leading zeros', `${POST}Content-Length: 003\r\n\r\nabc`, 400],
  ['a length over 2^64', `${POST}Content-Length: 99999999999999999999\r\n\r\n`, 400],
  ['a length over 2^53', `${POST}Content-Length: 9007199254740993\r\n\r\n`, 400],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['the same Host twice', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n', 400],
  ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n', 400],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n', 400],
  ['two names in one Host', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n', 400],
  ['a Host with a bad port', 'GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n', 400],
  ['an empty Host in HTTP/1.0', 'GET / HTTP/1.0\r\nHost:\r\n\r\n', 400],
  ['obs-fold with a space', `${GET}X: a\r\n b\r\n\r\n`, 400],
  ['obs-fold with a tab', `${GET}X: a\r\n\tb\r\n\r\n`, 400],
  ['obs-fold before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n', 400],
  ['obs-fold of an empty value', `${GET}X:\r\n b\r\n\r\n`, 400],
  ['bare LF everywhere', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n', 400],
  ['bare LF after a field', `${GET}X: a\nY: b\r\n\r\n`, 400],
  ['bare LF at the end of the head', `${GET}X: a\r\n\n`, 400],
  ['bare CR in a value', `${GET}X: a\rb\r\n\r\n`, 400],
  ['CR CR LF', `${GET}X: a\r\r\n\r\n`, 400],
  ['bare CR after the request line', 'GET / HTTP/1.1\rHost: a\r\n\r\n', 400],
  ['bare CR in the target', 'GET /a\rb HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['NUL in a name', `${GET}X\0: a\r\n\r\n`, 400],
  ['NUL in a value', `${GET}X: a\0b\r\n\r\n`, 400],
  ['NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a control character in a value', `${GET}X: a\x01b\r\n\r\n`, 400],
  ['DEL in a value', `${GET}X: a\x7fb\r\n\r\n`, 400],
  ['a control character in the target', 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a high byte in the target', 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space in the target', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a fragment in the target', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space before the colon', `${GET}X : a\r\n\r\n`, 400],
  ['a tab before the colon', `${GET}X\t: a\r\n\r\n`, 400],
  ['a field without colon', `${GET}X\r\n\r\n`, 400],
  ['a field without name', `${GET}: a\r\n\r\n`, 400],
  ['a space in a name', `${GET}X Y: a\r\n\r\n`, 400],
  ['a high byte in a name', `${GET}X\xe9: a\r\n\r\n`, 400],
  ['TE identity', `${POST}Transfer-Encoding: identity\r\n\r\n`, 400],
  ['TE gzip, chunked', `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, 400],
  ['TE chunked, gzip', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, 400],
  ['TE twice', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
  ['TE xchunked', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
  ['TE in quotes', `${POST}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`, 400],
  ['TE with a leading comma', `${POST}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`, 400],
  ['TE with a vertical tab', `${POST}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`, 400],
  ['TE in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
  ['a chunk size of letters', `${CHUNKED}x\r\n`, 400],
  ['a negative chunk size', `${CHUNKED}-1\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size with 0x', `${CHUNKED}0x1\r\na\r\n0\r\n\r\n`, 400],
  ['a chunk size with a space', `${CHUNKED}1 \r\na\r\n0\r\n\r\n`, 400],
  ['an empty chunk size', `${CHUNKED}\r\na\r\n`, 400],
  ['a chunk size too large', `${CHUNKED}fffffffffffffffff\r\na`, 400],
  ['a chunk size ended by LF', `${CHUNKED}1\na\r\n0\r\n\r\n`, 400],
  ['chunk data ended by LF', `${CHUNKED}1\r\na\n0\r\n\r\n`, 400],
  ['chunk data longer than its size', `${CHUNKED}1\r\nab0\r\n\r\n`, 400],
  ['LF in a chunk extension', `${CHUNKED}1;a\nb\r\na\r\n0\r\n\r\n`, 400],
  ['CR in a chunk extension', `${CHUNKED}1;a\rb\r\na\r\n0\r\n\r\n`, 400],
  ['a control character in a chunk extension', `${CHUNKED}1;\x01\r\na\r\n0\r\n\r\n`, 400],
  ['an endless chunk extension', `${CHUNKED}1;${'a'.repeat(17_000)}\r\na\r\n0\r\n\r\n`, 413],
  ['Content-Length in a trailer', `${CHUNKED}0\r\nContent-Length: 3\r\n\r\n`, 400],
  ['obs-fold in a trailer', `${CHUNKED}0\r\nX: y\r\n z\r\n\r\n`, 400],
  ['HTTP/0.9 without version', 'GET /\r\n\r\n', 400],
  ['HTTP/0.9', 'GET / HTTP/0.9\r\nHost: a\r\n\r\n', 400],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\nHost: a\r\n\r\n', 400],
  ['HTTP/2.0 as a version', 'GET / HTTP/2.0\r\nHost: a\r\n\r\n', 400],
  ['http in small letters', 'GET / http/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space after the version', 'GET / HTTP/1.1 \r\nHost: a\r\n\r\n', 400],
  ['a tab for a space', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a space before the method', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a method in small letters', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a method of RTSP', 'DESCRIBE / RTSP/1.0\r\nHost: a\r\n\r\n', 400],
  ['the preface of HTTP/2 cut short', 'PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n', 400],
  ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
  ['* with GET', 'GET * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a target without slash', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an ftp URL', 'GET ftp://b/x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a URL without host', 'GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['a URL with userinfo', 'GET http://u@b/x HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  ['an unknown expectation', `${POST}Expect: foo\r\nContent-Length: 1\r\n\r\na`, 417],
  ['a target over the limit', `GET /${'a'.repeat(9000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['a target far over the limit', `GET /${'a'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`, 414],
  ['fields over the limit', `${GET}X: ${'a'.repeat(17_000)}\r\n\r\n`, 431],
  ['fields far over the limit', `${GET}X: ${'a'.repeat(60_000)}\r\n\r\n`, 431],
  ['too many fields', `${GET}${'a: b\r\n'.repeat(101)}\r\n`, 431],
  ['very many fields', `${GET}${'a:\r\n'.repeat(4000)}\r\n`, 431],
  ['a WebSocket with a short key', `${GET}${WS}Sec-WebSocket-Key: abc\r\n\r\n`, 400],
  ['a WebSocket without key', `${GET}${WS}\r\n`, 400],
  [
    'a WebSocket of version 8',
    `${GET}${WS.replace('13', '8')}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    426,
  ],
  ['bytes of TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
  ['noise', '\xff\xfe\xfd\r\n\r\n', 400],
];

for (const http1 of ['node', 'native'] as const) {
  t.test(
    `${http1}: every ambiguous or oversized request gets its status and a closed connection`,
    async t => {
      const harness = await startListener(t, { http1 });
      const bystander = await rawConnect(harness.port);
      /** Refused before they were requests, or broken off in mid-body: each is told once. */
      const told = (): number =>
        harness.refused.length +
        harness.exchanges.filter(
          ({ sink }) => sink.reason !== undefined && sink.reason.code !== 'CLIENT_GONE',
        ).length;
      for (const [name, bytes, status] of CASES) {
        const before = told();
        const client = await rawConnect(harness.port);
        client.send(bytes);
        const answer = await client.whole();
        t.equal(statusOf(answer), status, name);
        t.match(answer, /\r\nConnection: close\r\n/i, name);
        t.equal(answer.split('HTTP/1.1 ').length, 2, `${name}: one answer`);
        t.equal(told(), before + 1, `${name}: told once`);
      }
      bystander.send(`${GET}\r\n`);
      t.match(await bystander.until(text => text.endsWith('ok')), /^HTTP\/1.1 200 OK/, 'others are unharmed');
      bystander.socket.destroy();
      t.equal(harness.counters.get('requestsMalformed'), told());
    },
  );

  t.test(`${http1}: the same bytes one at a time are refused alike`, async t => {
    const harness = await startListener(t, { http1 });
    for (const [name, bytes, status] of CASES.filter(([, bytes]) => bytes.length < 120)) {
      const client = await rawConnect(harness.port);
      client.socket.setNoDelay(true);
      for (const char of bytes) {
        client.send(char);
        await new Promise(resolve => setImmediate(resolve));
      }
      t.equal(statusOf(await client.whole()), status, name);
    }
  });

  t.test(`${http1}: a malformed request behind a good one: first its answer, then 400`, async t => {
    const harness = await startListener(t, { http1 });
    const client = await rawConnect(harness.port);
    client.send(`${GET}\r\n${GET}X : a\r\n\r\n`);
    const answer = await client.whole();
    t.match(answer, /^HTTP\/1.1 200 OK\r\n[\s\S]*okHTTP\/1.1 400 /);
  });

  t.test(`${http1}: what is unusual but clear is accepted`, async t => {
    const harness = await startListener(t, { http1 });
    for (const [name, bytes] of [
      ['an empty line before the request', `\r\n${GET}Connection: close\r\n\r\n`],
      [
        'a well-formed chunk extension, which is dropped',
        `${POST}Connection: close\r\nTransfer-Encoding: Chunked\r\n\r\n2;a="b"\r\nhi\r\n0\r\n\r\n`,
      ],
      ['HTTP/1.0 without Host', 'GET / HTTP/1.0\r\n\r\n'],
      ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
      ['absolute-form', 'GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
      [
        'Upgrade: h2c, ignored',
        `${GET}Connection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n`,
      ],
      ['an IPv6 Host', 'GET / HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n'],
      ['bytes above 0x7f in a value', `${GET}X: \xe9\r\nConnection: close\r\n\r\n`],
    ] as const) {
      const client = await rawConnect(harness.port);
      client.send(bytes);
      t.match(await client.whole(), /^HTTP\/1.1 200 OK\r\n[\s\S]*\r\n\r\nok$/, name);
    }
  });
}
