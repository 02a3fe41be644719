// Which route takes everything that another one matches; unsure cases count as reachable.

import t from 'tap';
import { covers } from '../../lib/config/checks/reach.ts';
import { Route } from '../../lib/config/proxy.ts';

const match = (value: object) => Route.parse({ match: value, cluster: 'web' }).match;
const takes = (a: object, b: object): boolean => covers(match(a), match(b));

t.test('paths', async t => {
  t.ok(takes({}, { path: '/a' }));
  t.ok(takes({ path: '/' }, { path: { regex: '.*' } }));
  t.ok(takes({ path: '/a' }, { path: '/a/b' }));
  t.ok(takes({ path: '/a' }, { path: { exact: '/a' } }));
  t.notOk(takes({ path: '/a' }, { path: '/ab' }), 'a prefix ends at a segment');
  t.notOk(takes({ path: '/a' }, {}));
  t.notOk(takes({ path: { exact: '/a' } }, { path: '/a' }));
});

t.test('hosts', async t => {
  t.ok(takes({ hosts: ['*.example.org'] }, { hosts: ['a.Example.org'] }));
  t.ok(takes({ hosts: ['*'] }, {}));
  t.notOk(takes({ hosts: ['*.example.org'] }, { hosts: ['example.org'] }));
  t.notOk(takes({ hosts: ['a.org'] }, { hosts: ['a.org', 'b.org'] }));
  t.notOk(takes({ hosts: ['a.org'] }, {}));
});

t.test('methods, headers and query', async t => {
  t.ok(takes({ methods: ['GET', 'POST'] }, { methods: ['GET'] }));
  t.notOk(takes({ methods: ['GET'] }, {}));
  const header = [{ name: 'X', exact: '1' }];
  t.ok(takes({ headers: header }, { headers: [...header, { name: 'Y', present: true }] }));
  t.notOk(takes({ headers: header }, {}));
  t.notOk(takes({ query: header }, { headers: header }));
});
