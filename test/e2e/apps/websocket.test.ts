// WebSockets by `ws` on both sides: HTTP/1.1 and HTTP/2 (RFC 8441) in every combination, listed and ended by the admin API.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import WebSocket, { WebSocketServer } from 'ws';
import { streamBackend } from '../../support/backends.ts';
import { acceptH2, h2WebSocket } from '../../support/h2-websocket.ts';
import { Leaseway } from '../../support/leaseway.ts';

const MB = 1 << 20;
const CONNECTIONS = 200;
const OFFERED = 'chat.v2, chat.v1';

/** What servers heard of the ends of connections, by the path that was asked for. */
const ends = new Map<string, { code: number; reason: string }>();
const pings = new Map<string, string>();

/** Echoes, and does what it is told: `close:CODE`, `ping`. */
function serve(socket: WebSocket, path: string): void {
  socket.on('message', (data: Buffer, isBinary) => {
    const text = isBinary ? '' : data.toString();
    if (text.startsWith('close:')) socket.close(Number(text.slice(6)), 'as you wish');
    else if (text === 'ping') socket.ping('from the server');
    else socket.send(data, { binary: isBinary });
  });
  socket.on('ping', data => pings.set(path, data.toString()));
  socket.on('pong', data => socket.send(`pong:${data}`));
  socket.on('close', (code, reason) => ends.set(path, { code, reason: reason.toString() }));
  socket.on('error', () => {});
}

const choose = (offered: readonly string[]): string => (offered.includes('chat.v1') ? 'chat.v1' : '');

const http = createServer();
const server = new WebSocketServer({
  server: http,
  perMessageDeflate: true,
  handleProtocols: offered => choose([...offered]) || false,
  verifyClient: ({ req }, done) =>
    req.url === '/forbidden' ? done(false, 403, 'not for you', { 'x-why': 'because' }) : done(true),
});
server.on('connection', (socket, request) => serve(socket, request.url!));
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const h2 = await streamBackend(
  false,
  (stream, headers) => {
    if (headers[':method'] !== 'CONNECT' || headers[':path'] === '/forbidden')
      return stream.respond({ ':status': 403 }, { endStream: true });
    const offered = String(headers['sec-websocket-protocol'] ?? '').split(/, */);
    serve(acceptH2(stream, choose(offered)), String(headers[':path']));
  },
  () => {},
  { enableConnectProtocol: true },
);
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: [
      { name: 'over-h2', match: { headers: [{ name: 'x-to', exact: 'h2' }] }, cluster: 'h2' },
      { name: 'no-websocket', match: { path: '/plain' }, cluster: 'http1', websocket: false },
      { name: 'over-http1', cluster: 'http1' },
    ],
  },
  clusters: {
    http1: { backends: [{ id: 'echo', url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` }] },
    h2: { protocol: 'h2', backends: [{ id: 'echo-h2', url: h2.url }] },
  },
});
t.teardown(async () => {
  for (const socket of server.clients) socket.terminate();
  await leaseway[Symbol.asyncDispose]();
  http.closeAllConnections();
  http.close();
  await h2.close();
});

let paths = 0;
const nextPath = (): string => `/room-${++paths}`;

async function overHttp1(t: Test, path: string, to: string, options: WebSocket.ClientOptions = {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}${path}`, OFFERED.split(', '), {
    headers: { 'x-to': to },
    perMessageDeflate: false,
    ...options,
  });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

async function overHttp2(t: Test, path: string, to: string): Promise<WebSocket> {
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  t.equal(session.remoteSettings.enableConnectProtocol, true, 'the proxy offers RFC 8441');
  const socket = await h2WebSocket(session, path, { 'x-to': to, 'sec-websocket-protocol': OFFERED });
  t.teardown(() => socket.terminate());
  return socket;
}

const next = async (socket: WebSocket): Promise<Buffer> => (await once(socket, 'message'))[0];

for (const [name, open, to] of [
  ['HTTP/1.1 to HTTP/1.1', overHttp1, 'http1'],
  ['HTTP/1.1 to HTTP/2', overHttp1, 'h2'],
  ['HTTP/2 to HTTP/1.1', overHttp2, 'http1'],
  ['HTTP/2 to HTTP/2', overHttp2, 'h2'],
] as const) {
  t.test(`${name}: messages of 1 MB, fragments, ping and pong, subprotocol`, async t => {
    const path = nextPath();
    const socket = await open(t, path, to);
    t.equal(socket.protocol, 'chat.v1', 'the server’s choice of what the client offered');
    for (let i = 0; i < 8; i++) {
      const message = randomBytes(MB);
      socket.send(message);
      t.ok((await next(socket)).equals(message), '1 MB there and back');
    }
    const pieces = Array.from({ length: 20 }, () => randomBytes(10_000));
    const whole = next(socket);
    for (const [i, piece] of pieces.entries()) {
      socket.send(piece, { fin: i === pieces.length - 1 });
      // A control frame may come between two fragments.
      if (i === 10) socket.ping('between');
    }
    t.ok((await whole).equals(Buffer.concat(pieces)), 'twenty fragments are one message');
    await leaseway.until(() => pings.get(path) === 'between');
    socket.ping('from the client');
    t.equal(String((await once(socket, 'pong'))[0]), 'from the client');
    const ping = once(socket, 'ping');
    socket.send('ping');
    t.equal(String((await ping)[0]), 'from the server');
    t.equal(String(await next(socket)), 'pong:from the server');
  });

  t.test(`${name}: close codes both ways`, async t => {
    const path = nextPath();
    const leaving = await open(t, path, to);
    const left = once(leaving, 'close');
    leaving.close(4001, 'client’s reason');
    t.equal((await left)[0], 4001);
    await leaseway.until(() => ends.has(path));
    t.same(ends.get(path), { code: 4001, reason: 'client’s reason' });

    const sent = await open(t, nextPath(), to);
    const closed = once(sent, 'close');
    sent.send('close:4002');
    const [code, reason] = await closed;
    t.equal(code, 4002);
    t.equal(String(reason), 'as you wish');

    const lostPath = nextPath();
    const lost = await open(t, lostPath, to);
    lost.send('hello');
    await next(lost);
    lost.terminate();
    await leaseway.until(() => ends.has(lostPath));
    t.equal(ends.get(lostPath)!.code, 1006, 'a client that vanishes is no clean close to the server');
  });

  t.test(`${name}: listed with client, backend, age and bytes; ended by the admin API with 1012`, async t => {
    const path = nextPath();
    const socket = await open(t, path, to);
    socket.send(randomBytes(MB));
    await next(socket);
    const listed = await leaseway.until(async () => {
      const { body } = await leaseway.admin(`/v1/connections?cluster=${to}`);
      return body.items.find((one: { bytesOut: number }) => one.bytesOut > MB);
    });
    t.match(listed, {
      protocol: 'websocket',
      client: '127.0.0.1',
      cluster: to,
      route: `over-${to}`,
      backend: to === 'h2' ? 'echo-h2' : 'echo',
    });
    t.ok(listed.bytesIn > MB && listed.bytesIn < MB + 1000, `${listed.bytesIn} bytes in`);
    t.ok(listed.ageMs >= 0 && listed.ageMs < 30_000, `${listed.ageMs} ms old`);
    const again = await leaseway.until(async () => {
      const { body } = await leaseway.admin(`/v1/connections?cluster=${to}`);
      const one = body.items.find(({ id }: { id: string }) => id === listed.id);
      return one.ageMs > listed.ageMs && one;
    });
    t.equal(again.bytesIn, listed.bytesIn, 'it grows older, and nothing else');

    const closed = once(socket, 'close');
    t.equal((await leaseway.admin(`/v1/connections/${listed.id}`, 'DELETE')).status, 202);
    t.equal((await closed)[0], 1012);
    await leaseway.until(() => ends.has(path));
    t.equal(ends.get(path)!.code, 1012, 'the server is told the same');
    await leaseway.until(async () => {
      const { body } = await leaseway.admin(`/v1/connections?cluster=${to}`);
      return body.items.every(({ id }: { id: string }) => id !== listed.id);
    });
  });
}

t.test('a busy WebSocket over HTTP/2 is not taken for a flood', async t => {
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  const socket = await h2WebSocket(session, nextPath(), { 'x-to': 'http1' });
  for (let i = 0; i < 4; i++) {
    socket.send(randomBytes(MB));
    await next(socket);
  }
  // The proxy looks at each connection every half second.
  await leaseway.until(async () => {
    const { items } = (await leaseway.admin('/v1/connections?cluster=http1')).body;
    return items.some((one: { bytesIn: number; ageMs: number }) => one.bytesIn > 4 * MB && one.ageMs > 2_000);
  });
  socket.send('still here');
  t.equal(String(await next(socket)), 'still here');
});

t.test('compressed messages (permessage-deflate) pass as they are', async t => {
  const socket = await overHttp1(t, nextPath(), 'http1', { perMessageDeflate: true });
  t.match(socket.extensions, 'permessage-deflate');
  const text = 'all work and no play makes jack a dull boy\n'.repeat(25_000);
  socket.send(text);
  t.equal(String(await next(socket)), text);
  const taken = await leaseway.until(async () => {
    const { body } = await leaseway.admin('/v1/connections?cluster=http1');
    return body.total === 1 && body.items[0].bytesIn;
  });
  t.ok(taken < text.length / 10, `${text.length} bytes took ${taken}`);
});

t.test('a handshake that the server refuses reaches the client as it is', async t => {
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/forbidden`);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  t.equal(response.statusCode, 403);
  t.equal(response.headers['x-why'], 'because');
  t.equal(String(Buffer.concat(await response.toArray())), 'not for you');
  for (const to of ['http1', 'h2'])
    await t.rejects(overHttp2Forbidden(to), { message: 'answered 403' }, `over HTTP/2 to ${to}`);
});

async function overHttp2Forbidden(to: string): Promise<void> {
  const session = http2.connect(leaseway.url());
  try {
    await once(session, 'remoteSettings');
    await h2WebSocket(session, '/forbidden', { 'x-to': to });
  } finally {
    session.destroy();
  }
}

t.test('a route with websocket: false takes none', async t => {
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/plain`);
  socket.on('error', () => {});
  const [, response] = await once(socket, 'unexpected-response');
  t.ok(response.statusCode >= 400, String(response.statusCode));
  response.resume();
});

t.test(`${CONNECTIONS} connections at once, each with its own echo`, async t => {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => overHttp1(t, nextPath(), 'http1')),
  );
  const listed = await leaseway.until(async () => {
    const { body } = await leaseway.admin('/v1/connections?cluster=http1&limit=1000');
    return body.total === CONNECTIONS && body;
  });
  t.equal(new Set(listed.items.map(({ id }: { id: string }) => id)).size, CONNECTIONS);
  for (let round = 0; round < 5; round++) {
    const answers = await Promise.all(
      sockets.map(async (socket, i) => {
        const answer = next(socket);
        socket.send(`${round}:${i}`);
        return String(await answer);
      }),
    );
    t.same(
      answers,
      sockets.map((_, i) => `${round}:${i}`),
    );
  }
  const closed = sockets.map(socket => once(socket, 'close'));
  for (const socket of sockets) socket.close(1000);
  t.same(new Set((await Promise.all(closed)).map(([code]) => code)), new Set([1000]));
  await leaseway.until(async () => {
    const { backends } = await leaseway.status();
    return backends.every(
      (backend: { tunnels: number; inFlight: number }) => backend.tunnels === 0 && backend.inFlight === 0,
    );
  });
});
