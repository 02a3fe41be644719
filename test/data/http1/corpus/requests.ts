// Requests as bytes, each with the one reading it may have. Written down by hand from RFC 9112 and RFC 9110, table by table.

import type { Case } from './reading.ts';

const LINE = 'GET / HTTP/1.1\r\n';
const GET = `${LINE}Host: a\r\n`;
const POST = 'POST / HTTP/1.1\r\nHost: a\r\n';
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const WS = `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;

const cases: Case[] = [];
const reads = (name: string, bytes: string, ...reading: string[]): void =>
  void cases.push({ name, bytes, reading });
const refused = (name: string, bytes: string, code = 'BAD_REQUEST'): void => reads(name, bytes, `!${code}`);
const shown = (char: string): string => `0x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
const octets = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));

// ---- the request line

for (const method of 'GET HEAD DELETE OPTIONS PROPFIND REPORT M-SEARCH PURGE QUERY X'.split(' '))
  reads(`method ${method}`, `${method} /x HTTP/1.1\r\nHost: a\r\n\r\n`, `${method} /x 1.1 [Host=a] 0`, '.');
for (const method of ['get', 'Get', 'GeT', 'G3T', 'GET_', 'G@T', 'G(T', '"GET"', '\xc9', 'A'.repeat(33)])
  refused(`method ${method}`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
for (const method of 'PRI SOURCE DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN REDIRECT RECORD FLUSH'.split(
  ' ',
))
  refused(`method ${method}, of another protocol`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
for (const method of ['TRACE', 'CONNECT'])
  refused(`method ${method}`, `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`, 'METHOD_REFUSED');
refused('CONNECT in its own form', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 'METHOD_REFUSED');

for (const target of [
  ...[
    '/',
    '/a/b',
    '//',
    '/a?b=c&d',
    '/?',
    '/%00',
    '/a;b',
    '/[x]{y}',
    '/a"b',
    '/~',
    '/:',
    "/!$&'()*+,=@",
    '/|^`\\<>',
  ],
  ...['http://a/', 'http://a', 'HTTP://a/x', 'https://a:8443/x?y', 'http://[::1]:80/', 'http://a?x'],
])
  reads(`target ${target}`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, `GET ${target} 1.1 [Host=a] 0`, '.');
for (const target of [
  ...['', 'a', 'a/b', '?a', '*', '*/', '#', '/#', '/a#b', ' /', '/ /', '/a b'],
  ...[
    'ftp://a/',
    'http:',
    'http:/a',
    'http:///a',
    'http://u@a/',
    'http://u:p@a/',
    'http://a:b/',
    'http://a:99999/',
  ],
  ...['http://a,b/', 'http://[::1/', 'http://a%20b/', 'ws://a/', '//a\t', '/\t'],
])
  refused(`target ${JSON.stringify(target)}`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
for (const char of [
  '\0',
  '\x01',
  '\x08',
  '\x0b',
  '\x0c',
  '\x1b',
  '\x1f',
  '\x7f',
  '\x80',
  '\xa0',
  '\xff',
  '\r',
  '\n',
])
  refused(`${shown(char)} in the target`, `GET /a${char}b HTTP/1.1\r\nHost: a\r\n\r\n`);
reads('OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'OPTIONS * 1.1 [Host=a] 0', '.');
reads(
  'a target as long as it may be',
  `GET /${'a'.repeat(63)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  `GET /${'a'.repeat(63)} 1.1 [Host=a] 0`,
  '.',
);
refused('a target one longer', `GET /${'a'.repeat(64)} HTTP/1.1\r\nHost: a\r\n\r\n`, 'URI_TOO_LONG');
refused('a target that never ends', `GET /${'a'.repeat(300)}`, 'URI_TOO_LONG');
reads('a target that is not whole', `GET /${'a'.repeat(20)}`, '…');

for (const version of [
  ...[
    'HTTP/0.9',
    'HTTP/1.2',
    'HTTP/1.9',
    'HTTP/2.0',
    'HTTP/2',
    'HTTP/11',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/1.10',
    'HTTP/01.1',
  ],
  ...[
    'http/1.1',
    'Http/1.1',
    'HTTP/1,1',
    'HTTP 1.1',
    'HTTP\\1.1',
    'HTTPS/1.1',
    'RTSP/1.0',
    'ICE/1.0',
    'XTTP/1.1',
    '',
  ],
  ...['HTTP/1.1 ', 'HTTP/1.1\t', ' HTTP/1.1', 'HTTP/ 1.1', 'HTTP/1.1x', 'HTTP/+1.1', 'HTTP/1.\x31\0'],
])
  refused(`version ${JSON.stringify(version)}`, `GET / ${version}\r\nHost: a\r\n\r\n`);
refused('no version', 'GET /\r\nHost: a\r\n\r\n');
refused('HTTP/0.9 as it was', 'GET /\r\n');
refused('a tab behind the method', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n');
refused('a space before the method', ' GET / HTTP/1.1\r\nHost: a\r\n\r\n');
refused('no method', ' / HTTP/1.1\r\nHost: a\r\n\r\n');
refused('LF behind the line', 'GET / HTTP/1.1\nHost: a\r\n\r\n');
refused('CR behind the line', 'GET / HTTP/1.1\rHost: a\r\n\r\n');
refused('CR CR LF behind the line', 'GET / HTTP/1.1\r\r\nHost: a\r\n\r\n');
refused('LF CR behind the line', 'GET / HTTP/1.1\n\rHost: a\r\n\r\n');
reads('one empty line before', `\r\n${GET}\r\n`, 'GET / 1.1 [Host=a] 0', '.');
refused('two empty lines before', `\r\n\r\n${GET}\r\n`);
refused('an LF before', `\n${GET}\r\n`);
refused('a CR before', `\r${GET}\r\n`);
refused('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
refused('a TLS hello', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03');
refused('noise', '\xff\xfe\xfd\r\n\r\n');
refused('an answer', 'HTTP/1.1 200 OK\r\n\r\n');

// ---- fields

for (const char of [...octets(0, 8), ...octets(0x0a, 0x1f), '\x7f'])
  refused(`${shown(char)} in a value`, `${GET}X: a${char}b\r\n\r\n`);
for (const char of [
  '\t',
  ' ',
  '!',
  '"',
  '(',
  ')',
  ',',
  ':',
  ';',
  '<',
  '=',
  '\\',
  '{',
  '~',
  '\x80',
  '\x85',
  '\xa0',
  '\xff',
])
  reads(`${shown(char)} in a value`, `${GET}X: a${char}b\r\n\r\n`, `GET / 1.1 [Host=a|X=a${char}b] 0`, '.');
for (const char of [...octets(0, 0x20), ...'"(),/;<=>?@[\\]{}', '\x7f', '\x80', '\xc3', '\xff'])
  refused(`${shown(char)} in a name`, `${GET}X${char}Y: a\r\n\r\n`);
for (const char of "!#$%&'*+-.^_`|~09azAZ")
  reads(`${shown(char)} in a name`, `${GET}X${char}Y: a\r\n\r\n`, `GET / 1.1 [Host=a|X${char}Y=a] 0`, '.');
for (const [name, lines, expected] of [
  ['an empty value', 'X:\r\n', '|X='],
  ['a value of blanks', 'X: \t \r\n', '|X='],
  ['no space behind the colon', 'X:a\r\n', '|X=a'],
  ['many blanks around', 'X: \t  a b \t \r\n', '|X=a b'],
  ['a colon first in the value', 'X::a\r\n', '|X=:a'],
  ['a name twice', 'X: a\r\nx: b\r\n', '|X=a|x=b'],
  ['cookies', 'Cookie: a=1; b="2"\r\n', '|Cookie=a=1; b="2"'],
] as const)
  reads(name, `${GET}${lines}\r\n`, `GET / 1.1 [Host=a${expected}] 0`, '.');
for (const [name, lines] of [
  ['obs-fold with a space', 'X: a\r\n b\r\n'],
  ['obs-fold with a tab', 'X: a\r\n\tb\r\n'],
  ['obs-fold with nothing in it', 'X: a\r\n \r\n'],
  ['obs-fold of an empty value', 'X:\r\n b\r\n'],
  ['obs-fold that hides a length', 'X: a\r\n Content-Length: 5\r\n'],
  ['a space before the colon', 'X : a\r\n'],
  ['a tab before the colon', 'X\t: a\r\n'],
  ['a field without colon', 'X\r\n'],
  ['a field without name', ': a\r\n'],
  ['a colon alone', ':\r\n'],
  ['LF behind a field', 'X: a\nY: b\r\n'],
  ['LF LF', 'X: a\n\n'],
  ['CR behind a field', 'X: a\rY: b\r\n'],
  ['CR CR LF', 'X: a\r\r\n'],
  ['LF CR', 'X: a\n\r'],
  ['NUL behind a value', 'X: a\0\r\n'],
  ['a length behind a bare CR', 'X: a\rContent-Length: 5\r\n'],
  ['a length behind a bare LF', 'X: a\nContent-Length: 5\r\n'],
  ['a length with a blank before its colon', 'Content-Length : 5\r\n'],
  ['chunked with a blank before its colon', 'Transfer-Encoding : chunked\r\n'],
  ['chunked behind NUL', 'Transfer-Encoding:\0chunked\r\n'],
] as const)
  refused(name, `${GET}${lines}\r\n`);
refused('obs-fold before the first field', `${LINE} Host: a\r\n\r\n`);
refused('LF at the end of the head', `${GET}\n`);
refused('CR and something at the end of the head', `${GET}\rX`);
reads('twelve fields', `${GET}${'x: y\r\n'.repeat(11)}\r\n`, `GET / 1.1 [Host=a${'|x=y'.repeat(11)}] 0`, '.');
refused('thirteen fields', `${GET}${'x: y\r\n'.repeat(12)}\r\n`, 'HEAD_TOO_LARGE');
reads(
  'as many bytes of fields as there may be',
  `${GET}X: ${'a'.repeat(498)}\r\n\r\n`,
  `GET / 1.1 [Host=a|X=${'a'.repeat(498)}] 0`,
  '.',
);
refused('one byte more', `${GET}X: ${'a'.repeat(499)}\r\n\r\n`, 'HEAD_TOO_LARGE');
refused('a name that never ends', `${GET}${'X'.repeat(600)}`, 'HEAD_TOO_LARGE');
refused('a value that never ends', `${GET}X: ${'a'.repeat(600)}`, 'HEAD_TOO_LARGE');
refused('blanks that never end', `${GET}X:${' '.repeat(600)}`, 'HEAD_TOO_LARGE');
refused('blanks count too', `${GET}X: a${' '.repeat(498)}\r\n\r\n`, 'HEAD_TOO_LARGE');

// ---- Host

for (const host of [
  'a.b',
  'A.B',
  'a:80',
  'a_b',
  'a-b',
  '1.2.3.4',
  '[::1]',
  '[::1]:80',
  '[2001:db8::1]',
  'a.',
  'xn--a',
])
  reads(`Host ${host}`, `${LINE}Host: ${host}\r\n\r\n`, `GET / 1.1 [Host=${host}] 0`, '.');
for (const host of [
  ...[
    '',
    'a b',
    'a,b',
    'a, b',
    'u@a',
    'u:p@a',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a:b',
    'a:',
    'a:99999',
    'a:-1',
    'a:80:80',
    'a;b',
  ],
  ...['[::1', '::1]', '[]', '[::g]', '[::1]x', 'http://a', 'a%2eb', '\xe9', '"a"', '*', `${'a'.repeat(254)}`],
])
  refused(`Host ${JSON.stringify(host)}`, `${LINE}Host: ${host}\r\n\r\n`);
refused('no Host', `${LINE}\r\n`);
refused('no Host, other fields', `${LINE}X: a\r\n\r\n`);
refused('two Hosts', `${GET}Host: b\r\n\r\n`);
refused('the same Host twice', `${GET}Host: a\r\n\r\n`);
refused('the same Host twice, in another case', `${GET}HOST: a\r\n\r\n`);
reads('hOsT', `${LINE}hOsT: a\r\n\r\n`, 'GET / 1.1 [hOsT=a] 0', '.');
reads('Host behind others', `${LINE}X: 1\r\nHost: a\r\n\r\n`, 'GET / 1.1 [X=1|Host=a] 0', '.');

// ---- where the body ends

for (const length of ['0', '1', '5', '10'])
  reads(
    `Content-Length ${length}`,
    `${POST}Content-Length: ${length}\r\n\r\n${'b'.repeat(Number(length))}`,
    `POST / 1.1 [Host=a|Content-Length=${length}] ${length}`,
    ...(length === '0' ? [] : [JSON.stringify('b'.repeat(Number(length)))]),
    '.',
  );
reads(
  'the largest Content-Length there may be',
  `${POST}Content-Length: 999999999999999\r\n\r\nb`,
  'POST / 1.1 [Host=a|Content-Length=999999999999999] 999999999999999',
  '"b"',
  '…',
);
for (const length of [
  ...[
    '',
    '+5',
    '-5',
    '5 5',
    '5,5',
    '5, 5',
    '5;',
    '5.0',
    '5e0',
    '0x5',
    '05',
    '00',
    'five',
    '\xb2',
    '5\t5',
    ' 5 x',
    '"5"',
    'NaN',
  ],
  ...['Infinity', '1000000000000000', '9007199254740993', '18446744073709551616', '99999999999999999999999'],
])
  refused(`Content-Length ${JSON.stringify(length)}`, `${POST}Content-Length: ${length}\r\n\r\nbbbbb`);
reads(
  'Content-Length with blanks around',
  `${POST}Content-Length: \t 2 \r\n\r\nbb`,
  'POST / 1.1 [Host=a|Content-Length=2] 2',
  '"bb"',
  '.',
);
reads(
  'a body with GET',
  `${GET}Content-Length: 2\r\n\r\nbb`,
  'GET / 1.1 [Host=a|Content-Length=2] 2',
  '"bb"',
  '.',
);
reads('POST without a length', `${POST}\r\n`, 'POST / 1.1 [Host=a] 0', '.');
refused('two lengths', `${POST}Content-Length: 3\r\nContent-Length: 4\r\n\r\nbbbb`);
refused('the same length twice', `${POST}Content-Length: 3\r\nContent-Length: 3\r\n\r\nbbb`);
refused('a length and chunks', `${POST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
refused('chunks and a length', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`);
refused('chunks and length 0', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n`);
for (const coding of ['chunked', 'Chunked', 'CHUNKED'])
  reads(
    `Transfer-Encoding ${coding}`,
    `${POST}transfer-encoding: ${coding}\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
    `POST / 1.1 [Host=a|transfer-encoding=${coding}] -1`,
    '"hi"',
    '.',
  );
for (const coding of [
  ...[
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    'chunked;a=b',
    'chunked\t',
    '\tchunked',
    ' \t chunked \t ',
  ],
  ...[
    'xchunked',
    'chunkedx',
    '"chunked"',
    'chunked chunked',
    'chunk',
    'chunked, identity',
    'cow',
    'chunke\x0bd',
    'x, chunked',
  ],
])
  refused(
    `Transfer-Encoding ${JSON.stringify(coding)}`,
    `${POST}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
  );
refused('chunked twice', `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
refused(
  'chunked and something else',
  `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n`,
);
refused('chunks in HTTP/1.0', 'POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');

// ---- chunks

const chunkedHead = 'POST / 1.1 [Host=a|Transfer-Encoding=chunked] -1';
for (const [name, body, text] of [
  ['no chunk', '0\r\n\r\n', ''],
  ['one chunk', '3\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['three chunks', '1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n', 'abc'],
  ['a size in hexadecimal', `a\r\n${'b'.repeat(10)}\r\n0\r\n\r\n`, 'b'.repeat(10)],
  ['a size in capitals', `1F\r\n${'b'.repeat(31)}\r\n0\r\n\r\n`, 'b'.repeat(31)],
  ['a size with zeros before', '0003\r\nabc\r\n0000\r\n\r\n', 'abc'],
  ['a size of 16 digits', '0000000000000001\r\na\r\n0\r\n\r\n', 'a'],
  ['data that looks like the end', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'],
  ['data of NULs', '2\r\n\0\0\r\n0\r\n\r\n', '\0\0'],
  ['an extension', '1;a\r\nb\r\n0\r\n\r\n', 'b'],
  ['an extension with a value', '1;a=b\r\nb\r\n0\r\n\r\n', 'b'],
  ['an extension in quotes', '1;a="b;\\"c"\r\nb\r\n0\r\n\r\n', 'b'],
  ['two extensions', '1;a=b;c="d"\r\nb\r\n0\r\n\r\n', 'b'],
  ['an extension on the last chunk', '1\r\nb\r\n0;a=b\r\n\r\n', 'b'],
] as const)
  reads(
    `chunks: ${name}`,
    `${CHUNKED}${body}`,
    chunkedHead,
    ...(text === '' ? [] : [JSON.stringify(text)]),
    '.',
  );
for (const [name, body] of [
  ['no size', '\r\n'],
  ['a size of letters', 'x\r\n'],
  ['a negative size', '-1\r\n'],
  ['a positive size', '+1\r\n'],
  ['0x1', '0x1\r\na\r\n0\r\n\r\n'],
  ['a space before the size', ' 1\r\n'],
  ['a space behind the size', '1 \r\n'],
  ['a tab behind the size', '1\t\r\n'],
  ['a size of 17 digits', '00000000000000001\r\n'],
  ['a size over 2^53', '20000000000000\r\n'],
  ['a size over 2^64', 'fffffffffffffffff\r\n'],
  ['LF behind the size', '1\na\r\n'],
  ['CR behind the size', '1\ra\r\n'],
  ['CR CR LF behind the size', '1\r\r\n'],
  ['a comma behind the size', '1,\r\n'],
  ['a quote for a size', '"1"\r\n'],
  ['NUL behind the size', '1\0\r\n'],
  ['an extension without name', '1;\r\n'],
  ['an extension without value', '1;a=\r\n'],
  ['an extension with a space', '1; a\r\n'],
  ['an extension with a bare LF', '1;a\nb\r\n'],
  ['an extension with a bare CR', '1;a\rb\r\n'],
  ['an extension with NUL', '1;a\0\r\n'],
  ['an extension with a high byte', '1;\xe9\r\n'],
  ['a bare LF in quotes', '1;a="\n"\r\n'],
  ['a CRLF in quotes', '1;a="\r\n"\r\n'],
  ['something behind quotes', '1;a="b"c\r\n'],
] as const)
  reads(`chunks: ${name}`, `${CHUNKED}${body}`, chunkedHead, '!BAD_REQUEST');
for (const [name, body] of [
  ['LF behind the data', '1\r\na\n0\r\n\r\n'],
  ['CR behind the data', '1\r\na\r0\r\n\r\n'],
  ['nothing behind the data', '1\r\na0\r\n\r\n'],
  ['data longer than its size', '1\r\nab\r\n0\r\n\r\n'],
] as const)
  reads(`chunks: ${name}`, `${CHUNKED}${body}`, chunkedHead, '"a"', '!BAD_REQUEST');
reads(
  'chunks: extensions without end',
  `${CHUNKED}1;${'a'.repeat(17_000)}\r\n`,
  chunkedHead,
  '!BODY_TOO_LARGE',
);
reads('chunks that have not ended', `${CHUNKED}1\r\na\r\n`, chunkedHead, '"a"', '…');
for (const [name, lines, expected] of [
  ['one', 'X: y\r\n', '[X=y]'],
  ['two', 'X: y\r\nx: z\r\n', '[X=y|x=z]'],
  ['one without value', 'X:\r\n', '[X=]'],
] as const)
  reads(`trailers: ${name}`, `${CHUNKED}0\r\n${lines}\r\n`, chunkedHead, `. ${expected}`);
for (const [name, lines] of [
  ['Content-Length', 'Content-Length: 3\r\n'],
  ['Transfer-Encoding', 'Transfer-Encoding: chunked\r\n'],
  ['Host', 'Host: b\r\n'],
  ['obs-fold', 'X: y\r\n z\r\n'],
  ['a bare LF', 'X: y\nZ: a\r\n'],
  ['a blank before the colon', 'X : y\r\n'],
  ['NUL', 'X: \0\r\n'],
  ['no colon', 'GET / HTTP/1.1\r\n'],
] as const)
  reads(`trailers: ${name}`, `${CHUNKED}0\r\n${lines}\r\n`, chunkedHead, '!BAD_REQUEST');
reads('trailers: too many', `${CHUNKED}0\r\n${'x: y\r\n'.repeat(13)}\r\n`, chunkedHead, '!HEAD_TOO_LARGE');
reads('trailers: too large', `${CHUNKED}0\r\nX: ${'a'.repeat(600)}\r\n\r\n`, chunkedHead, '!HEAD_TOO_LARGE');

// ---- one connection

const one = 'GET / 1.1 [Host=a] 0';
reads('two requests', `${GET}\r\n${GET}\r\n`, one, '.', one, '.');
reads(
  'three requests, each with an empty line before',
  `${GET}\r\n\r\n${GET}\r\n\r\n${GET}\r\n`,
  one,
  '.',
  one,
  '.',
  one,
  '.',
);
reads(
  'four that are the same but for the target',
  ['/1', '/2', '/3', '/4'].map(path => `GET ${path} HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n`).join(''),
  ...['/1', '/2', '/3', '/4'].flatMap(path => [`GET ${path} 1.1 [Host=a|X=y] 0`, '.']),
);
reads(
  'a field section that only begins like the one before',
  `${GET}\r\n${GET}\r\n${GET}X: y\r\n\r\n${GET}\r\n`,
  one,
  '.',
  one,
  '.',
  'GET / 1.1 [Host=a|X=y] 0',
  '.',
  one,
  '.',
);
reads(
  'sections of one length with other content',
  `${LINE}Host: a\r\n\r\n${LINE}Host: a\r\n\r\n${LINE}Host: b\r\n\r\n${LINE}Host: a\r\n\r\n`,
  one,
  '.',
  one,
  '.',
  'GET / 1.1 [Host=b] 0',
  '.',
  one,
  '.',
);
reads(
  'the same section in HTTP/1.0, where chunks are refused',
  `${CHUNKED}0\r\n\r\n${CHUNKED}0\r\n\r\nPOST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  chunkedHead,
  '.',
  chunkedHead,
  '.',
  '!BAD_REQUEST',
);
reads(
  'a body, then a request',
  `${POST}Content-Length: 2\r\n\r\nhi${GET}\r\n`,
  'POST / 1.1 [Host=a|Content-Length=2] 2',
  '"hi"',
  '.',
  one,
  '.',
);
reads(
  'chunks, then a request',
  `${CHUNKED}2\r\nhi\r\n0\r\n\r\n${GET}\r\n`,
  chunkedHead,
  '"hi"',
  '.',
  one,
  '.',
);
reads(
  'a body that looks like a request',
  `${POST}Content-Length: ${GET.length + 2}\r\n\r\n${GET}\r\n`,
  `POST / 1.1 [Host=a|Content-Length=${GET.length + 2}] ${GET.length + 2}`,
  JSON.stringify(`${GET}\r\n`),
  '.',
);
reads('a good one, then a bad one', `${GET}\r\nGET / HTTP/1.1\r\n\r\n`, one, '.', '!BAD_REQUEST');
reads('a good one, then noise', `${GET}\r\n\0\0\0`, one, '.', '!BAD_REQUEST');
reads('a good one, then part of another', `${GET}\r\nGET`, one, '.', '…');
reads(
  'more body than announced',
  `${POST}Content-Length: 1\r\n\r\nbb`,
  'POST / 1.1 [Host=a|Content-Length=1] 1',
  '"b"',
  '.',
  '!BAD_REQUEST',
);
for (const value of ['close', 'Close', 'x, close', 'close,', 'keep-alive, close'])
  reads(
    `Connection: ${value}`,
    `${GET}Connection: ${value}\r\n\r\n`,
    `GET / 1.1 [Host=a|Connection=${value}] 0 close`,
    '.',
  );
for (const value of ['keep-alive', 'x', 'closed', 'not-close', ''])
  reads(
    `Connection: ${value}`,
    `${GET}Connection: ${value}\r\n\r\n`,
    `GET / 1.1 [Host=a|Connection=${value}] 0`,
    '.',
  );
reads('HTTP/1.0', 'GET / HTTP/1.0\r\n\r\n', 'GET / 1.0 [] 0 close', '.');
reads('HTTP/1.0 with Host', 'GET / HTTP/1.0\r\nHost: a\r\n\r\n', 'GET / 1.0 [Host=a] 0 close', '.');
reads(
  'HTTP/1.0 with keep-alive',
  'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
  'GET / 1.0 [Connection=keep-alive] 0 close',
  '.',
);
reads(
  'HTTP/1.0 with a body',
  'POST / HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi',
  'POST / 1.0 [Content-Length=2] 2 close',
  '"hi"',
  '.',
);
refused('HTTP/1.0 with an empty Host', 'GET / HTTP/1.0\r\nHost:\r\n\r\n');
refused('HTTP/1.0 with two Hosts', 'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n');

// ---- expectations and upgrades

reads(
  'Expect with a body',
  `${POST}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
  'POST / 1.1 [Host=a|Expect=100-continue|Content-Length=1] 1 continue',
  '…',
);
reads(
  'Expect in capitals',
  `${POST}Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nb`,
  'POST / 1.1 [Host=a|Expect=100-Continue|Content-Length=1] 1 continue',
  '"b"',
  '.',
);
reads(
  'Expect without a body',
  `${GET}Expect: 100-continue\r\n\r\n`,
  'GET / 1.1 [Host=a|Expect=100-continue] 0',
  '.',
);
reads(
  'Expect in HTTP/1.0',
  'POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nb',
  'POST / 1.0 [Expect=100-continue|Content-Length=1] 1 close',
  '"b"',
  '.',
);
refused('another expectation', `${POST}Expect: foo\r\nContent-Length: 1\r\n\r\nb`, 'BAD_REQUEST 417');
refused(
  'two expectations',
  `${POST}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nb`,
  'BAD_REQUEST 417',
);
const wsHead = (extra: string): string =>
  `GET / 1.1 [Host=a|Connection=Upgrade|Upgrade=websocket|Sec-WebSocket-Version=13${extra}] 0`;
reads(
  'a WebSocket',
  `${WS}${KEY}\r\n`,
  `${wsHead('|Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==')} websocket`,
  '>',
);
reads(
  'a WebSocket that talks at once',
  `${WS}${KEY}\r\n\x81\x00GET`,
  `${wsHead('|Sec-WebSocket-Key=dGhlIHNhbXBsZSBub25jZQ==')} websocket`,
  '>\x81\x00GET',
);
refused('a WebSocket without key', `${WS}\r\n`, 'UPGRADE_REFUSED');
refused('a WebSocket with a short key', `${WS}Sec-WebSocket-Key: abc\r\n\r\n`, 'UPGRADE_REFUSED');
refused('a WebSocket with two keys', `${WS}${KEY}${KEY}\r\n`, 'UPGRADE_REFUSED');
refused('a WebSocket with a body', `${WS}${KEY}Content-Length: 1\r\n\r\nb`, 'UPGRADE_REFUSED');
refused(
  'a WebSocket of version 8',
  `${GET}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n${KEY}\r\n`,
  'UPGRADE_REFUSED 426',
);
reads(
  'h2c, which is no upgrade here',
  `${GET}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
  'GET / 1.1 [Host=a|Connection=Upgrade|Upgrade=h2c] 0',
  '.',
);
reads(
  'Upgrade without the option',
  `${GET}Upgrade: websocket\r\n\r\n`,
  'GET / 1.1 [Host=a|Upgrade=websocket] 0',
  '.',
);
reads(
  'two protocols',
  `${GET}Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n`,
  'GET / 1.1 [Host=a|Connection=Upgrade|Upgrade=websocket, h2c] 0',
  '.',
);
reads(
  'POST to a WebSocket',
  `${POST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  'POST / 1.1 [Host=a|Connection=Upgrade|Upgrade=websocket] 0',
  '.',
);
reads(
  'a WebSocket by HTTP/1.0',
  'GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'GET / 1.0 [Connection=Upgrade|Upgrade=websocket] 0 close',
  '.',
);

// ---- requests that are not whole

for (const bytes of [
  'G',
  'GET',
  'GET ',
  'GET /',
  'GET / HTTP/1.',
  LINE.slice(0, -1),
  LINE,
  `${LINE}Ho`,
  `${LINE}Host:`,
  GET,
  `${GET}\r`,
  '\r',
  '\r\n',
])
  reads(`only ${JSON.stringify(bytes)}`, bytes, '…');
reads(
  'a body that is not whole',
  `${POST}Content-Length: 5\r\n\r\nab`,
  'POST / 1.1 [Host=a|Content-Length=5] 5',
  '"ab"',
  '…',
);
reads('a chunk that is not whole', `${CHUNKED}5\r\nab`, chunkedHead, '"ab"', '…');
reads('trailers that are not whole', `${CHUNKED}0\r\nX: y\r\n`, chunkedHead, '…');
reads('a last chunk without its end', `${CHUNKED}0\r\n`, chunkedHead, '…');

export const REQUESTS: readonly Case[] = cases;
