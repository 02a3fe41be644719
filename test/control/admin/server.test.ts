import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { createAdminServer } from '../../../lib/control/admin/server.ts';
import { LeasewayError } from '../../../lib/core/errors.ts';
import { silentLog } from '../../../lib/core/log.ts';
import { adminFixture, call, TOKEN } from '../../support/admin-fixture.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { FakeControl } from '../../support/fake-control.ts';

t.test('probes answer in text', async t => {
  const { call, control } = await adminFixture(t);
  const live = await call('GET', '/livez');
  t.equal(live.status, 200);
  t.equal(live.text, 'ok\n');
  t.equal((await call('GET', '/readyz')).text, 'ok\n');
  control.status_ = { ...control.status_, ready: false, notReady: ['worker 1 does not listen yet'] };
  const ready = await call('GET', '/readyz');
  t.equal(ready.status, 503);
  t.equal(ready.text, 'worker 1 does not listen yet\nnot ready\n');
  control.status_ = { ...control.status_, ready: true, notReady: [], stopping: true };
  t.equal((await call('GET', '/readyz')).status, 503, 'a stopping process is not ready');
  t.match(
    (await call('GET', '/readyz?verbose')).text,
    /\[\+\] worker 0\n(.*\n)*\[-\] the process is stopping\nnot ready\n$/,
  );
  const metrics = await call('GET', '/metrics');
  t.equal(metrics.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  t.equal(metrics.text, 'leaseway_ready 1\n'.replace(/^/, '# TYPE leaseway_ready gauge\n'));
});

t.test('every answer forbids caching, sniffing and framing', async t => {
  const { call } = await adminFixture(t);
  for (const path of ['/livez', '/v1/status', '/nothing']) {
    const { headers } = await call('GET', path);
    t.equal(headers['cache-control'], 'no-store');
    t.equal(headers['x-content-type-options'], 'nosniff');
    t.match(headers['content-security-policy'], /frame-ancestors 'none'/);
    t.notOk(headers['access-control-allow-origin']);
  }
});

t.test('HEAD answers as GET does, without a body', async t => {
  const { call } = await adminFixture(t);
  const head = await call('HEAD', '/v1/status');
  t.equal(head.status, 200);
  t.equal(head.text, '');
  t.ok(Number(head.headers['content-length']) > 100);
});

t.test('status and backends carry the revision, in the body and as ETag', async t => {
  const { call } = await adminFixture(t);
  const status = await call('GET', '/v1/status');
  t.equal(status.headers.etag, '"7"');
  t.match(status.json, { revision: 7, pid: 4242, backends: { length: 3 } });
  t.match((await call('GET', '/v1/backends')).json, { revision: 7, items: { length: 3 } });
  t.match((await call('GET', '/v1/backends?cluster=chat')).json.items, [{ id: 'chat-1' }]);
  t.match((await call('GET', '/v1/backends/web/web-1')).json.backend, { inFlight: 2, tunnels: 3 });
});

t.test('an unknown backend is named, and so are those there are', async t => {
  const { call } = await adminFixture(t);
  const backend = await call('GET', '/v1/backends/web/nope');
  t.equal(backend.status, 404);
  t.equal(backend.headers['content-type'], 'application/problem+json');
  t.match(backend.json, { code: 'NOT_FOUND', status: 404, title: 'Not Found', retryable: false });
  t.match(backend.json.detail, /web has no backend nope; it has web-1, web-2/);
  t.match((await call('GET', '/v1/backends/nope/web-1')).json.detail, /clusters with backends are web, chat/);
});

t.test('connections are filtered and limited', async t => {
  const { call, control } = await adminFixture(t);
  control.connections_ = ['1', '2', '3'].map(n => ({
    id: `0-${n}`,
    protocol: 'websocket',
    client: `10.0.0.${n}`,
    route: 'all',
    cluster: n === '3' ? 'chat' : 'web',
    backend: 'web-1',
    slot: 0,
    movable: true,
    ageMs: 10,
    bytesIn: 1,
    bytesOut: 2,
  }));
  t.equal((await call('GET', '/v1/connections')).json.total, 3);
  t.match((await call('GET', '/v1/connections?cluster=web&limit=1')).json, {
    total: 2,
    items: { length: 1 },
  });
  t.match((await call('GET', '/v1/connections?client=10.0.0.2')).json.items, [{ id: '0-2' }]);
  for (const bad of ['limit=0', 'limit=x', 'limit=1&limit=2', 'backnd=web-1', '__proto__=1'])
    t.equal((await call('GET', `/v1/connections?${bad}`)).status, 400, bad);
  t.equal((await call('DELETE', '/v1/connections/0-2', { write: true })).status, 202);
  t.same(control.calls, ['end 0-2']);
});

t.test('writes reach the control plane and answer what has become of it', async t => {
  const { call, control } = await adminFixture(t);
  const drained = await call('POST', '/v1/backends/web/web-1/drain', {
    write: true,
    body: { deadline: '5m' },
  });
  t.equal(drained.status, 200);
  t.match(drained.json, { revision: 8, backend: { id: 'web-1', state: 'draining' } });
  await call('POST', '/v1/backends/web/web-1/drain', { write: true });
  await call('POST', '/v1/backends/web/web-1/undrain', { write: true });
  await call('POST', '/v1/backends/web/web-1/maintenance', { write: true });
  await call('PUT', '/v1/backends/web/web-1/weight', { write: true, body: { weight: 2 } });
  await call('PUT', '/v1/backends/web/web-1/weight', { write: true, body: { weight: null } });
  const added = await call('POST', '/v1/clusters/web/backends', {
    write: true,
    body: { url: 'http://10.0.0.9:8000' },
  });
  t.equal(added.status, 201);
  t.equal(added.json.backend.id, '10.0.0.9:8000');
  const removed = await call('DELETE', '/v1/backends/web/10.0.0.9%3A8000', { write: true });
  t.same([removed.status, removed.json], [200, { revision: 15 }]);
  t.match(await call('POST', '/v1/reload', { write: true }), {
    status: 200,
    json: { generation: 4, changes: ['+ cluster chat'] },
  });
  t.match((await call('POST', '/v1/upgrade', { write: true })).json, { pid: 4343 });
  t.equal((await call('POST', '/v1/shutdown', { write: true })).status, 202);
  t.same(control.calls, [
    'drain web web-1 300000',
    'drain web web-1 undefined',
    'undrain web web-1',
    'maintenance web web-1',
    'weight web web-1 2',
    'weight web web-1 null',
    'add web 10.0.0.9:8000 http://10.0.0.9:8000 1',
    'remove web 10.0.0.9:8000',
    'reload',
    'upgrade',
    'shutdown',
  ]);
});

t.test(
  'a read says where the token is, where only this machine reaches it, to who has sent none',
  async t => {
    const { call } = await adminFixture(t, { tokenFile: '/state ä/admin-token' });
    const field = async (headers: Record<string, string>): Promise<unknown> =>
      (await call('GET', '/livez', { headers })).headers['leaseway-token-file'];
    const token = { authorization: `Bearer ${TOKEN}` };
    t.equal(await field({}), '/state%20%C3%A4/admin-token');
    t.equal(await field(token), undefined);
    const elsewhere = await adminFixture(t, { config: { address: '0.0.0.0:0', token_file: '/x' } });
    const { status, headers } = await elsewhere.call('GET', '/livez', { headers: token });
    t.equal(status, 200);
    t.equal(headers['leaseway-token-file'], undefined);
  },
);

t.test('a write that is not admitted, not current or not well-formed changes nothing', async t => {
  const { call, control } = await adminFixture(t);
  const drain = '/v1/backends/web/web-1/drain';
  const token = { authorization: `Bearer ${TOKEN}` };
  const table: [
    what: string,
    status: number,
    code: string,
    path: string,
    more: Parameters<typeof call>[2],
  ][] = [
    ['no token', 401, 'UNAUTHORIZED', drain, { headers: { 'if-match': '*' } }],
    ['wrong token', 401, 'UNAUTHORIZED', drain, { headers: { authorization: 'Bearer no', 'if-match': '*' } }],
    ['no If-Match', 428, 'BAD_REQUEST', drain, { headers: token }],
    ['another revision', 412, 'CONFLICT', drain, { headers: { ...token, 'if-match': '"6"' } }],
    ['a weak tag', 400, 'BAD_REQUEST', drain, { headers: { ...token, 'if-match': 'W/"7"' } }],
    ['a rebound name', 403, 'FORBIDDEN', drain, { write: true, headers: { host: 'evil.example' } }],
    ['another origin', 403, 'FORBIDDEN', drain, { write: true, headers: { origin: 'http://evil.example' } }],
    [
      'a form',
      415,
      'BAD_REQUEST',
      drain,
      { write: true, body: '{}', headers: { 'content-type': 'text/plain' } },
    ],
    ['no JSON', 400, 'BAD_REQUEST', drain, { write: true, body: '{' }],
    ['a list', 400, 'BAD_REQUEST', drain, { write: true, body: [] }],
    ['an unknown key', 400, 'BAD_REQUEST', drain, { write: true, body: { deadlin: '5m' } }],
    ['no duration', 400, 'BAD_REQUEST', drain, { write: true, body: { deadline: 'soon' } }],
    ['too much', 413, 'BODY_TOO_LARGE', drain, { write: true, body: `"${'x'.repeat(70_000)}"` }],
    ['unknown backend', 404, 'NOT_FOUND', '/v1/backends/web/nope/drain', { write: true }],
    ['no encoding', 400, 'BAD_REQUEST', '/v1/backends/web/%zz/drain', { write: true }],
    ['no weight', 400, 'BAD_REQUEST', '/v1/clusters/web/backends', { write: true, body: {} }],
    [
      'a URL with a path',
      400,
      'BAD_REQUEST',
      '/v1/clusters/web/backends',
      { write: true, body: { url: 'http://a/b' } },
    ],
    ['unknown path', 404, 'NOT_FOUND', '/v1/nothing', { write: true }],
    ['another method', 405, 'METHOD_REFUSED', '/v1/status', { write: true }],
  ];
  for (const [what, status, code, path, more] of table) {
    const reply = await call('POST', path, more);
    t.equal(reply.status, status, what);
    t.equal(reply.json.code, code, what);
    t.ok(reply.json.detail.length > 10, what);
  }
  t.same(control.calls, []);
  t.equal(control.revision, 7);
  t.equal((await call('POST', '/v1/status', { write: true })).headers.allow, 'GET, HEAD');
});

t.test('a chunked body is bounded too', async t => {
  const { port, control } = await adminFixture(t);
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
  socket.write(
    `POST /v1/backends/web/web-1/drain HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${TOKEN}\r\nIf-Match: *\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(6)}0\r\n\r\n`,
  );
  const [answer] = await once(socket, 'data');
  t.match(String(answer), /^HTTP\/1\.1 413 /);
  socket.destroy();
  t.same(control.calls, []);
});

t.test('the current revision is accepted, once', async t => {
  const { call, control } = await adminFixture(t);
  const { headers } = await call('GET', '/v1/backends/web/web-1');
  const write = { authorization: `Bearer ${TOKEN}`, 'if-match': String(headers.etag) };
  t.equal((await call('POST', '/v1/backends/web/web-1/drain', { headers: write })).status, 200);
  const second = await call('POST', '/v1/backends/web/web-1/undrain', { headers: write });
  t.equal(second.status, 412);
  t.match(second.json.detail, /revision 8 by now/);
  t.equal(control.calls.length, 1);
});

t.test('operational errors keep code and detail; others are not told', async t => {
  const { call, control } = await adminFixture(t);
  control.reload_ = async () => {
    throw new LeasewayError('CONFIG_INVALID', 'leaseway.yaml:3:1 unknown key rotues: did you mean routes?');
  };
  t.match(await call('POST', '/v1/reload', { write: true }), {
    status: 422,
    json: { code: 'CONFIG_INVALID', detail: /leaseway\.yaml:3:1/ },
  });
  control.reload_ = async () => {
    throw new Error('secret path');
  };
  const reply = await call('POST', '/v1/reload', { write: true });
  t.equal(reply.status, 500);
  t.notMatch(reply.text, /secret path/);
});

t.test('an action that never ends is answered with 504', async t => {
  const clock = new FakeClock();
  const { call, control } = await adminFixture(t, { clock });
  const begun = Promise.withResolvers<void>();
  control.reload_ = () => {
    begun.resolve();
    return new Promise(() => {});
  };
  const reply = call('POST', '/v1/reload', { write: true });
  await begun.promise;
  clock.advance(30_000);
  t.match(await reply, { status: 504, json: { code: 'DEADLINE' } });
});

t.test('the index lists every path', async t => {
  const { call } = await adminFixture(t);
  const { text } = await call('GET', '/');
  for (const path of ['/livez', '/v1/backends/{cluster}/{id}/drain', '/v1/openapi.json']) t.match(text, path);
});

t.test('malformed HTTP is refused and the connection closed', async t => {
  const { port } = await adminFixture(t);
  const socket = connect(port, '127.0.0.1');
  socket.write('GARBAGE\r\n\r\n');
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  t.match(Buffer.concat(chunks).toString(), /^HTTP\/1\.1 400 Bad Request\r\nConnection: close/);
});

t.test('an address that others can reach needs a token file or client certificates', async t => {
  const options = {
    token: TOKEN,
    tokenFile: '/x',
    tls: null,
    actions: new FakeControl(),
    clock: new FakeClock(),
    log: silentLog,
  };
  for (const address of ['0.0.0.0:0', ':0', '[::]:0', 'proxy.example.org:0']) {
    const server = createAdminServer({ ...options, config: { address } });
    await t.rejects(server.listen({ address }), {
      code: 'CONFIG_INVALID',
      detail: /token_file.*127\.0\.0\.1/,
    });
  }
});

t.test('on an address that others can reach even reads need the token', async t => {
  const { port } = await adminFixture(t, { config: { address: '0.0.0.0:0', token_file: '/x' } });
  t.equal((await call(port, 'GET', '/livez')).status, 401);
  t.equal((await call(port, 'GET', '/livez', { headers: { authorization: `Bearer ${TOKEN}` } })).status, 200);
});

t.test('an inherited listening socket is served by the new process', async t => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port } = holder.address() as AddressInfo;
  const script = join(import.meta.dirname, '../../support/admin-on-fd.ts');
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'inherit', (holder as unknown as { _handle: { fd: number } })._handle.fd],
  });
  t.teardown(() => child.kill());
  const [line] = await once(child.stdout!, 'data');
  holder.close();
  t.match(JSON.parse(String(line)), { address: '127.0.0.1:0', port, fd: 3 });
  t.equal((await call(port, 'GET', '/livez')).status, 200);
});

t.test('update changes the token at once and binds anew only when it must', async t => {
  const { server, settings, port, call: ask } = await adminFixture(t);
  const other = 'another-token-0123456789';
  t.equal(await server.update({ ...settings, config: { address: '127.0.0.1:0' }, token: other }), null);
  t.equal((await ask('POST', '/v1/reload', { write: true })).status, 401);
  const moved = await server.update({ ...settings, config: { address: 'localhost:0' } });
  t.ok(moved!.port > 0 && moved!.port !== port);
  t.equal((await call(moved!.port, 'GET', '/livez', { host: 'localhost' })).status, 200);
  await t.rejects(ask('GET', '/livez'), { code: 'ECONNREFUSED' }, 'the old socket is closed');
});

t.test('writes and refusals are logged, refusals at most once a second', async t => {
  const lines: string[] = [];
  const note = (level: string) => (message: string, fields?: object) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  const log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };
  const clock = new FakeClock();
  const { call } = await adminFixture(t, { log, clock });
  await call('GET', '/v1/status');
  for (let i = 0; i < 5; i++) await call('POST', '/v1/reload');
  clock.advance(1_000);
  await call('POST', '/v1/reload');
  await call('POST', '/v1/reload', { write: true });
  t.match(lines, [
    /^warn admin request refused .*"status":401.*"unsaid":0/,
    /^warn admin request refused .*"unsaid":4/,
    /^info admin write .*"path":"\/v1\/reload","status":200,"client":"127\.0\.0\.1"/,
  ]);
  t.equal(lines.length, 3);
});
