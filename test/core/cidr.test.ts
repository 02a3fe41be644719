import t from 'tap';
import { clientNetwork, NetworkSet, normaliseAddress } from '../../lib/core/cidr.ts';

t.test('IPv4-mapped addresses are written as IPv4 and zones are dropped', async t => {
  t.equal(normaliseAddress('::ffff:10.1.2.3'), '10.1.2.3');
  t.equal(normaliseAddress('::FFFF:10.1.2.3'), '10.1.2.3');
  t.equal(normaliseAddress('fe80::1%eth0'), 'fe80::1');
  t.equal(normaliseAddress('10.1.2.3'), '10.1.2.3');
});

t.test('a set holds what its networks hold', async t => {
  const set = new NetworkSet(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1', '::ffff:198.51.100.0/120']);
  for (const inside of ['10.255.0.1', '192.0.2.7', '2001:db8:1::5', '::1', '::ffff:10.0.0.1', '198.51.100.9'])
    t.ok(set.has(inside), inside);
  for (const outside of ['11.0.0.1', '192.0.2.8', '2001:db9::1', '::2', 'example.org', ''])
    t.notOk(set.has(outside), outside);
  t.notOk(new NetworkSet([]).has('10.0.0.1'));
});

t.test('everything is in the widest networks', async t => {
  t.ok(new NetworkSet(['0.0.0.0/0']).has('203.0.113.9'));
  t.ok(new NetworkSet(['::/0']).has('2001:db8::1'));
});

t.test('what is no network is refused', async t => {
  for (const bad of ['10.0.0.0/33', '10.0.0/8', 'x', '10.0.0.0/', '::/129', '10.0.0.0/-1'])
    t.throws(() => new NetworkSet([bad]), bad);
});

t.test('one IPv6 client is its /64', async t => {
  t.equal(clientNetwork('2001:db8:0:1:2:3:4:5'), '2001:db8:0:1');
  t.equal(clientNetwork('2001:0db8:0000:0001::9'), '2001:db8:0:1');
  t.equal(clientNetwork('2001:db8::9'), '2001:db8:0:0');
  t.equal(clientNetwork('::1'), '0:0:0:0');
  t.equal(clientNetwork('2001:db8::192.0.2.1'), '2001:db8:0:0');
  t.equal(clientNetwork('192.0.2.1'), '192.0.2.1');
});
