// Routes, rewriting and forwarding hygiene through the running program (SPEC P3, P4, P5).

import { once } from 'node:events';
import http from 'node:http';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { Leaseway } from '../support/leaseway.ts';
import { Mirror, type Seen } from '../support/mirror.ts';

const a = await Mirror.start('a');
const b = await Mirror.start('b');
const leaseway = await Leaseway.start({
  config: {
    listeners: [
      { address: '127.0.0.1:0' },
      { address: '127.0.0.2:0', proxy_protocol: 'required', proxy_protocol_from: ['127.0.0.1/32'] },
    ],
    trusted_proxies: ['127.0.0.3/32'],
    routes: [
      { name: 'exact-host', match: { hosts: ['exact.example.org'] }, cluster: 'a' },
      { name: 'wildcard', match: { hosts: ['*.wild.example.org'] }, cluster: 'b' },
      { name: 'prefix', match: { path: '/api' }, cluster: 'b', rewrite: { prefix: '/v2' } },
      {
        name: 'regex',
        match: { path: { regex: '/user/([0-9]+)/photo' } },
        cluster: 'a',
        rewrite: { regex: '/user/([0-9]+)/photo', to: '/photos/$1', host: 'photos.internal' },
      },
      { name: 'exact-path', match: { path: { exact: '/only' }, methods: ['POST'] }, cluster: 'b' },
      { name: 'header', match: { headers: [{ name: 'x-tenant', prefix: 'gold-' }] }, cluster: 'b' },
      { name: 'query', match: { query: [{ name: 'beta', exact: '1' }] }, cluster: 'b' },
      {
        name: 'moved',
        match: { path: '/old' },
        redirect: { status: 301, to: 'https://{host}/new{path}?{query}' },
      },
      {
        name: 'fixed',
        match: { path: '/health' },
        respond: { status: 200, body: 'fine\n', headers: { 'X-Who': 'leaseway' } },
      },
      { name: 'private', match: { path: '/private' }, cluster: 'a', clients: { allow: ['10.0.0.0/8'] } },
      { name: 'slashes', match: { path: '/keep' }, cluster: 'a', encoded_slash: 'keep' },
      {
        name: 'edits',
        match: { path: '/edits' },
        cluster: 'a',
        request_headers: { set: { 'X-Set': 'by-route' }, add: { 'X-Add': 'one' }, remove: ['X-Secret'] },
        response_headers: { set: { 'X-Frame-Options': 'DENY' }, remove: ['X-Remove-Me'] },
      },
      {
        name: 'canary',
        match: { path: '/canary' },
        split: [
          { cluster: 'a', weight: 9 },
          { cluster: 'b', weight: 1 },
        ],
      },
      { name: 'limited', match: { path: '/limited' }, cluster: 'a', rate_limit: { rate: 1, burst: 3 } },
      { name: 'small', match: { path: '/small' }, cluster: 'a', max_body: '1KiB' },
      { name: 'rest', cluster: 'a' },
    ],
  },
  clusters: { a: { backends: [a.url] }, b: { backends: [b.url] } },
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await a[Symbol.asyncDispose]();
  await b[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** What the backend saw, when one answered. */
  readonly seen: Seen;
}

/** node:http, since fetch normalises paths and forbids Host. */
async function ask(path: string, options: http.RequestOptions & { body?: string } = {}): Promise<Answer> {
  const { body, ...rest } = options;
  const request = http.request({ host: '127.0.0.1', port: leaseway.port(), path, agent: false, ...rest });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const json =
    response.headers['content-type'] === 'application/json' && response.headers['x-backend'] !== undefined;
  return {
    status: response.statusCode!,
    headers: response.headers,
    text,
    seen: json ? JSON.parse(text) : ({} as Seen),
  };
}

t.test('routes by host, path, method, header and query; the first that matches is taken', async t => {
  const cases: [string, string, http.RequestOptions][] = [
    ['a', '/x', { headers: { host: 'EXACT.example.org' } }],
    ['b', '/x', { headers: { host: 'deep.er.wild.example.org:8080' } }],
    ['a', '/x', { headers: { host: 'wild.example.org' } }],
    ['b', '/api', {}],
    ['a', '/apix', {}],
    ['b', '/only', { method: 'POST' }],
    ['a', '/only', {}],
    ['b', '/x', { headers: { 'X-Tenant': 'gold-7' } }],
    ['a', '/x', { headers: { 'X-Tenant': 'silver' } }],
    ['b', '/x?a=2&beta=1', {}],
    ['a', '/x?beta=10', {}],
  ];
  for (const [backend, path, options] of cases) {
    const { seen } = await ask(path, options);
    t.equal(
      seen.backend,
      backend,
      `${options.method ?? 'GET'} ${path} ${JSON.stringify(options.headers ?? {})}`,
    );
  }
});

t.test('a path is matched and forwarded in one normal form', async t => {
  t.equal((await ask('/x/../api/./users?q=a/../b')).seen.url, '/v2/users?q=a/../b');
  t.equal((await ask('/%61pi/x')).seen.url, '/v2/x', 'an encoded letter is that letter');
  t.equal((await ask('/%2e%2e/api')).seen.url, '/v2');
  t.equal((await ask('/user/42/photo')).seen.url, '/photos/42');
  t.equal((await ask('/user/42/photo')).seen.headers.host, 'photos.internal');
  t.equal((await ask('/user/42/photos')).seen.url, '/user/42/photos', 'a regex is anchored');
  for (const path of ['/x%2f..%2fapi', '/x%5c..', '/x%00', '/a\\b'])
    t.equal((await ask(path)).status, 400, path);
  t.equal((await ask('/keep/a%2Fb')).seen.url, '/keep/a%2Fb');
});

t.test('redirects and fixed responses need no backend', async t => {
  const moved = await ask('/old/page?x=1', { headers: { host: 'www.example.org:8080' } });
  t.equal(moved.status, 301);
  t.equal(moved.headers.location, 'https://www.example.org/new/old/page?x=1');
  const fixed = await ask('/health');
  t.same([fixed.status, fixed.text, fixed.headers['x-who']], [200, 'fine\n', 'leaseway']);
  const head = await ask('/health', { method: 'HEAD' });
  t.same([head.status, head.text, head.headers['content-length']], [200, '', '5']);
});

t.test('fields are edited both ways', async t => {
  const { seen, headers } = await ask('/edits', {
    headers: { 'X-Set': 'by-client', 'X-Secret': 's', 'X-Add': 'zero' },
  });
  t.equal(seen.headers['x-set'], 'by-route');
  t.equal(seen.headers['x-secret'], undefined);
  t.equal(seen.headers['x-add'], 'zero, one');
  t.equal(headers['x-frame-options'], 'DENY');
  t.equal(headers['x-remove-me'], undefined);
});

t.test('hop-by-hop fields, Leaseway-* and claims of strangers stay here', async t => {
  const { seen, headers } = await ask('/x', {
    headers: {
      Connection: 'close, X-Hop',
      'X-Hop': '1',
      'Keep-Alive': 'timeout=5',
      TE: 'gzip, trailers',
      'Proxy-Connection': 'close',
      'Leaseway-Resume': 'forged',
      'X-Forwarded-For': '203.0.113.9',
      Forwarded: 'for=203.0.113.9',
      'X-Real-IP': '203.0.113.9',
      'X-Request-Id': 'mine',
    },
  });
  for (const name of ['x-hop', 'keep-alive', 'proxy-connection', 'leaseway-resume', 'forwarded', 'x-real-ip'])
    t.equal(seen.headers[name], undefined, name);
  t.equal(seen.headers.te, 'trailers');
  t.equal(seen.headers['x-forwarded-for'], '127.0.0.1');
  t.equal(seen.headers['x-forwarded-proto'], 'http');
  t.match(seen.headers.via, /^1\.1 leaseway$/);
  t.not(seen.headers['x-request-id'], 'mine');
  t.match(seen.headers['x-request-id'], /^[0-9a-f]{32}$/);
  t.equal(headers['leaseway-internal'], undefined);
  t.equal(headers.via, '1.1 leaseway');
});

t.test('a trusted proxy is believed, as far as the rightmost stranger', async t => {
  const { seen } = await ask('/x', {
    localAddress: '127.0.0.3',
    headers: {
      'X-Forwarded-For': '198.51.100.1, 203.0.113.9',
      'X-Forwarded-Proto': 'https',
      'X-Request-Id': 'edge-7',
    },
  });
  t.equal(seen.headers['x-forwarded-for'], '198.51.100.1, 203.0.113.9, 127.0.0.3');
  t.equal(seen.headers['x-forwarded-proto'], 'https');
  t.equal(seen.headers['x-request-id'], 'edge-7');
  const inside = await ask('/private', {
    localAddress: '127.0.0.3',
    headers: { 'X-Forwarded-For': '10.1.2.3' },
  });
  t.equal(inside.status, 200);
  const outside = await ask('/private', {
    localAddress: '127.0.0.3',
    headers: { 'X-Forwarded-For': '10.1.2.3, 203.0.113.9' },
  });
  t.equal(outside.status, 403);
  t.equal((await ask('/private', { headers: { 'X-Forwarded-For': '10.1.2.3' } })).status, 403);
});

t.test('a canary gets its share', async t => {
  let canary = 0;
  for (let i = 0; i < 400; i++) if ((await ask('/canary')).seen.backend === 'b') canary += 1;
  t.ok(canary > 15 && canary < 75, `${canary} of 400 at a weight of a tenth`);
});

t.test('a client that sends too fast is told when to come back', async t => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask('/limited')));
  const refused = answers.filter(({ status }) => status === 429);
  t.ok(refused.length >= 8, `${refused.length} of 12 refused at a burst of 3, over both workers`);
  t.ok(Number(refused[0]!.headers['retry-after']) >= 1);
  t.match(refused[0]!.text, /TOO_MANY_REQUESTS/);
});

t.test('a body over the route’s limit is refused, announced or not', async t => {
  t.equal(
    (await ask('/small', { method: 'POST', body: 'x'.repeat(1024), headers: { 'content-length': 1024 } }))
      .status,
    200,
  );
  t.equal(
    (await ask('/small', { method: 'POST', body: 'x'.repeat(2048), headers: { 'content-length': 2048 } }))
      .status,
    413,
  );
  const chunked = await ask('/small', {
    method: 'POST',
    body: 'x'.repeat(2048),
    headers: { 'transfer-encoding': 'chunked' },
  });
  t.equal(chunked.status, 413);
});

/** What comes back on a raw connection until it is closed. */
async function raw(t: Test, port: number, bytes: string, host = '127.0.0.2'): Promise<string> {
  const socket = connect({ port, host, localAddress: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(bytes);
  let text = '';
  socket.setEncoding('latin1').on('data', chunk => {
    text += chunk;
  });
  await once(socket, 'close');
  return text;
}

t.test(
  'the PROXY protocol names the client where it is required, and nothing else is served there',
  async t => {
    const port = leaseway.port(1);
    const get = 'GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n';
    const proxied = await raw(t, port, `PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n${get}`);
    t.match(proxied, /"x-forwarded-for":"203\.0\.113\.7"/);
    t.equal(await raw(t, port, get), '', 'without it the connection is closed');
  },
);

t.test('errors are small, in the form the client asked for, with an id to look up', async t => {
  const plain = await ask('/small', { method: 'POST', headers: { 'content-length': 9999 } });
  t.match(plain.text, /^413 BODY_TOO_LARGE: .*\nrequest id: [0-9a-f]{32}\n$/);
  const json = await ask('/x%00', { headers: { Accept: 'application/json' } });
  t.match(JSON.parse(json.text), { error: { code: 'BAD_REQUEST', request_id: /^[0-9a-f]{32}$/ } });
});
