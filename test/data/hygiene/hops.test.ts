import fc from 'fast-check';
import t from 'tap';
import { hopAddress, MAX_HOPS, readForwarded, readForwardedFor } from '../../../lib/data/hygiene/hops.ts';

t.test('Forwarded is read as RFC 7239 writes it', async t => {
  t.same(readForwarded('for="_gazonk"'), [{ address: '', scheme: '' }]);
  t.same(readForwarded('For="[2001:db8:cafe::17]:4711"'), [{ address: '2001:db8:cafe::17', scheme: '' }]);
  t.same(readForwarded('for=192.0.2.60;proto=http;by=203.0.113.43'), [
    { address: '192.0.2.60', scheme: 'http' },
  ]);
  t.same(readForwarded('for=192.0.2.43, for=198.51.100.17'), [
    { address: '192.0.2.43', scheme: '' },
    { address: '198.51.100.17', scheme: '' },
  ]);
  t.same(readForwarded('for="192.0.2.4\\3:80" ; proto="https" ,, by="a,b;c"'), [
    { address: '192.0.2.43', scheme: 'https' },
    { address: '', scheme: '' },
  ]);
  t.same(readForwarded(''), []);
  for (const bad of [
    'for',
    'for=',
    'for="x',
    'for=[::1]',
    'for=1.2.3.4 for=2.3.4.5',
    'for =1.1.1.1',
    '=x',
    'for="a"b',
  ])
    t.equal(readForwarded(bad), null, bad);
});

t.test('only the last hops count', async t => {
  const many = Array.from({ length: 100 }, (_, index) => `10.0.0.${index}`);
  t.equal(readForwardedFor(many.join(',')).length, MAX_HOPS);
  t.equal(readForwardedFor(many.join(',')).at(-1)!.address, '10.0.0.99');
  t.same(readForwarded(many.map(a => `for=${a}`).join(',')), readForwardedFor(many.join(',')));
});

t.test('addresses with and without port', async t => {
  for (const [text, address] of [
    ['1.2.3.4', '1.2.3.4'],
    ['1.2.3.4:80', '1.2.3.4'],
    ['::1', '::1'],
    ['[::1]', '::1'],
    ['[::1]:80', '::1'],
    ['[1.2.3.4]', ''],
    ['[::1]x', ''],
    ['1.2.3.4:x', ''],
    ['1.2.3', ''],
    ['unknown', ''],
    ['', ''],
  ] as const)
    t.equal(hopAddress(text), address, text);
});

t.test('nothing makes the readers throw or loop', async () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('"', '\\', ',', ';', '=', 'for', ' ', '[', ':', '1', '.', 'é') }),
      text => {
        readForwarded(text);
        readForwardedFor(text);
      },
    ),
    { numRuns: 2000 },
  );
});
