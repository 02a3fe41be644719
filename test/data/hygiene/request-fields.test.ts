import fc from 'fast-check';
import t from 'tap';
import { fieldValue, fieldValues, hasField } from '../../../lib/core/fields.ts';
import { IdSource } from '../../../lib/core/ids.ts';
import type { ForwardedMode } from '../../../lib/data/hygiene/forwarded.ts';
import { RequestHygiene } from '../../../lib/data/hygiene/request-fields.ts';
import type { ClientConnection, RequestHead } from '../../../lib/data/ports.ts';
import { isReason } from '../../../lib/data/router/normal-form.ts';
import { compileRoute } from '../../../lib/data/router/route.ts';
import { leaseCarrier } from '../../../lib/plan/lease/carrier.ts';
import { connectionOf, headOf, routeOf } from '../router/support.ts';

const hygieneOf = (forwarded: ForwardedMode = 'x-forwarded') =>
  new RequestHygiene(
    { via: 'leaseway', request_id: 'X-Request-Id', forwarded, trusted_proxies: ['10.0.0.0/8'] },
    new IdSource(),
  );
const hygiene = hygieneOf();
const sticky = { path: '/', same_site: 'Lax', secure: 'auto', term: 60_000, remember: 86_400_000 } as const;
const cookieCarrier = leaseCarrier({ ...sticky, by: 'cookie' }, 'web');
const plainRoute = compileRoute(routeOf({ cluster: 'web' }), 0);
const trustedPeer = connectionOf({ remoteAddress: '10.0.0.5' });

function forward(
  head: Partial<RequestHead>,
  connection: ClientConnection = connectionOf(),
  route = plainRoute,
  carrier = cookieCarrier,
  via = hygiene,
): string[] {
  const full = headOf(head);
  const out = via.forward(connection, full, 'example.org', via.caller(connection, full), route, carrier);
  if (isReason(out)) throw new Error(out.detail);
  return out;
}

t.test('a plain request gains Host, Via, a request id and who the client is', async t => {
  const out = forward({ fields: ['Host', 'evil', 'Accept', '*/*', 'X-A', '1', 'x-a', '2'] });
  t.same(out.slice(0, 8), ['Host', 'example.org', 'Accept', '*/*', 'X-A', '1', 'x-a', '2']);
  t.equal(fieldValue(out, 'via'), '1.1 leaseway');
  t.match(fieldValue(out, 'x-request-id'), /^[0-9a-f]{32}$/);
  t.equal(fieldValue(out, 'x-forwarded-for'), '203.0.113.9');
  t.equal(fieldValue(out, 'x-forwarded-proto'), 'http');
  t.equal(fieldValue(out, 'x-forwarded-host'), 'example.org');
  t.equal(fieldValue(out, 'x-forwarded-port'), '8080');
});

t.test('connection-specific fields end here', async t => {
  const gone = [
    'Connection',
    'Keep-Alive',
    'Proxy-Connection',
    'Transfer-Encoding',
    'Upgrade',
    'HTTP2-Settings',
    'Expect',
    'Proxy-Authorization',
    'Leaseway-Epoch',
    'LEASEWAY-lease',
    'Proxy',
    'Leaseway_Lease',
    'Transfer_Encoding',
    'Content_Length',
    'X_Request_Id',
  ];
  const out = forward({ fields: gone.flatMap(name => [name, 'x']) });
  for (const name of gone) if (name !== 'X_Request_Id') t.notOk(hasField(out, name.toLowerCase()), name);
  t.notOk(hasField(out, 'x_request_id'));
});

t.test('TE goes on only as trailers', async t => {
  t.same(fieldValues(forward({ fields: ['TE', 'trailers'] }), 'te'), ['trailers']);
  t.same(fieldValues(forward({ fields: ['te', 'gzip;q=1, Trailers'] }), 'te'), ['trailers']);
  t.notOk(hasField(forward({ fields: ['TE', 'gzip', 'te', 'x-trailers'] }), 'te'));
});

t.test('what Connection names is removed, but not what a backend relies on', async t => {
  const names = [
    'Authorization',
    'Cookie',
    'Host',
    'Content-Type',
    'If-Match',
    'X-Forwarded-For',
    'X-Request-Id',
    'Via',
  ];
  const out = forward({
    fields: [
      'X-Secret',
      '1',
      'Authorization',
      'a',
      'Cookie',
      'a=b',
      'Content-Type',
      't',
      'If-Match',
      'e',
      'Connection',
      `close, x-secret, X-Other, ${names.join(',')}`,
      'x-other',
      '2',
    ],
  });
  t.notOk(hasField(out, 'x-secret'));
  t.notOk(hasField(out, 'x-other'));
  for (const name of names) t.ok(hasField(out, name.toLowerCase()), name);
});

t.test('whatever token Connection names does not arrive', async () => {
  const token = fc.stringMatching(/^[a-z]{1,8}$/).map(text => `x-z${text}`);
  fc.assert(
    fc.property(fc.uniqueArray(token, { maxLength: 12 }), fc.boolean(), (names, first) => {
      const listed = ['Connection', names.join(first ? ', ' : ' ,\t')];
      const fields = names.flatMap(name => [name.toUpperCase(), '1']);
      const out = forward({ fields: first ? [...listed, ...fields] : [...fields, ...listed] });
      return names.every(name => !hasField(out, name));
    }),
    { numRuns: 300 },
  );
});

t.test('there is one Content-Length, and it is what was checked', async t => {
  const of = (head: Partial<RequestHead>) => fieldValues(forward(head), 'content-length');
  t.same(of({ fields: ['Content-Length', '5'], bodyLength: 5, method: 'POST' }), ['5']);
  t.same(of({ fields: ['Content-Length', '5', 'content-length', '5'], bodyLength: 5 }), ['5']);
  t.same(of({ fields: ['Content-Length', '5'], bodyLength: -1 }), []);
  t.same(of({ fields: [], method: 'POST' }), ['0']);
  t.same(of({ fields: ['Content-Length', '0'] }), ['0']);
  t.same(of({ fields: [] }), []);
});

t.test('cookies become one field without any lease of ours', async t => {
  const of = (...values: string[]) =>
    fieldValues(forward({ fields: values.flatMap(value => ['cookie', value]) }), 'cookie');
  t.same(of('a=1; leaseway-web=T; b=2'), ['a=1; b=2']);
  t.same(of('a=1', 'leaseway-web=T', 'b=2'), ['a=1; b=2']);
  t.same(of('leaseway-web=T'), []);
  t.same(of('leaseway-web = T;leaseway-other=U;  leaseway-web="V"; xleaseway-web=1'), ['xleaseway-web=1']);
  t.same(of('a=leaseway-web=1'), ['a=leaseway-web=1']);
});

t.test('a lease header of any name stays here', async t => {
  const carrier = leaseCarrier({ ...sticky, by: 'header', name: 'X-Session-Lease' }, 'web');
  t.notOk(
    hasField(forward({ fields: ['x-session-LEASE', 'T'] }, undefined, undefined, carrier), 'x-session-lease'),
  );
});

t.test('Via is continued, and a loop is noticed', async t => {
  t.equal(
    fieldValue(forward({ fields: ['Via', '1.0 fred', 'via', '2 leaseway (x)'], version: '2' }), 'via'),
    '1.0 fred, 2 leaseway (x), 2 leaseway',
  );
  const head = headOf({ fields: ['Via', Array(4).fill('1.1 leaseway').join(', ')] });
  const result = hygiene.forward(
    connectionOf(),
    head,
    'h',
    hygiene.caller(connectionOf(), head),
    plainRoute,
    null,
  );
  t.match(result, { code: 'BAD_REQUEST', detail: /loop/ });
  t.ok(forward({ fields: ['Via', Array(9).fill('1.1 leaseway-2').join(', ')] }));
});

t.test('a request id is believed when a trusted peer sends a sane one', async t => {
  const of = (value: string, connection: ClientConnection) =>
    fieldValue(forward({ fields: ['x-request-id', value] }, connection), 'x-request-id');
  t.equal(of('abc-1', trustedPeer), 'abc-1');
  t.not(of('abc-1', connectionOf()), 'abc-1');
  t.not(of('a b', trustedPeer), 'a b');
  t.not(of('x'.repeat(129), trustedPeer), 'x'.repeat(129));
});

t.test('what only proxies may say is dropped from clients and kept from trusted peers', async t => {
  const claims = [
    'X-Real-IP',
    'X-Client-Cert',
    'X-SSL-Client-Verify',
    'Client-Cert',
    'Client-Cert-Chain',
    'X-Forwarded-Client-Cert',
    'X-Forwarded-User',
    'True-Client-IP',
    'X-Original-URL',
    'ssl-client-subject-dn',
  ];
  const fields = claims.flatMap(name => [name, 'x']);
  const fromClient = forward({ fields });
  const fromProxy = forward({ fields }, trustedPeer);
  for (const name of claims) {
    t.notOk(hasField(fromClient, name.toLowerCase()), name);
    t.ok(hasField(fromProxy, name.toLowerCase()), name);
  }
  t.notOk(hasField(forward({ fields: ['X_Real_IP', 'x'] }, trustedPeer), 'x_real_ip'));
});

t.test('the client is the rightmost hop that is not trusted', async t => {
  const client = (fields: string[], mode: ForwardedMode = 'x-forwarded', connection = trustedPeer) =>
    hygieneOf(mode).caller(connection, headOf({ fields })).address;
  for (const [value, address] of [
    ['198.51.100.7', '198.51.100.7'],
    ['1.2.3.4, 198.51.100.7', '198.51.100.7'],
    ['1.2.3.4, 198.51.100.7, 10.1.1.1', '198.51.100.7'],
    ['10.9.9.9, 10.1.1.1', '10.9.9.9'],
    ['1.2.3.4, unknown', '10.0.0.5'],
    ['1.2.3.4, unknown, 10.1.1.1', '10.1.1.1'],
    ['1.2.3.4:5678', '1.2.3.4'],
    ['[2001:db8::1]:80', '2001:db8::1'],
    ['::ffff:1.2.3.4', '1.2.3.4'],
    ['1.2.3.4, ,', '1.2.3.4'],
    ['', '10.0.0.5'],
    ['<script>', '10.0.0.5'],
    [`1.2.3.4, ${Array(100).fill('10.1.1.1').join(',')}`, '10.1.1.1'],
  ] as const)
    t.equal(client(['X-Forwarded-For', value]), address, value.slice(0, 60));
  t.equal(client(['X-Forwarded-For', '1.1.1.1', 'x-forwarded-for', '2.2.2.2']), '2.2.2.2');
  t.equal(client(['X-Forwarded-For', '1.1.1.1'], 'x-forwarded', connectionOf()), '203.0.113.9');
  const standard = 'for=1.2.3.4;proto=https, for="[2001:db8::7]:99";by=_x, for=10.2.2.2';
  t.equal(client(['Forwarded', standard], 'forwarded'), '2001:db8::7');
  t.equal(client(['Forwarded', 'for=1.2.3.4, for="broken'], 'forwarded'), '10.0.0.5');
  // One format is believed: a proxy that writes the other passes this one on as its client sent it.
  t.equal(client(['Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '7.7.7.7']), '7.7.7.7');
  t.equal(client(['Forwarded', 'for=6.6.6.6', 'X-Forwarded-For', '7.7.7.7'], 'forwarded'), '6.6.6.6');
});

t.test('what backends are told, by mode', async t => {
  const of = (mode: ForwardedMode, fields: string[], connection = connectionOf()) =>
    forward({ fields }, connection, plainRoute, cookieCarrier, hygieneOf(mode));
  const spoofed = [
    'X-Forwarded-For',
    '1.1.1.1',
    'Forwarded',
    'for=1.1.1.1',
    'X-Forwarded-Proto',
    'https',
    'X-Forwarded-Host',
    'evil',
  ];
  t.equal(fieldValue(of('x-forwarded', spoofed), 'x-forwarded-for'), '203.0.113.9');
  t.equal(fieldValue(of('x-forwarded', spoofed), 'x-forwarded-proto'), 'http');
  t.equal(fieldValue(of('x-forwarded', spoofed), 'x-forwarded-host'), 'example.org');
  t.notOk(hasField(of('x-forwarded', spoofed), 'forwarded'));
  t.equal(fieldValue(of('forwarded', spoofed), 'forwarded'), 'for=203.0.113.9;host=example.org;proto=http');
  t.notOk(hasField(of('forwarded', spoofed), 'x-forwarded-for'));
  t.ok(hasField(of('both', spoofed), 'forwarded') && hasField(of('both', spoofed), 'x-forwarded-for'));
  t.notOk(hasField(of('off', spoofed), 'x-forwarded-for'));
  const v6 = connectionOf({ remoteAddress: '2001:db8::9' });
  t.match(fieldValue(of('forwarded', [], v6), 'forwarded'), 'for="[2001:db8::9]"');
  // From a trusted peer the chain goes on, translated when it came in the other format.
  t.equal(fieldValue(of('x-forwarded', spoofed, trustedPeer), 'x-forwarded-for'), '1.1.1.1, 10.0.0.5');
  t.equal(fieldValue(of('x-forwarded', spoofed, trustedPeer), 'x-forwarded-proto'), 'https');
  t.equal(fieldValue(of('x-forwarded', spoofed, trustedPeer), 'x-forwarded-host'), 'evil');
  t.equal(
    fieldValue(of('x-forwarded', ['Forwarded', 'for="[::2]", for=_x'], trustedPeer), 'x-forwarded-for'),
    '::2, unknown, 10.0.0.5',
  );
  t.equal(
    fieldValue(of('forwarded', ['X-Forwarded-For', '::2'], trustedPeer), 'forwarded'),
    'for="[::2]", for=10.0.0.5;host=example.org;proto=http',
  );
  t.equal(fieldValue(of('off', ['X-Forwarded-For', '::2'], trustedPeer), 'x-forwarded-for'), '::2');
});

t.test('a route has the last word', async t => {
  const route = compileRoute(
    routeOf({
      cluster: 'web',
      rewrite: { host: 'app.internal' },
      request_headers: {
        set: { 'X-Forwarded-Proto': 'https', 'X-New': '1' },
        add: { 'X-A': '2' },
        remove: ['via', 'Cookie'],
      },
    }),
    0,
  );
  const out = forward({ fields: ['X-A', '1', 'Cookie', 'a=b'] }, connectionOf(), route);
  t.equal(out[1], 'app.internal');
  t.same(fieldValues(out, 'x-forwarded-proto'), ['https']);
  t.same(fieldValues(out, 'x-a'), ['1', '2']);
  t.equal(fieldValue(out, 'x-new'), '1');
  t.notOk(hasField(out, 'via'));
  t.notOk(hasField(out, 'cookie'));
  t.equal(fieldValue(out, 'x-forwarded-host'), 'example.org');
});
