// Near misses: the word that was meant, and silence when nothing is near.

import t from 'tap';
import { editDistance, nearest } from '../../lib/config/near.ts';

t.test('insertion, deletion, substitution and a swap of neighbours count one each', async t => {
  t.equal(editDistance('policy', 'polcy'), 1);
  t.equal(editDistance('policy', 'pollicy'), 1);
  t.equal(editDistance('policy', 'pulicy'), 1);
  t.equal(editDistance('policy', 'ploicy'), 1);
  t.equal(editDistance('', 'abc'), 3);
});

t.test('the nearest of several, in whatever habit of writing', async t => {
  const keys = ['max_connections', 'max_connections_per_client', 'address', 'tls'];
  t.equal(nearest('maxConnections', keys), 'max_connections');
  t.equal(nearest('max-conections', keys), 'max_connections');
  t.equal(nearest('adress', keys), 'address');
  t.equal(nearest('backend', ['backends', 'balance']), 'backends');
});

t.test('nothing when nothing is near, and no long comparison', async t => {
  t.equal(nearest('frobnicate', ['address', 'tls']), undefined);
  t.equal(nearest('x', ['by', 'name']), undefined);
  t.equal(nearest('a'.repeat(100_000), ['a']), undefined);
});
