import fc from 'fast-check';
import t from 'tap';
import { parseAuthority, sameAuthority } from '../../../lib/data/router/authority.ts';

t.test('authorities have one spelling', async t => {
  for (const [text, host, port, normal] of [
    ['example.org', 'example.org', 0, 'example.org'],
    ['EXAMPLE.org', 'example.org', 0, 'example.org'],
    ['example.org.', 'example.org', 0, 'example.org'],
    ['Example.ORG.:8080', 'example.org', 8080, 'example.org:8080'],
    ['example.org:', 'example.org', 0, 'example.org'],
    ['example.org:0080', 'example.org', 80, 'example.org:80'],
    ['my_service-1:9000', 'my_service-1', 9000, 'my_service-1:9000'],
    ['127.0.0.1:80', '127.0.0.1', 80, '127.0.0.1:80'],
    ['[::1]', '[::1]', 0, '[::1]'],
    ['[2001:DB8:0:0::1]:443', '[2001:db8::1]', 443, '[2001:db8::1]:443'],
  ] as const)
    t.same(parseAuthority(text), { host, port, text: normal }, text);
});

t.test('what is not host and port is refused', async t => {
  for (const text of [
    '',
    '.',
    '..',
    'a..b',
    '.a',
    ':80',
    'a:0',
    'a:65536',
    'a:80:80',
    'a:x',
    'a:+80',
    'user@a',
    'a b',
    'a,b',
    'a/b',
    'a?b',
    'a#b',
    'a\\b',
    'a%00b',
    'a%2eb',
    "a'b",
    'é',
    'a\u0000',
    '[::1',
    '[::1]x',
    '[::1]:x',
    '[]',
    '[g::1]',
    '[fe80::1%25eth0]',
    '[1.2.3.4]',
    '[:::]',
    'x'.repeat(256),
  ])
    t.equal(parseAuthority(text), null, JSON.stringify(text.slice(0, 40)));
});

t.test('a left-out port is that of the scheme', async t => {
  const of = (text: string) => parseAuthority(text)!;
  t.ok(sameAuthority(of('a'), of('A:80'), 'http'));
  t.notOk(sameAuthority(of('a'), of('a:80'), 'https'));
  t.ok(sameAuthority(of('a:443'), of('a.'), 'https'));
  t.notOk(sameAuthority(of('a'), of('b'), 'http'));
});

t.test('the normal form of an authority is its own normal form', async () => {
  const piece = fc.constantFrom('a', 'B', '.', '-', ':', '8', '0', '[', ']', '::1', '_');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), pieces => {
      const once = parseAuthority(pieces.join(''));
      if (once === null) return true;
      const twice = parseAuthority(once.text);
      return (
        twice !== null && twice.text === once.text && twice.host === once.host && twice.port === once.port
      );
    }),
    { numRuns: 2000 },
  );
});
