// Answers as bytes, each with the one reading it may have, for the method that was asked. By hand from RFC 9112 and RFC 9110.

import type { AnswerCase } from './reading.ts';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const EMPTY = 'Content-Length: 0\r\n\r\n';
const BAD = '!BAD_ANSWER';

const cases: AnswerCase[] = [];
interface Asked {
  readonly method?: AnswerCase['method'];
  readonly ends?: boolean;
}
const asked = (
  { method = 'GET', ends = false }: Asked,
  name: string,
  bytes: string,
  ...reading: string[]
): void => void cases.push({ name, bytes, reading, method, ends });
const reads = (name: string, bytes: string, ...reading: string[]): void => asked({}, name, bytes, ...reading);
const refused = (name: string, bytes: string): void => reads(name, bytes, BAD);
const octets = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, i) => String.fromCharCode(from + i));
const shown = (char: string): string => `0x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;

// ---- the status line

const zero = '[Content-Length=0]';
for (const status of [
  200, 201, 206, 207, 299, 301, 307, 400, 404, 418, 451, 499, 500, 503, 599, 600, 799, 999,
])
  reads(`status ${status}`, `HTTP/1.1 ${status} X\r\n${EMPTY}`, `${status} ${zero} keep`, '.');
for (const status of [
  '20',
  '2',
  '',
  '2000',
  '099',
  '000',
  '99',
  '-20',
  '2.0',
  '20x',
  'abc',
  '+20',
  '0x1',
  ' 20',
  '20 ',
])
  refused(`status ${JSON.stringify(status)}`, `HTTP/1.1 ${status}\r\n${EMPTY}`);
for (const reason of ['', ' ', 'OK', 'Not Found', 'a\tb', '200', 'Sch\xf6n', '!"#$', '\x80'])
  reads(`reason ${JSON.stringify(reason)}`, `HTTP/1.1 200 ${reason}\r\n${EMPTY}`, `200 ${zero} keep`, '.');
reads('no space and no reason', `HTTP/1.1 200\r\n${EMPTY}`, `200 ${zero} keep`, '.');
for (const char of ['\0', '\x01', '\x0b', '\x1b', '\x7f', '\n', '\r'])
  refused(`${shown(char)} in the reason`, `HTTP/1.1 200 O${char}K\r\n${EMPTY}`);
for (const version of [
  ...[
    'HTTP/0.9',
    'HTTP/1.2',
    'HTTP/2.0',
    'HTTP/2',
    'HTTP/3',
    'HTTP/1',
    'HTTP/1.',
    'HTTP/11',
    'http/1.1',
    'ICY',
    'SSH-2.0-x',
    '',
  ],
  ...['RTSP/1.0', ' HTTP/1.1', 'HTTP /1.1', 'HTTP/1.1 ', 'HTTP/1.1\t'],
])
  refused(`version ${JSON.stringify(version)}`, `${version} 200 OK\r\n${EMPTY}`);
refused('an empty line before', `\r\n${OK}${EMPTY}`);
refused('LF behind the line', `HTTP/1.1 200 OK\n${EMPTY}`);
refused('CR behind the line', `HTTP/1.1 200 OK\r${EMPTY}`);
refused('CR CR LF behind the line', `HTTP/1.1 200 OK\r\r\n${EMPTY}`);
refused('a tab for a space', `HTTP/1.1\t200 OK\r\n${EMPTY}`);
refused('a tab behind the status', `HTTP/1.1 200\tOK\r\n${EMPTY}`);
refused('noise', '\x16\x03garbage that is not HTTP of any kind\r\n\r\n');
refused('a body without a head', '<html>');
refused('a request', 'GET / HTTP/1.1\r\n\r\n');

// ---- fields

for (const char of [...octets(0, 8), ...octets(0x0a, 0x1f), '\x7f'])
  refused(`${shown(char)} in a value`, `${OK}X: a${char}b\r\n${EMPTY}`);
for (const char of ['\t', ' ', '"', ',', ':', ';', '\\', '\x80', '\xe9', '\xff'])
  reads(
    `${shown(char)} in a value`,
    `${OK}X: a${char}b\r\n${EMPTY}`,
    `200 [X=a${char}b|Content-Length=0] keep`,
    '.',
  );
for (const char of ['\0', '\t', '\r', '\n', ...' "(),/;<=>?@[\\]{}', '\x7f', '\x80', '\xff'])
  refused(`${shown(char)} in a name`, `${OK}X${char}Y: a\r\n${EMPTY}`);
for (const [name, lines] of [
  ['obs-fold with a space', 'X: a\r\n b\r\n'],
  ['obs-fold with a tab', 'X: a\r\n\tb\r\n'],
  ['obs-fold before the first', ' X: a\r\n'],
  ['a space before the colon', 'X : a\r\n'],
  ['a field without colon', 'X\r\n'],
  ['a field without name', ': a\r\n'],
  ['LF behind a field', 'X: a\nY: b\r\n'],
  ['LF LF', 'X: a\n\n'],
] as const)
  refused(name, `${OK}${lines}${EMPTY}`);
reads('an empty value', `${OK}X:\r\n${EMPTY}`, '200 [X=|Content-Length=0] keep', '.');
reads('blanks around', `${OK}X: \t a \t\r\n${EMPTY}`, '200 [X=a|Content-Length=0] keep', '.');
reads(
  'cookies',
  `${OK}Set-Cookie: a\r\nset-cookie: b\r\n${EMPTY}`,
  '200 [Set-Cookie=a|set-cookie=b|Content-Length=0] keep',
  '.',
);
reads(
  '256 fields',
  `${OK}${'a: b\r\n'.repeat(255)}${EMPTY}`,
  `200 [${'a=b|'.repeat(255)}Content-Length=0] keep`,
  '.',
);
refused('257 fields', `${OK}${'a: b\r\n'.repeat(256)}${EMPTY}`);
refused('a head beyond 64 KiB', `${OK}X: ${'a'.repeat(66_000)}\r\n${EMPTY}`);
refused('a reason beyond 64 KiB', `HTTP/1.1 200 ${'a'.repeat(66_000)}\r\n${EMPTY}`);

// ---- where the body ends

for (const length of [1, 5, 10])
  reads(
    `Content-Length ${length}`,
    `${OK}Content-Length: ${length}\r\n\r\n${'b'.repeat(length)}`,
    `200 [Content-Length=${length}] keep`,
    JSON.stringify('b'.repeat(length)),
    '.',
  );
for (const length of [
  '',
  '+5',
  '-5',
  '5,5',
  '5, 5',
  '0x5',
  '05',
  'five',
  '5 5',
  '5;',
  '9007199254740993',
  '99999999999999999999',
])
  refused(`Content-Length ${JSON.stringify(length)}`, `${OK}Content-Length: ${length}\r\n\r\nbbbbb`);
refused('two lengths', `${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nbb`);
refused('the same length twice', `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\nb`);
refused('a length and chunks', `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
refused('chunks and a length', `${OK}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n`);
for (const coding of [
  '',
  'identity',
  'gzip',
  'gzip, chunked',
  'chunked, gzip',
  'chunked, chunked',
  ',chunked',
  'chunked,',
  '"chunked"',
  'xchunked',
])
  refused(
    `Transfer-Encoding ${JSON.stringify(coding)}`,
    `${OK}Transfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
  );
refused('chunked twice', `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`);
refused('chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
reads(
  'a body that is not whole',
  `${OK}Content-Length: 9\r\n\r\nab`,
  '200 [Content-Length=9] keep',
  '"ab"',
  '…',
);
asked(
  { ends: true },
  'a body that was cut',
  `${OK}Content-Length: 9\r\n\r\nab`,
  '200 [Content-Length=9] keep',
  '"ab"',
  '…',
);
asked({ ends: true }, 'a body until the end', `${OK}\r\nall of it`, '200 []', '"all of it"', '.');
asked({ ends: true }, 'no body until the end', `${OK}\r\n`, '200 []', '.');
reads('a body until the end, which has not come', `${OK}\r\nsome`, '200 []', '"some"', '…');
asked({ ends: true }, 'a head that was cut', `${OK}Content-Le`, '…');
asked({ ends: true }, 'HTTP/1.0 until the end', 'HTTP/1.0 200 OK\r\n\r\nabc', '200 []', '"abc"', '.');
asked(
  { ends: true },
  'keep-alive means nothing then',
  `${OK}Connection: keep-alive\r\n\r\nabc`,
  '200 [Connection=keep-alive]',
  '"abc"',
  '.',
);

// ---- chunks

const head = '200 [Transfer-Encoding=chunked] keep';
for (const [name, body, text] of [
  ['none', '0\r\n\r\n', ''],
  ['one', '3\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['two', '1\r\na\r\n2\r\nbc\r\n0\r\n\r\n', 'abc'],
  ['a size in capitals', `A\r\n${'b'.repeat(10)}\r\n0\r\n\r\n`, 'b'.repeat(10)],
  ['zeros before a size', '00000003\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['an extension', '3;a=b\r\nabc\r\n0\r\n\r\n', 'abc'],
  ['data that looks like an answer', `11\r\n${OK}\r\n0\r\n\r\n`, OK],
] as const)
  reads(`chunks: ${name}`, `${CHUNKED}${body}`, head, ...(text === '' ? [] : [JSON.stringify(text)]), '.');
for (const [name, body] of [
  ['no size', '\r\n'],
  ['a size of letters', 'zz\r\nhalf\r\n0\r\n\r\n'],
  ['a space behind the size', '4 \r\nhalf\r\n0\r\n\r\n'],
  ['LF behind the size', '4\nhalf\r\n0\r\n\r\n'],
  ['0x4', '0x4\r\nhalf\r\n0\r\n\r\n'],
  ['a size of 17 digits', '00000000000000004\r\n'],
  ['a bare LF in an extension', '4;a\n\r\n'],
  ['extensions without end', `4;${'a'.repeat(17_000)}`],
] as const)
  reads(`chunks: ${name}`, `${CHUNKED}${body}`, head, BAD);
reads('chunks: data longer than its size', `${CHUNKED}1\r\nab`, head, '"a"', BAD);
reads('chunks: LF behind the data', `${CHUNKED}1\r\na\n0\r\n\r\n`, head, '"a"', BAD);
asked({ ends: true }, 'chunks: cut in a chunk', `${CHUNKED}9\r\nab`, head, '"ab"', '…');
asked({ ends: true }, 'chunks: cut between two', `${CHUNKED}2\r\nab\r\n`, head, '"ab"', '…');
asked({ ends: true }, 'chunks: cut in the trailers', `${CHUNKED}0\r\nX: y\r\n`, head, '…');
asked({ ends: true }, 'chunks: cut before the last CRLF', `${CHUNKED}0\r\n`, head, '…');
reads('trailers', `${CHUNKED}0\r\ngrpc-status: 0\r\nX: y\r\n\r\n`, head, '. [grpc-status=0|X=y]');
for (const line of ['Content-Length: 3', 'Transfer-Encoding: chunked', 'Host: a', 'X : y', 'X', 'X: \0'])
  reads(`trailers: ${JSON.stringify(line)}`, `${CHUNKED}0\r\n${line}\r\n\r\n`, head, BAD);

// ---- answers without a body

for (const status of [204, 304]) {
  reads(`${status}`, `HTTP/1.1 ${status} X\r\n\r\n`, `${status} [] keep`, '.');
  reads(
    `${status} with a length`,
    `HTTP/1.1 ${status} X\r\nContent-Length: 5\r\n\r\n`,
    `${status} [Content-Length=5] keep`,
    '.',
  );
  reads(
    `${status} with chunks announced`,
    `HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\n\r\n`,
    `${status} [Transfer-Encoding=chunked] keep`,
    '.',
  );
  reads(
    `${status} with both framings`,
    `HTTP/1.1 ${status} X\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n`,
    BAD,
  );
  reads(
    `${status} with a body all the same`,
    `HTTP/1.1 ${status} X\r\nContent-Length: 2\r\n\r\nhi`,
    `${status} [Content-Length=2] keep`,
    '.',
    BAD,
  );
}
asked(
  { method: 'HEAD' },
  'HEAD with a length',
  `${OK}Content-Length: 5\r\n\r\n`,
  '200 [Content-Length=5] keep',
  '.',
);
asked({ method: 'HEAD' }, 'HEAD with chunks announced', CHUNKED, head, '.');
asked({ method: 'HEAD' }, 'HEAD with nothing', `${OK}\r\n`, '200 [] keep', '.');
asked(
  { method: 'HEAD' },
  'HEAD with a body all the same',
  `${OK}Content-Length: 2\r\n\r\nhi`,
  '200 [Content-Length=2] keep',
  '.',
  BAD,
);
asked(
  { method: 'HEAD' },
  'HEAD with two lengths',
  `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n`,
  BAD,
);
reads('bytes behind an answer', `${OK}${EMPTY}${OK}${EMPTY}`, `200 ${zero} keep`, '.', BAD);
reads('an LF behind an answer', `${OK}${EMPTY}\n`, `200 ${zero} keep`, '.', BAD);

// ---- interim answers, upgrades

const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
reads('103, then the answer', `${hints}${OK}${EMPTY}`, '103 [Link=</a>]', `200 ${zero} keep`, '.');
reads(
  '100, 102, 103',
  `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n${hints}${OK}${EMPTY}`,
  '100 []',
  '102 []',
  '103 [Link=</a>]',
  `200 ${zero} keep`,
  '.',
);
reads(
  'an interim answer that nobody knows',
  `HTTP/1.1 199 X\r\n\r\n${OK}${EMPTY}`,
  '199 []',
  `200 ${zero} keep`,
  '.',
);
reads(
  'an interim answer with a length has no body',
  `HTTP/1.1 103 X\r\nContent-Length: 5\r\n\r\n${OK}${EMPTY}`,
  '103 [Content-Length=5]',
  `200 ${zero} keep`,
  '.',
);
reads('an interim answer with a bad length', `HTTP/1.1 103 X\r\nContent-Length: x\r\n\r\n`, BAD);
refused('an interim answer in HTTP/1.0', `HTTP/1.0 103 X\r\n\r\n${OK}${EMPTY}`);
asked({ ends: true }, 'an interim answer and nothing more', hints, '103 [Link=</a>]', '…');
const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const switched = '101 [Connection=Upgrade|Upgrade=websocket]';
asked({ method: 'UPGRADE' }, '101', switching, switched, '>');
asked({ method: 'UPGRADE' }, '101 and frames', `${switching}\x81\x01x${OK}`, switched, `>\x81\x01x${OK}`);
asked({ method: 'UPGRADE' }, '103, then 101', `${hints}${switching}`, '103 [Link=</a>]', switched, '>');
asked(
  { method: 'UPGRADE' },
  'an upgrade that is refused',
  `HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno`,
  '403 [Content-Length=2] keep',
  '"no"',
  '.',
);
asked(
  { method: 'UPGRADE' },
  '101 to something else',
  'HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n',
  BAD,
);
asked({ method: 'UPGRADE' }, '101 without Upgrade', 'HTTP/1.1 101 X\r\n\r\n', BAD);
asked({ method: 'UPGRADE' }, '101 without the option', 'HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n', BAD);
refused('101 that nobody asked for', switching);

// ---- what becomes of the connection

for (const [value, keep] of [
  ['close', ''],
  ['Close', ''],
  ['x, close', ''],
  ['keep-alive, close', ''],
  ['keep-alive', ' keep'],
  ['x', ' keep'],
] as const)
  reads(
    `Connection: ${value}`,
    `${OK}Connection: ${value}\r\n${EMPTY}`,
    `200 [Connection=${value}|Content-Length=0]${keep}`,
    '.',
  );
for (const [value, keep] of [
  ['close', ''],
  ['keep-alive', ' keep'],
  ['x', ''],
] as const)
  reads(
    `HTTP/1.0 and Connection: ${value}`,
    `HTTP/1.0 200 OK\r\nConnection: ${value}\r\n${EMPTY}`,
    `200 [Connection=${value}|Content-Length=0]${keep}`,
    '.',
  );
reads('HTTP/1.0 with a length', `HTTP/1.0 200 OK\r\n${EMPTY}`, `200 ${zero}`, '.');

for (const bytes of [
  'H',
  'HTTP/1.',
  'HTTP/1.1 2',
  'HTTP/1.1 200',
  'HTTP/1.1 200 O',
  OK,
  `${OK}X`,
  `${OK}X:`,
  `${OK}X: y\r\n`,
  `${OK}\r`,
])
  reads(`only ${JSON.stringify(bytes)}`, bytes, '…');

export const ANSWERS: readonly AnswerCase[] = cases;
