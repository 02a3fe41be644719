// Requests follow the WebSocket of their session: by a memory of bounded size, which an own move of the session ends.

import t from 'tap';
import { FollowedLeases } from '../../../lib/data/exchange/followed.ts';
import type { LeaseFollowed } from '../../../lib/orders/messages.ts';

const at = (backend: string, id = '00') => ({
  ...({ id, cluster: 'web', route: '', backend, generation: 1, type: 'dynamic', expiresMs: 1 } as const),
});
const move = (from: string, to: string, lease = '00') => ({ cluster: 'web', lease, from, to });

t.test('whoever still names a backend that its WebSocket has left is led to where that is', async t => {
  const followed = new FollowedLeases();
  const heard: LeaseFollowed[] = [];
  followed.onMoved(one => heard.push(one));
  t.equal(followed.leads(at('a')), null);
  followed.moved(move('a', 'b'));
  followed.moved(move('b', 'c'));
  t.same(heard, [move('a', 'b'), move('b', 'c')]);
  t.same([followed.leads(at('a')), followed.leads(at('b')), followed.leads(at('c'))], ['c', 'c', null]);
  t.equal(followed.leads(at('x')), null, 'it never was there');
  t.equal(followed.leads(at('a', '01')), null, 'another session');
  t.equal(followed.leads({ ...at('a'), cluster: 'api' }), null);
  followed.moved(move('c', 'a'));
  t.same([followed.leads(at('a')), followed.leads(at('c'))], [null, 'a'], 'back again');
});

t.test('who is sent elsewhere for load is not brought back', async t => {
  const followed = new FollowedLeases();
  followed.moved(move('a', 'b'));
  followed.forget(at('b'));
  t.equal(followed.leads(at('a')), null);
});

t.test('what it remembers is bounded', async t => {
  const followed = new FollowedLeases();
  for (let i = 0; i < 50_000; i++) followed.note([move('a', 'b', `${i}`)]);
  t.equal(followed.leads(at('a', '0')), null);
  t.equal(followed.leads(at('a', '49999')), 'b');
  for (let i = 0; i < 100; i++) followed.note([move(`b${i}`, `b${i + 1}`)]);
  t.equal(followed.leads(at('b99')), 'b100');
  t.equal(followed.leads(at('b0')), null);
});
