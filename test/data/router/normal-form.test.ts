import fc from 'fast-check';
import t from 'tap';
import { isReason, normalForm } from '../../../lib/data/router/normal-form.ts';
import { normalisePath } from '../../../lib/data/router/normal-path.ts';
import { headOf, targetOf } from './support.ts';

t.test('paths come out in one normal form', async t => {
  for (const [raw, path] of [
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/.well-known/acme', '/.well-known/acme'],
    ['/a/.hidden/..b/c..', '/a/.hidden/..b/c..'],
    ['/a/./b/../c', '/a/c'],
    ['/a/b/..', '/a/'],
    ['/a/.', '/a/'],
    ['/..', '/'],
    ['/../../etc/passwd', '/etc/passwd'],
    ['/a/%2e%2e/b', '/b'],
    ['/a/%2E./b', '/b'],
    ['/a/.%2e/%2e/b', '/b'],
    ['/%7Euser/%41%2d', '/~user/A-'],
    ['/%e2%82%ac', '/%E2%82%AC'],
    ['/a%20b', '/a%20b'],
    ['/a//b', '/a//b'],
    ['//a', '//a'],
    ['/a//../b', '/a/b'],
    ['/{id}|"<x>^`[]', '/%7Bid%7D%7C%22%3Cx%3E%5E%60%5B%5D'],
    ['/%252e%252e/x', '/%252e%252e/x'],
    ["/!$&'()*+,;=:@~_-.", "/!$&'()*+,;=:@~_-."],
  ] as const)
    t.equal(targetOf(raw).path, path, raw);
});

t.test('the query is left as it came', async t => {
  t.match(targetOf('/a?x=%2e%2e/../&y=100%&z=a|b\\c?d'), {
    path: '/a',
    query: '?x=%2e%2e/../&y=100%&z=a|b\\c?d',
  });
  t.equal(targetOf('/a?').query, '?');
  t.equal(targetOf('/a/../b?/../c').path, '/b');
});

t.test('an encoded slash or backslash is reported, for the route to decide', async t => {
  t.match(targetOf('/a%2fb'), { path: '/a%2Fb', encodedSlash: true });
  t.match(targetOf('/a%5Cb'), { path: '/a%5Cb', encodedSlash: true });
  t.equal(targetOf('/a%20b').encodedSlash, false);
  t.equal(targetOf('/a%2Fb/../c').path, '/c');
});

t.test('what two parsers could read differently is refused', async t => {
  for (const target of [
    '/a\\..\\b',
    '/a\x00b',
    '/a b',
    '/a\tb',
    '/a\x7f',
    '/é',
    '/a#b',
    '/a?b#c',
    '/a?b c',
    '/a?é',
    '/a?\r\nX: y',
    '/%',
    '/%4',
    '/%zz',
    '/%00',
    '/a/%00.png',
    '/..;/admin',
    '/a/.;x/b',
    '/a/%2e%2e;/b',
    '/..%2f..%2fetc',
    '/a/..%5c..%5cb',
    '/a%2f..',
    '/a%2f../b',
    '/a%2F.%2Fb',
    '/%c0%ae%c0%ae/x',
    '/%c0%af',
    '/%e0%80%af',
    '/%f0%80%80%af',
    '',
    'a/b',
    '?x',
    '*',
    'ftp://example.org/',
    'http:/example.org/',
    'http://user@example.org/',
    'http://example.org\\@evil.example/',
    'http://other.example/',
    'http://example.org:81/',
    'https://example.org/',
    'http:///a',
    'example.org:443',
  ]) {
    const result = normalForm(headOf({ target }));
    t.ok(isReason(result) && result.code === 'BAD_REQUEST', JSON.stringify(target));
  }
});

t.test('absolute-form is taken when it agrees with Host', async t => {
  t.match(targetOf('http://example.org/a/../b?c'), {
    path: '/b',
    query: '?c',
    authority: { host: 'example.org' },
  });
  t.match(targetOf('HTTP://EXAMPLE.org:80/a'), { path: '/a' });
  t.match(targetOf('http://example.org'), { path: '/', query: '' });
  t.match(targetOf('http://example.org?x=1'), { path: '/', query: '?x=1' });
  t.match(targetOf('https://example.org/', { scheme: 'https', authority: 'example.org:443' }), { path: '/' });
  t.match(targetOf('http://example.org/a', { authority: '', version: '1.0' }), {
    authority: { host: 'example.org' },
  });
});

t.test('* is for OPTIONS only', async t => {
  t.equal(targetOf('*', { method: 'OPTIONS' }).path, '*');
  t.equal(targetOf('http://example.org', { method: 'OPTIONS' }).path, '*');
});

t.test('CONNECT and TRACE are refused, a WebSocket CONNECT is not', async t => {
  for (const method of ['CONNECT', 'TRACE'])
    t.match(normalForm(headOf({ method })), { code: 'METHOD_REFUSED' });
  t.match(normalForm(headOf({ method: 'CONNECT', protocol: 'websocket', version: '2' })), { path: '/' });
});

t.test('only HTTP/1.0 may come without Host', async t => {
  t.match(normalForm(headOf({ authority: '' })), { code: 'BAD_REQUEST' });
  t.match(normalForm(headOf({ authority: '', version: '1.0' })), { path: '/', authority: { text: '' } });
});

const piece = fc.constantFrom(
  '/',
  '/',
  '.',
  '..',
  '%2e',
  '%2E',
  '%2f',
  '%5C',
  '%25',
  '%41',
  '%c3%a9',
  'a',
  'b',
  ';',
  '{',
  '|',
  '//',
  '~',
  '%C0',
  '%AE',
);
const rawPath = fc.array(piece, { maxLength: 14 }).map(pieces => `/${pieces.join('')}`);

t.test('the normal form is its own normal form and holds no dot segment', async () => {
  fc.assert(
    fc.property(rawPath, raw => {
      const once = normalisePath(raw);
      if (typeof once === 'string') return true;
      const twice = normalisePath(once.path);
      return (
        typeof twice !== 'string' &&
        twice.path === once.path &&
        !twice.resolved &&
        !/(^|\/|%2F|%5C)(\.|%2E){1,2}($|\/|%2F|%5C|;)/i.test(once.path)
      );
    }),
    { numRuns: 3000 },
  );
});

t.test('the fast path and the slow path agree', async () => {
  fc.assert(
    fc.property(rawPath, raw => {
      const fast = normalForm(headOf({ target: raw }));
      const slow = normalisePath(raw);
      if (typeof slow === 'string') return isReason(fast);
      return !isReason(fast) && fast.path === slow.path && fast.encodedSlash === slow.encodedSlash;
    }),
    { numRuns: 3000 },
  );
});

t.test('no text at all makes it throw', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (target, authority) => {
      normalForm(headOf({ target, authority }));
      normalForm(headOf({ target: `/${target}` }));
    }),
  );
});
