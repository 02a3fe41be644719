// Backends that the API adds are passed on at once.

import t from 'tap';
import { apiDiscovery } from '../../../../lib/control/backend/discovery/api.ts';
import { settle } from '../../../support/fake-clock.ts';
import { Follower } from './collect.ts';

t.test('the list is followed until the end', async t => {
  let list = [{ id: 'a', url: 'http://127.0.0.1:1', weight: 1 }];
  const follower = new Follower();
  const discovery = apiDiscovery(() => list, follower.settings);
  follower.follow(discovery);
  await settle();
  t.same(follower.changes, ['+ a']);
  list = [{ id: 'b', url: 'http://127.0.0.1:2', weight: 1 }];
  discovery.changed();
  await settle();
  t.same(follower.changes, ['+ a', '+ b', '- a']);
  follower[Symbol.dispose]();
  await settle();
  t.ok(follower.ended);
});
