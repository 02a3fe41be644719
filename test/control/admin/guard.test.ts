import t from 'tap';
import { type Asked, type GuardRules, refusalOf } from '../../../lib/control/admin/guard.ts';

const loopback: GuardRules = {
  loopback: true,
  scheme: 'http',
  boundHost: '127.0.0.1',
  certified: () => false,
  tokenMatches: presented => presented === 'right',
  tokenFile: '/state/admin-token',
};
const elsewhere: GuardRules = { ...loopback, loopback: false, boundHost: 'Admin.internal' };
const withTls: GuardRules = {
  ...elsewhere,
  scheme: 'https',
  certified: host => host === 'proxy.example.org',
};

const asked: Asked = {
  method: 'GET',
  host: '127.0.0.1:9900',
  localAddress: '127.0.0.1',
  origin: undefined,
  fetchSite: undefined,
  fetchMode: undefined,
  authorization: undefined,
  certificate: false,
};

const table: [what: string, rules: GuardRules, asked: Partial<Asked>, status: number | null][] = [
  ['a read on loopback', loopback, {}, null],
  ['a HEAD on loopback', loopback, { method: 'HEAD' }, null],
  ['a write without the token', loopback, { method: 'POST' }, 401],
  ['a write with the token', loopback, { method: 'POST', authorization: 'Bearer right' }, null],
  ['the scheme in another case', loopback, { method: 'POST', authorization: 'bearer right' }, null],
  ['a write with a wrong token', loopback, { method: 'POST', authorization: 'Bearer wrong' }, 401],
  ['a write with another scheme', loopback, { method: 'POST', authorization: 'Basic right' }, 401],
  ['a read with a wrong token', loopback, { authorization: 'Bearer wrong' }, 401],
  ['a write with a verified certificate', loopback, { method: 'PUT', certificate: true }, null],
  ['an unknown method counts as a write', loopback, { method: 'FROB' }, 401],

  ['Host localhost', loopback, { host: 'localhost:9900' }, null],
  ['Host LOCALHOST.', loopback, { host: 'LOCALHOST' }, null],
  ['Host under .localhost', loopback, { host: 'leaseway.localhost:9900' }, null],
  ['Host [::1]', loopback, { host: '[::1]:9900' }, null],
  ['Host another loopback address', loopback, { host: '127.9.9.9' }, null],
  ['Host with a forwarded port', loopback, { host: 'localhost:18000' }, null],
  ['a rebound name', loopback, { host: 'evil.example:9900' }, 403],
  ['a name that only begins like ours', loopback, { host: 'localhost.evil.example' }, 403],
  ['an address that is not ours', loopback, { host: '10.0.0.1:9900' }, 403],
  ['no Host', loopback, { host: undefined }, 403],
  ['two hosts in one', loopback, { host: 'localhost, evil.example' }, 403],
  ['user information in Host', loopback, { host: 'localhost@evil.example' }, 403],
  [
    'a rebound name does not become right by the token',
    loopback,
    { host: 'evil.example', authorization: 'Bearer right' },
    403,
  ],

  ['our own page', loopback, { origin: 'http://127.0.0.1:9900', fetchSite: 'same-origin' }, null],
  ['a page of another site', loopback, { origin: 'https://evil.example' }, 403],
  ['a page of another port', loopback, { origin: 'http://127.0.0.1:8080' }, 403],
  ['our host over another scheme', loopback, { origin: 'https://127.0.0.1:9900' }, 403],
  ['an opaque origin', loopback, { origin: 'null' }, 403],
  ['a picture of another site', loopback, { fetchSite: 'cross-site', fetchMode: 'no-cors' }, 403],
  ['a sister site', loopback, { fetchSite: 'same-site', fetchMode: 'cors' }, 403],
  ['a typed address', loopback, { fetchSite: 'none', fetchMode: 'navigate' }, null],
  ['a followed link', loopback, { fetchSite: 'cross-site', fetchMode: 'navigate' }, null],
  [
    'a form of another site',
    loopback,
    { method: 'POST', fetchSite: 'cross-site', fetchMode: 'navigate', authorization: 'Bearer right' },
    403,
  ],

  ['a read from elsewhere without the token', elsewhere, { host: 'admin.internal' }, 401],
  [
    'a read from elsewhere with the token',
    elsewhere,
    { host: 'admin.internal', authorization: 'Bearer right' },
    null,
  ],
  [
    'a read from elsewhere with a certificate',
    elsewhere,
    { host: 'admin.internal', certificate: true },
    null,
  ],
  [
    'the address that was connected to',
    elsewhere,
    { host: '10.1.2.3:9900', localAddress: '10.1.2.3', certificate: true },
    null,
  ],
  ['another address', elsewhere, { host: '10.9.9.9:9900', localAddress: '10.1.2.3', certificate: true }, 403],
  ['a name of our certificate', withTls, { host: 'proxy.example.org', certificate: true }, null],
  ['a name that is not in our certificate', withTls, { host: 'evil.example', certificate: true }, 403],
];

t.test('admission by host, origin and credentials', async t => {
  for (const [what, rules, more, status] of table)
    t.equal(refusalOf({ ...asked, ...more }, rules)?.status ?? null, status, what);
});

t.test('a refusal for want of the token says where it is and how to send it', async t => {
  const refusal = refusalOf({ ...asked, method: 'POST' }, loopback)!;
  t.match(refusal.detail, /Authorization: Bearer .*\/state\/admin-token/);
  t.equal(refusal.headers?.['www-authenticate'], 'Bearer realm="leaseway"');
  t.same(refusal.members, { tokenFile: '/state/admin-token' });
  const far = refusalOf({ ...asked, host: 'admin.internal' }, elsewhere)!;
  t.notMatch(JSON.stringify(far), /state/, 'others are not told our paths');
});
