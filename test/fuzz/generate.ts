// Messages of HTTP/1, most of them nearly right: a valid one, then a few octets changed where it hurts.

import fc from 'fast-check';

export interface Sample {
  readonly bytes: string;
  /** Where the bytes are cut into reads, modulo their number. */
  readonly cuts: readonly number[];
}

export interface AnswerSample extends Sample {
  readonly method: 'GET' | 'HEAD';
}

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
  'TRACE',
  'CONNECT',
  'BREW',
];
const TARGETS = [
  '/',
  '/a',
  '/a/b?c=d&e',
  '/%2e%2e/',
  '*',
  'http://a/x',
  'a',
  '/a#b',
  'http://u@a/',
  '/\xe9',
  '/"<>',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/2.0',
  'HTTP/1.2',
  'http/1.1',
];
const LINES = [
  ...[
    'X: y',
    'Accept: */*',
    'Cookie: a=b; c=d',
    'User-Agent: x (y)',
    'X-Empty:',
    'x:y',
    'X:  \t y \t',
    'A: \xe9',
    "!#$%&'*+-.^_`|~: 1",
  ],
  ...[
    'Connection: close',
    'Connection: keep-alive',
    'Connection: x, close',
    'Connection: upgrade',
    'Upgrade: websocket',
    'Upgrade: h2c',
  ],
  ...[
    'Expect: 100-continue',
    'Expect: x',
    'Trailer: X',
    'TE: trailers',
    'Keep-Alive: timeout=5',
    'Date: now',
    'Server: s',
    'Host: b',
  ],
  ...[
    'X : y',
    ' X: y',
    'X: a\r\n b',
    'X: \0',
    'X: a\rb',
    'X: a\nb',
    'X',
    ': y',
    'X: \x7f',
    'X\xe9: y',
    'X: \x01',
    'X(: y',
  ],
  ...[
    'Content-Length: 3',
    'Content-Length: 0',
    'Content-Length: 03',
    'Content-Length: +3',
    'Content-Length: 3, 3',
    'Content-Length:',
  ],
  ...[
    'Content-Length: 99999999999999999999',
    'Content-Length: 1000000000000000',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip',
  ],
  ...[
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: Chunked',
    'Transfer-Encoding: ,chunked',
    'Transfer-Encoding: identity',
  ],
];
const STATUSES = [
  '200',
  '200',
  '200',
  '201',
  '204',
  '206',
  '301',
  '304',
  '404',
  '500',
  '599',
  '999',
  '103',
  '101',
  '20',
  '099',
  '2000',
];
const REASONS = [' OK', ' ', '', ' Not Found', ' \xe9', ' a\tb', '  x', ' \0'];
const EXTENSIONS = [
  '',
  '',
  '',
  ';a',
  ';a=b',
  ';a="b"',
  ';a="\\""',
  ';',
  '; a',
  ';a=',
  ' ',
  '\t',
  ';a="b"c',
  ';\xe9',
  ';a;b',
];
const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n'];
/** Put in, put in place of something, or doubled: what request smuggling is made of. */
const TOKENS = [
  ...[
    '\r\n',
    '\n',
    '\r',
    '\0',
    ' ',
    '\t',
    ':',
    ';',
    ',',
    '0',
    '1',
    'a',
    'f',
    'g',
    '\r\n\r\n',
    '\x0b',
    '\x7f',
    '\xa0',
    '\xff',
    '"',
    '\\',
    '=',
    '#',
    '/',
    '?',
  ],
  ...[
    'Content-Length: 1\r\n',
    'Transfer-Encoding: chunked\r\n',
    'Host: c\r\n',
    'chunked',
    '0\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'HTTP/1.1 200 OK\r\n\r\n',
  ],
];

const body = fc.constantFrom('', 'a', 'abc', 'GET / HTTP/1.1\r\n\r\n', '0\r\n\r\n', '\0\xff', 'x'.repeat(40));
const line = fc.constantFrom(...LINES);
const lineEnd = fc.constantFrom(...ENDS);

interface Edit {
  readonly at: number;
  readonly drop: number;
  readonly token: string;
}

const edits = fc.oneof(
  { weight: 5, arbitrary: fc.constant<readonly Edit[]>([]) },
  {
    weight: 5,
    arbitrary: fc.array(
      fc.record({
        at: fc.nat(600),
        drop: fc.constantFrom(0, 0, 0, 1, 1, 2, 5),
        token: fc.constantFrom('', ...TOKENS),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  },
);

const cutPlaces = fc.array(fc.nat(4000), { maxLength: 4 });

function edited(text: string, changes: readonly Edit[]): string {
  let out = text;
  for (const { at, drop, token } of changes) {
    const place = out.length === 0 ? 0 : at % (out.length + 1);
    out = out.slice(0, place) + token + out.slice(place + drop);
  }
  return out;
}

const chunks = fc
  .array(fc.tuple(body, fc.constantFrom(...EXTENSIONS), fc.constantFrom(0, 0, 0, 0, 1, -1)), { maxLength: 3 })
  .chain(parts =>
    fc
      .tuple(fc.constant(parts), fc.array(line, { maxLength: 1 }), fc.boolean())
      .map(([pieces, trailers, extra]) => {
        let text = '';
        for (const [piece, extension, off] of pieces)
          if (piece !== '')
            text += `${Math.max(1, piece.length + off).toString(16)}${extension}\r\n${piece}\r\n`;
        return `${text}0\r\n${(extra ? trailers : []).map(one => `${one}\r\n`).join('')}\r\n`;
      }),
  );

/** Framing lines and the body that goes with them. */
const framed = fc.oneof(
  fc.constant(''),
  fc
    .tuple(body, fc.constantFrom(0, 0, 0, 1, -1))
    .map(([text, off]) => `Content-Length: ${Math.max(0, text.length + off)}\r\n\r\n${text}`),
  chunks.map(text => `Transfer-Encoding: chunked\r\n\r\n${text}`),
  body.map(text => `\r\n${text}`),
);

const head = (first: fc.Arbitrary<string>, own: string): fc.Arbitrary<string> =>
  fc
    .tuple(first, fc.array(fc.tuple(line, lineEnd), { maxLength: 4 }), framed, fc.nat(9))
    .map(([start, lines, rest, plain]) => {
      // Most keep to well-formed lines, so that what is looked at is not always the first mistake of several.
      const kept =
        plain < 6
          ? lines.filter(([text]) => /^[\w-]+: [ -~]*$/.test(text) && !/^(Content|Transfer|Host)/.test(text))
          : lines;
      const text = kept.map(([one, end]) => `${one}${plain < 8 ? '\r\n' : end}`).join('');
      return `${start}\r\n${own}${text}${rest === '' ? '\r\n' : rest}`;
    });

const requestLine = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('GET / HTTP/1.1', 'POST /a HTTP/1.1', 'PUT /b?c HTTP/1.1') },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...METHODS), fc.constantFrom(...TARGETS), fc.constantFrom(...VERSIONS))
      .map(parts => parts.join(' ')),
  },
);
const statusLine = fc
  .tuple(
    fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0'),
    fc.constantFrom(...STATUSES),
    fc.constantFrom(...REASONS),
  )
  .map(([version, status, reason]) => `${version} ${status}${reason}`);

export const requestSample: fc.Arbitrary<Sample> = fc
  .tuple(fc.array(head(requestLine, 'Host: a\r\n'), { minLength: 1, maxLength: 2 }), edits, cutPlaces)
  .map(([messages, changes, cuts]) => ({ bytes: edited(messages.join(''), changes), cuts }));

export const answerSample: fc.Arbitrary<AnswerSample> = fc
  .tuple(
    head(statusLine, ''),
    edits,
    cutPlaces,
    fc.constantFrom('GET' as const, 'GET' as const, 'HEAD' as const),
  )
  .map(([message, changes, cuts, method]) => ({ bytes: edited(message, changes), cuts, method }));

export function pieces({ bytes, cuts }: Sample): Buffer[] {
  const whole = Buffer.from(bytes, 'latin1');
  const places = [...new Set(cuts.map(at => at % (whole.length + 1)))].sort((a, b) => a - b);
  const found: Buffer[] = [];
  let from = 0;
  for (const at of [...places, whole.length]) {
    if (at > from) found.push(Buffer.from(whole.subarray(from, at)));
    from = at;
  }
  return found;
}
