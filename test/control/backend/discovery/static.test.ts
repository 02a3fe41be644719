// Backends that stand in the configuration, and the names they get.

import t from 'tap';
import { changesBetween } from '../../../../lib/control/backend/discovery/changes.ts';
import { staticDiscovery } from '../../../../lib/control/backend/discovery/static.ts';
import { named } from '../../../../lib/control/backend/identity.ts';
import { settle } from '../../../support/fake-clock.ts';
import { Follower } from './collect.ts';

const backend = (url: string, id?: string, weight = 1) => named({ url, id, weight });

t.test('a backend without a name is called by host and port', async t => {
  t.equal(backend('http://127.0.0.1:9001').id, '127.0.0.1:9001');
  t.equal(backend('http://app.internal').id, 'app.internal:80');
  t.equal(backend('https://app.internal/').id, 'app.internal:443');
  t.equal(backend('http://[::1]:8080').id, '[::1]:8080');
  t.equal(backend('https://app.internal/').url, 'https://app.internal');
  t.equal(backend('http://a:1', 'mine').id, 'mine');
});

t.test('it says the list once, as a difference to what was known', async t => {
  using follower = new Follower([backend('http://a:1'), backend('http://b:1')]);
  follower.follow(
    staticDiscovery([backend('http://b:1', undefined, 5), backend('http://c:1')], follower.settings),
  );
  await settle();
  t.same(follower.changes, ['~ b:1', '+ c:1', '- a:1']);
  t.equal(follower.answers, 1);
  t.ok(follower.ended);
});

t.test('a name that stands twice means the first', async t => {
  t.same(changesBetween([], [backend('http://a:1', 'x'), backend('http://b:1', 'x')]), [
    { kind: 'insert', backend: { id: 'x', url: 'http://a:1', weight: 1 } },
  ]);
});
