// DNS discovery against real answers: both families, times to live, trouble of every kind.

import t from 'tap';
import { type DnsSettings, dnsDiscovery } from '../../../../lib/control/backend/discovery/dns.ts';
import { DnsServer } from '../../../support/dns-server.ts';
import { eventually } from '../../../support/eventually.ts';
import { Follower } from './collect.ts';

const settingsFor = (server: DnsServer, more: Partial<DnsSettings> = {}): DnsSettings => ({
  name: 'app.test',
  port: 8000,
  scheme: 'http',
  interval: 10_000,
  servers: [server.address],
  ...more,
});

t.test('addresses of both families become backends named by address and port', async t => {
  await using server = await DnsServer.start();
  server.set('app.test', ['10.0.0.2', '10.0.0.1', '2001:db8::1']);
  using follower = new Follower();
  follower.follow(dnsDiscovery(settingsFor(server, { scheme: 'https' }), follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  t.same(Object.fromEntries(follower.backends), {
    '10.0.0.1:8000': { url: 'https://10.0.0.1:8000', weight: 1 },
    '10.0.0.2:8000': { url: 'https://10.0.0.2:8000', weight: 1 },
    '[2001:db8::1]:8000': { url: 'https://[2001:db8::1]:8000', weight: 1 },
  });
});

t.test('changed records are applied as a difference', async t => {
  await using server = await DnsServer.start();
  server.set('app.test', ['10.0.0.1', '10.0.0.2']);
  using follower = new Follower();
  follower.follow(dnsDiscovery(settingsFor(server), follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  server.set('app.test', ['10.0.0.2', '10.0.0.3']);
  await eventually(follower.clock, () => follower.backends.has('10.0.0.3:8000'), 1_000);
  t.same(follower.changes.slice(2), ['+ 10.0.0.3:8000', '- 10.0.0.1:8000']);
});

t.test('it asks again after the time to live, never before the interval, with some jitter', async t => {
  await using server = await DnsServer.start();
  for (const { ttlS, waitMs } of [
    { ttlS: 1, waitMs: 10_000 },
    { ttlS: 60, waitMs: 60_000 },
  ]) {
    server.set('app.test', ['10.0.0.1'], ttlS);
    using follower = new Follower();
    follower.follow(dnsDiscovery(settingsFor(server), follower.settings));
    await eventually(follower.clock, () => follower.answers === 1, 0);
    // One timer is armed when the answer is in: the next question.
    await eventually(follower.clock, () => follower.clock.pending === 1, 0);
    await follower.clock.pass(waitMs - 1);
    t.equal(follower.clock.pending, 1, `not before ${waitMs} ms`);
    const asked = server.queries.length;
    await follower.clock.pass(waitMs * 0.1 + 2);
    await eventually(follower.clock, () => server.queries.length > asked, 0);
    t.pass(`soon after ${waitMs} ms`);
  }
});

t.test('failure, refusal and an empty answer keep the last good addresses, for a bounded time', async t => {
  for (const [trouble, rcode] of [
    ['SERVFAIL', 2],
    ['NXDOMAIN', 3],
    ['an empty answer', 0],
  ] as const) {
    await using server = await DnsServer.start();
    server.set('app.test', ['10.0.0.1']);
    using follower = new Follower();
    follower.follow(dnsDiscovery(settingsFor(server), follower.settings));
    await eventually(follower.clock, () => follower.answers === 1);
    server.zones.set('app.test', { addresses: [], ttlS: 1, rcode, failing: [] });
    await eventually(follower.clock, () => follower.answers >= 4, 5_000);
    t.same(follower.ids, ['10.0.0.1:8000'], trouble);
    t.equal(follower.log.count('warn', 'goes on with 1 backends'), 1, 'said once');
    await eventually(follower.clock, () => follower.backends.size === 0, 60_000);
    t.equal(follower.log.count('error', 'given up'), 1);
    server.set('app.test', ['10.0.0.9']);
    await eventually(follower.clock, () => follower.backends.has('10.0.0.9:8000'), 5_000);
    t.equal(follower.log.count('info', 'answers again'), 1);
  }
});

t.test('when one family cannot be asked its last addresses stay, and the other is followed', async t => {
  await using server = await DnsServer.start();
  server.set('app.test', ['10.0.0.1', '2001:db8::1']);
  using follower = new Follower();
  follower.follow(dnsDiscovery(settingsFor(server), follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  server.zones.set('app.test', { addresses: ['10.0.0.2'], ttlS: 1, rcode: 0, failing: [28] });
  await eventually(follower.clock, () => follower.backends.has('10.0.0.2:8000'), 5_000);
  t.same([...follower.ids].sort(), ['10.0.0.2:8000', '[2001:db8::1]:8000']);
});

t.test('a name of the hosts file is found when no servers are configured', async t => {
  using follower = new Follower();
  const dns: DnsSettings = { name: 'localhost', port: 80, scheme: 'http', interval: 10_000 };
  follower.follow(dnsDiscovery(dns, follower.settings));
  await eventually(follower.clock, () => follower.answers === 1);
  t.ok(follower.backends.has('127.0.0.1:80') || follower.backends.has('[::1]:80'));
});

t.test('servers that cannot be parsed are said, and nothing else happens', async t => {
  await using server = await DnsServer.start();
  using follower = new Follower();
  follower.follow(dnsDiscovery(settingsFor(server, { servers: ['no such thing'] }), follower.settings));
  await eventually(follower.clock, () => follower.ended);
  t.equal(follower.answers, 1);
  t.equal(follower.log.count('error', 'expected address:port'), 1);
});
