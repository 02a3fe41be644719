import fc from 'fast-check';
import t from 'tap';
import { leaseCarrier, readLease } from '../../../lib/plan/lease/carrier.ts';
import { cookieWriter, findCookie, removeCookie } from '../../../lib/plan/lease/cookie.ts';
import type { SessionLease } from '../../../lib/plan/lease/lease.ts';
import { findParameter, removeParameter } from '../../../lib/plan/lease/query.ts';
import { LeaseTokens } from '../../../lib/plan/lease/token.ts';

const sticky = { path: '/', same_site: 'Lax', secure: 'auto', term: 60_000, remember: 86_400_000 } as const;
const tokens = new LeaseTokens([{ id: '00000001', secret: new Uint8Array(32) }]);
const leaseOf = (cluster: string): SessionLease => ({
  id: '0123456789abcdef',
  cluster,
  route: '',
  backend: 'b',
  generation: 1,
  type: 'dynamic',
  expiresMs: 1,
});
const web = tokens.sign(leaseOf('web'));
const chat = tokens.sign(leaseOf('chat'));

t.test('a cookie is found by its whole name', async t => {
  for (const [header, values] of [
    ['l=1', ['1']],
    ['a=b; l=1; c=d', ['1']],
    ['a=b;l=1', ['1']],
    ['l = 1 ;a=b', ['1']],
    ['l="1"', ['1']],
    ['l=', ['']],
    ['l', ['']],
    ['l=1; l=2', ['1', '2']],
    ['xl=1; lx=2; a=l=3', null],
    ['', null],
    [Array(9).fill('l=1').join('; '), ['1', '1', '1', '1']],
  ] as const)
    t.same(findCookie(header, 'l'), values, header);
});

t.test('a cookie is removed and the others stay', async t => {
  for (const [header, rest] of [
    ['l=1', ''],
    ['a=b; l=1; c=d', 'a=b; c=d'],
    ['l=1; a=b', 'a=b'],
    ['a=b; l=1', 'a=b'],
    ['a=b; l = 1; l; p-x=1', 'a=b'],
    ['a=b;  c=l', 'a=b; c=l'],
    ['a=b; xl=1', 'a=b; xl=1'],
  ] as const)
    t.equal(removeCookie(header, 'l', 'p-'), rest, header);
});

t.test('no lease cookie survives removal, and no other is lost', async () => {
  const pair = fc.tuple(
    fc.constantFrom('a', 'lease', 'xlease', 'leasex', 'p-1', ' lease', 'lease '),
    fc.constantFrom('=', '=1', '=lease=2', ''),
  );
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 8 }), fc.constantFrom(';', '; ', ' ;  '), (pairs, separator) => {
      const header = pairs.map(([name, value]) => name + value).join(separator);
      const names = removeCookie(header, 'lease', 'p-')
        .split(';')
        .map(text => text.split('=')[0]!.trim())
        .filter(name => name !== '');
      const expected = pairs.map(([name]) => name.trim()).filter(name => name !== 'lease' && name !== 'p-1');
      return names.join() === expected.join();
    }),
    { numRuns: 2000 },
  );
});

t.test('Set-Cookie has every guard', async t => {
  const write = (over: object) =>
    cookieWriter({ name: 'l', path: '/app', sameSite: 'Lax', secure: 'auto', maxAgeMs: 90_500, ...over });
  t.equal(write({})('T', false), 'l=T; Path=/app; Max-Age=90; HttpOnly; SameSite=Lax');
  t.match(write({})('T', true), /; Secure$/);
  t.match(write({ secure: 'always' })('T', false), /; Secure$/);
  t.notMatch(write({ secure: 'never' })('T', true), /Secure/);
  t.match(write({ sameSite: 'None', secure: 'never' })('T', false), /; Secure$/);
  t.match(write({ name: '__Host-l' })('T', false), /; Secure$/);
});

t.test('query parameters', async t => {
  t.equal(findParameter('?a=1&l=T&b=2', 'l'), 'T');
  t.equal(findParameter('?l=T', 'l'), 'T');
  t.equal(findParameter('?xl=T&lx=1&a=l', 'l'), null);
  t.equal(findParameter('', 'l'), null);
  for (const [query, rest] of [
    ['?l=T', ''],
    ['?a=1&l=T', '?a=1'],
    ['?l=T&a=1', '?a=1'],
    ['?a=1&l=T&b=%zz&l=U', '?a=1&b=%zz'],
    ['?al=1', '?al=1'],
    ['?', '?'],
  ] as const)
    t.equal(removeParameter(query, 'l'), rest, query);
});

t.test('each cluster has its own cookie, so two behind one host do not fight', async t => {
  const carrier = leaseCarrier({ ...sticky, by: 'cookie' }, 'web');
  t.equal(carrier.name, 'leaseway-web');
  t.same(carrier.write('T', true), [
    'Set-Cookie',
    'leaseway-web=T; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure',
  ]);
  t.match(leaseCarrier({ ...sticky, by: 'cookie', remember: 0 }, 'web').write('T', false)[1], /Max-Age=60;/);
});

t.test('a lease is read from cookie, header or query', async t => {
  const by = (kind: 'cookie' | 'header' | 'query', fields: string[], query = '') =>
    readLease(leaseCarrier({ ...sticky, by: kind }, 'web'), tokens, fields, query);
  t.match(by('cookie', ['COOKIE', `a=b; leaseway-web=${web}`]), { cluster: 'web' });
  t.match(by('cookie', ['cookie', 'a=b', 'cookie', `leaseway-web=${web}`]), { cluster: 'web' });
  t.equal(by('cookie', ['Cookie', 'a=b']), null);
  t.equal(by('cookie', ['Cookie', `leaseway-web=${chat}`]), 'other_cluster');
  t.equal(by('cookie', ['Cookie', 'leaseway-web=x']), 'malformed');
  t.match(by('header', ['leaseway-lease', web]), { cluster: 'web' });
  t.equal(by('header', []), null);
  t.match(by('query', [], `?x=1&leaseway_lease=${web}`), { cluster: 'web' });
  t.equal(by('query', [], '?leaseway_lease='), null);
  t.same(leaseCarrier({ ...sticky, by: 'header' }, 'web').write('T', true), ['Leaseway-Lease', 'T']);
  t.same(leaseCarrier({ ...sticky, by: 'query' }, 'web').write('T', true), ['Leaseway-Lease', 'T']);
});

t.test('a tossed cookie neither hides the genuine one nor costs more than a few MACs', async t => {
  const carrier = leaseCarrier({ ...sticky, by: 'cookie' }, 'web');
  const read = (...cookies: string[]) =>
    readLease(
      carrier,
      tokens,
      cookies.flatMap(value => ['Cookie', value]),
      '',
    );
  t.match(read(`leaseway-web=forged; leaseway-web=${chat}; leaseway-web=${web}`), { cluster: 'web' });
  t.type(read(...Array(10).fill('leaseway-web=forged'), `leaseway-web=${web}`), 'string');
});
