import t from 'tap';
import type { RequestHead } from '../../../lib/data/ports.ts';
import { admits } from '../../../lib/data/router/route.ts';
import { compileRouter, type Router } from '../../../lib/data/router/router.ts';
import { headOf, routeOf, targetOf } from './support.ts';

const routerOf = (...routes: object[]): Router =>
  compileRouter(routes.map((route, index) => routeOf({ name: `r${index}`, cluster: 'web', ...route })));

const matched = (router: Router, target: string, over: Partial<RequestHead> = {}): string | null =>
  router.match(headOf({ target, ...over }), targetOf(target, over))?.name ?? null;

t.test('a prefix ends at a segment', async t => {
  const router = routerOf({ match: { path: '/api' } }, { match: { path: '/shop/' } });
  for (const [path, name] of [
    ['/api', 'r0'],
    ['/api/', 'r0'],
    ['/api/x/y', 'r0'],
    ['/api?x', 'r0'],
    ['/a%70i/x', 'r0'],
    ['/x/../api', 'r0'],
    ['/apix', null],
    ['/API', null],
    ['//api', null],
    ['/', null],
    ['/shop', 'r1'],
    ['/shop/x', 'r1'],
    ['/shopping', null],
  ] as const)
    t.equal(matched(router, path), name, path);
});

t.test('exact paths are exact', async t => {
  const router = routerOf({ match: { path: { exact: '/a/b' } } }, { match: { path: { exact: '/' } } });
  t.equal(matched(router, '/a/b'), 'r0');
  t.equal(matched(router, '/a/b/'), null);
  t.equal(matched(router, '/a/b/c'), null);
  t.equal(matched(router, '/a'), null);
  t.equal(matched(router, '/'), 'r1');
});

t.test('configured paths are read in the same normal form', async t => {
  const router = routerOf({ match: { path: '/café' } }, { match: { path: { exact: '/%7euser/%c3%a9' } } });
  t.equal(matched(router, '/caf%c3%A9/x'), 'r0');
  t.equal(matched(router, '/~user/%C3%a9'), 'r1');
});

t.test('patterns match the whole path', async t => {
  const router = routerOf({ match: { path: { regex: '/u/[0-9]+' } } });
  t.equal(matched(router, '/u/12'), 'r0');
  t.equal(matched(router, '/u/12/x'), null);
  t.equal(matched(router, '/x/u/12'), null);
});

t.test('hosts are exact, wildcards or any', async t => {
  const router = routerOf(
    { match: { hosts: ['example.org', 'EXAMPLE.net.'] } },
    { match: { hosts: ['*.example.org'] } },
    { match: { hosts: ['*.org'], path: '/only' } },
    { match: { hosts: ['[2001:DB8::0:1]', '127.0.0.1'] } },
    { match: { hosts: ['*'], path: '/any' } },
  );
  for (const [authority, path, name] of [
    ['example.org', '/', 'r0'],
    ['EXAMPLE.ORG:8080', '/', 'r0'],
    ['example.org.', '/', 'r0'],
    ['example.net', '/', 'r0'],
    ['a.example.org', '/', 'r1'],
    ['a.b.example.org', '/', 'r1'],
    ['xexample.org', '/', null],
    ['xexample.org', '/only', 'r2'],
    ['org', '/only', null],
    ['[2001:db8:0::1]', '/', 'r3'],
    ['127.0.0.1:8080', '/', 'r3'],
    ['other.com', '/any/x', 'r4'],
    ['other.com', '/', null],
  ] as const)
    t.equal(matched(router, path, { authority }), name, `${authority} ${path}`);
  t.equal(matched(router, '/any', { authority: '', version: '1.0' }), 'r4');
});

t.test('the first in the file wins, however it is indexed', async t => {
  const parts = [
    { match: { path: { regex: '/a/b.*' }, headers: [{ name: 'x-one', present: true }] } },
    { match: { hosts: ['*.example.org'], path: '/a/b', headers: [{ name: 'x-two', present: true }] } },
    { match: { path: '/', headers: [{ name: 'x-three', present: true }] } },
    { match: { hosts: ['w.example.org'], headers: [{ name: 'x-four', present: true }] } },
    { match: { path: { exact: '/a/b/c' }, headers: [{ name: 'x-five', present: true }] } },
    { match: { headers: [{ name: 'x-six', present: true }] } },
  ];
  const names = ['x-one', 'x-two', 'x-three', 'x-four', 'x-five', 'x-six'];
  for (let shift = 0; shift < parts.length; shift++) {
    const order = parts.map((_, index) => (index + shift) % parts.length);
    const router = routerOf(...order.map(index => parts[index]!));
    for (let bits = 1; bits < 64; bits++) {
      const present = (index: number): boolean => ((bits >> index) & 1) === 1;
      const fields = names.flatMap((name, index) => (present(index) ? [name, '1'] : []));
      const expected = order.findIndex(present);
      const found = matched(router, '/a/b/c', { authority: 'w.example.org', fields });
      if (found !== `r${expected}`) t.fail(`shift ${shift} bits ${bits}: ${found}, expected r${expected}`);
    }
  }
});

t.test('methods, HEAD by GET, WebSocket CONNECT by GET', async t => {
  const router = routerOf({ match: { methods: ['GET'] } }, { match: { methods: ['POST'] } });
  t.equal(matched(router, '/'), 'r0');
  t.equal(matched(router, '/', { method: 'HEAD' }), 'r0');
  t.equal(matched(router, '/', { method: 'POST' }), 'r1');
  t.equal(matched(router, '/', { method: 'get' }), null);
  t.equal(matched(router, '/', { method: 'CONNECT', protocol: 'websocket', version: '2' }), 'r0');
});

t.test('header conditions see repeated fields as one list', async t => {
  const router = routerOf(
    { match: { headers: [{ name: 'X-Env', exact: 'canary' }] } },
    { match: { headers: [{ name: 'x-env', prefix: 'dev' }] } },
    { match: { headers: [{ name: 'x-env', regex: '[a-z]+, [a-z]+' }] } },
    { match: { headers: [{ name: 'x-env', present: false }] } },
  );
  t.equal(matched(router, '/', { fields: ['x-ENV', 'canary'] }), 'r0');
  t.equal(matched(router, '/', { fields: ['X-Env', 'dev-2'] }), 'r1');
  t.equal(matched(router, '/', { fields: ['X-Env', 'canary', 'x-env', 'canary'] }), 'r2');
  t.equal(matched(router, '/', { fields: ['X-Env', 'Other'] }), null);
  t.equal(matched(router, '/'), 'r3');
});

t.test('query conditions', async t => {
  const router = routerOf(
    { match: { query: [{ name: 'v', exact: 'a b' }] } },
    { match: { query: [{ name: 'flag', present: true }] } },
    { match: { query: [{ name: 'n', regex: '[0-9]+' }] } },
  );
  for (const [target, name] of [
    ['/?v=a+b', 'r0'],
    ['/?x=1&%76=a%20b', 'r0'],
    ['/?v=c&v=a+b', null],
    ['/?flag', 'r1'],
    ['/?flag=&n=1', 'r1'],
    ['/?n=12', 'r2'],
    ['/?n=12x', null],
    ['/?v=%zz', null],
    ['/?', null],
    ['/', null],
  ] as const)
    t.equal(matched(router, target), name, target);
});

t.test('* is matched by routes that say nothing of the path', async t => {
  const router = routerOf({ match: { path: '/' } }, {});
  t.equal(matched(router, '*', { method: 'OPTIONS' }), 'r1');
});

t.test('client networks: deny over allow', async t => {
  const [route] = routerOf({ clients: { allow: ['10.0.0.0/8'], deny: ['10.9.0.0/16'] } }).routes;
  t.ok(admits(route!, '10.1.2.3'));
  t.notOk(admits(route!, '10.9.2.3'));
  t.notOk(admits(route!, '192.0.2.1'));
  t.ok(admits(routerOf({}).routes[0]!, '192.0.2.1'));
});

t.test('what cannot be compiled names its place', async t => {
  for (const [route, message] of [
    [{ match: { path: { regex: '(a' } } }, /routes\[0\]\.match\.path/],
    [{ match: { path: { regex: '(?=a)' } } }, /routes\[0\]\.match\.path/],
    [{ match: { path: '/a%zz' } }, /routes\[0\]\.match\.path/],
    [{ request_headers: { set: { 'Content-Length': '0' } } }, /Content-Length is written by the proxy alone/],
    [{ response_headers: { remove: ['connection'] } }, /connection is written/],
    [{ request_headers: { add: { 'Leaseway-Epoch': '9' } } }, /Leaseway-Epoch/],
    [{ rewrite: { regex: '/a', to: '/$1' } }, /no such group/],
    [{ rewrite: { regex: '/a' } }, /go together/],
  ] as const)
    t.throws(() => routerOf(route), { code: 'CONFIG_INVALID', message });
});
