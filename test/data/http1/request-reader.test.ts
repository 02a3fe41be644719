// What is reused of the request before, and what never is.

import t from 'tap';
import { RequestReader } from '../../../lib/data/http1/codec/request-reader.ts';

const LIMITS = { uri_bytes: 100, header_bytes: 1000, header_count: 10 };
const SECTION = 'Host: a\r\nX: y\r\nCookie: c=d\r\n\r\n';

function heads(reader: RequestReader, ...texts: string[]): (readonly string[] | string)[] {
  const found: (readonly string[] | string)[] = [];
  for (const text of texts) {
    reader.feed(Buffer.from(text, 'latin1'));
    for (let step = reader.next(); step !== 'more'; step = reader.next()) {
      if (step === 'head') found.push(reader.head!.fields);
      if (step === 'bad') return [...found, reader.refusal!.code];
    }
  }
  return found;
}

t.test('a field section that came before is the same array again, also behind other targets', async t => {
  const reader = new RequestReader('http', { limits: LIMITS });
  const [, second, third, fourth] = heads(
    reader,
    ...['/a', '/b', '/c', '/d'].map(path => `GET ${path} HTTP/1.1\r\n${SECTION}`),
  );
  t.equal(second, third);
  t.equal(third, fourth);
  t.equal(reader.head!.target, '/d');
});

t.test('one octet more or less and it is read anew', async t => {
  const reader = new RequestReader('http', { limits: LIMITS });
  const again = `GET / HTTP/1.1\r\n${SECTION}`;
  const [, known, longer, other, back] = heads(
    reader,
    again,
    again,
    again.replace('c=d', 'c=dd'),
    again.replace('c=d', 'c=e'),
    again,
  );
  t.same(longer, ['Host', 'a', 'X', 'y', 'Cookie', 'c=dd']);
  t.same(other, ['Host', 'a', 'X', 'y', 'Cookie', 'c=e']);
  t.equal(back, known, 'and the one that was known still is');
});

t.test('line, target, method, version and limits are judged each time', async t => {
  const now = { limits: LIMITS };
  const start = (): RequestReader => {
    const reader = new RequestReader('http', now);
    heads(reader, ...Array(3).fill(`GET / HTTP/1.1\r\n${SECTION}`));
    return reader;
  };
  for (const [line, code] of [
    ['GET /a#b HTTP/1.1', 'BAD_REQUEST'],
    ['GET * HTTP/1.1', 'BAD_REQUEST'],
    ['TRACE / HTTP/1.1', 'METHOD_REFUSED'],
    ['GET / HTTP/1.2', 'BAD_REQUEST'],
    [`GET /${'a'.repeat(100)} HTTP/1.1`, 'URI_TOO_LONG'],
  ] as const)
    t.same(heads(start(), `${line}\r\n${SECTION}`), [code], line);
  const reader = start();
  now.limits = { ...LIMITS, header_count: 2 };
  t.same(
    heads(reader, `GET / HTTP/1.1\r\n${SECTION}`),
    ['HEAD_TOO_LARGE'],
    'a reload made the limit smaller',
  );
});
