// Checks against real servers: HTTP/1.1, HTTP/2, TLS, TCP, and what operators read when they fail.

import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createH2, createSecureServer } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { Cluster, type ClusterConfig } from '../../../../lib/config/cluster.ts';
import { type CheckResult, checkOf } from '../../../../lib/control/backend/health/check.ts';
import { CheckTls } from '../../../../lib/control/backend/health/tls.ts';
import { systemClock } from '../../../../lib/core/clock.ts';
import { AUTHORITY, CERTIFICATE, PRIVATE_KEY } from '../../../support/backend-certificate.ts';
import { eventually } from '../../../support/eventually.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { MemoryLog } from '../../../support/memory-log.ts';

const TLS = { cert: CERTIFICATE, key: PRIVATE_KEY };
const caFile = join(mkdtempSync(join(tmpdir(), 'leaseway-check-')), 'ca.pem');
writeFileSync(caFile, AUTHORITY);

interface Running extends AsyncDisposable {
  readonly port: number;
  readonly sockets: Set<Socket>;
  readonly accepted: () => number;
}

async function listening(server: Server): Promise<Running> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on('connection', socket => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

const config = (health: object, more: object = {}): ClusterConfig => Cluster.parse({ health, ...more });

function check(url: string, cluster: ClusterConfig, clock = systemClock): Promise<CheckResult> {
  const tls = new CheckTls(cluster.tls, clock, new MemoryLog());
  return checkOf(url, cluster.health!, cluster, tls, clock)();
}

const answering =
  (status: number): RequestListener =>
  (request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers.host} ${request.headers['user-agent']}`);
    response.writeHead(status, { location: '/elsewhere' }).end('body');
  };
const seen: string[] = [];

t.test('a status of 2xx or 3xx is healthy, others say their number', async t => {
  for (const [status, ok] of [
    [200, true],
    [204, true],
    [301, true],
    [404, false],
    [503, false],
  ] as const) {
    await using server = await listening(createHttp(answering(status)));
    const result = await check(`http://127.0.0.1:${server.port}`, config({ http: {} }));
    t.same(result, { ok, detail: `HTTP ${status}` });
  }
});

t.test('configured statuses, path and host are used', async t => {
  await using server = await listening(createHttp(answering(404)));
  seen.length = 0;
  const http = { path: '/healthz?full=1', host: 'app.test', status: [404] };
  t.same(await check(`http://127.0.0.1:${server.port}`, config({ http })), { ok: true, detail: 'HTTP 404' });
  t.same(seen, ['GET /healthz?full=1 app.test leaseway-check']);
});

t.test('a check leaves no connection behind', async t => {
  await using server = await listening(createHttp(answering(200)));
  for (let i = 0; i < 5; i++) await check(`http://127.0.0.1:${server.port}`, config({ http: {} }));
  await eventually(new FakeClock(), () => server.sockets.size === 0);
  t.equal(server.sockets.size, 0);
});

t.test('HTTP/2 by prior knowledge and by ALPN', async t => {
  const handler = answering(200) as never;
  await using plain = await listening(createH2(handler));
  t.same(await check(`http://127.0.0.1:${plain.port}`, config({ http: {} }, { protocol: 'h2' })), {
    ok: true,
    detail: 'HTTP 200',
  });
  await using secure = await listening(createSecureServer(TLS, handler));
  for (const protocol of ['h2', 'auto'])
    t.same(
      await check(
        `https://127.0.0.1:${secure.port}`,
        config({ http: {} }, { protocol, tls: { ca: caFile } }),
      ),
      { ok: true, detail: 'HTTP 200' },
      protocol,
    );
  await using old = await listening(createHttps(TLS, answering(200)));
  t.same(
    await check(
      `https://127.0.0.1:${old.port}`,
      config({ http: {} }, { protocol: 'auto', tls: { ca: caFile } }),
    ),
    { ok: true, detail: 'HTTP 200' },
    'auto falls back to HTTP/1.1',
  );
});

t.test('TLS is verified as the cluster says', async t => {
  await using server = await listening(createHttps(TLS, answering(200)));
  const url = `https://127.0.0.1:${server.port}`;
  const withTls = (tls: object) => check(url, config({ http: {} }, { tls }));
  t.match(await withTls({}), { ok: false, detail: 'certificate is of an unknown authority' });
  t.match(await withTls({ ca: caFile }), { ok: true });
  t.match(await withTls({ verify: false }), { ok: true });
  t.match(await withTls({ ca: caFile, server_name: 'backend.test' }), { ok: true });
  t.match(await withTls({ ca: caFile, server_name: 'other.test' }), {
    ok: false,
    detail: 'certificate is for another name',
  });
});

t.test('TCP: a connection that opens is healthy', async t => {
  await using server = await listening(createTcp());
  const url = `http://127.0.0.1:${server.port}`;
  t.same(await check(url, config({ tcp: true })), { ok: true, detail: 'connected' });
});

t.test('what an operator reads when a backend is not there or answers nonsense', async t => {
  const gone = await listening(createTcp());
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  for (const health of [{ tcp: true }, { http: {} }, { grpc: {} }])
    t.same(await check(`http://127.0.0.1:${port}`, config(health)), {
      ok: false,
      detail: 'connection refused',
    });
  t.same(await check(`http://no-such-host.invalid:1`, config({ tcp: true })).then(r => r.ok), false);

  await using resetting = await listening(createTcp(socket => socket.resetAndDestroy()));
  t.match(await check(`http://127.0.0.1:${resetting.port}`, config({ http: {} })), {
    ok: false,
    detail: /connection (reset|closed)|socket hang up/,
  });
  await using nonsense = await listening(createTcp(socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n')));
  t.match(await check(`http://127.0.0.1:${nonsense.port}`, config({ http: {} })), {
    ok: false,
    detail: /^not valid HTTP/,
  });
  for (const health of [{ http: {} }, { grpc: {} }])
    t.match(await check(`http://127.0.0.1:${nonsense.port}`, config(health, { protocol: 'h2' })), {
      ok: false,
    });
  await using http1 = await listening(createHttps(TLS, answering(200)));
  t.same(
    await check(
      `https://127.0.0.1:${http1.port}`,
      config({ grpc: {} }, { protocol: 'h2', tls: { verify: false } }),
    ).then(r => r.ok),
    false,
  );
});

t.test('a backend that hangs is given up after the time-out, whatever stage it hangs in', async t => {
  await using silent = await listening(createTcp(socket => socket.resume()));
  const cases: readonly (readonly [string, object, object])[] = [
    ['http', { http: {} }, {}],
    ['http', { http: {} }, { protocol: 'h2' }],
    ['http', { grpc: {} }, {}],
    ['https', { http: {} }, {}],
  ];
  for (const [scheme, health, more] of cases) {
    const clock = new FakeClock();
    const before = silent.accepted();
    const result = check(`${scheme}://127.0.0.1:${silent.port}`, config(health, more), clock);
    await eventually(clock, () => silent.accepted() > before, 1);
    clock.advance(1_000);
    t.same(await result, { ok: false, detail: 'timed out after 1s' });
    t.equal(clock.pending, 0);
  }
  await eventually(new FakeClock(), () => silent.sockets.size === 0);
  t.pass('and no connection is left');
});

t.test('certificate files that cannot be read are said once', async t => {
  const log = new MemoryLog();
  const clock = new FakeClock();
  const tls = new CheckTls(config({ tcp: true }, { tls: { ca: '/no/such/file' } }).tls, clock, log);
  t.equal(tls.context(), undefined);
  clock.advance(60_000);
  tls.context();
  t.equal(log.count('error', 'cannot be used'), 1);
});
