// WebSockets that http-proxy carries: handshakes of every outcome, traffic, orderly ends, nothing left behind.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { type Clock, systemClock } from '../../../lib/core/clock.ts';
import { type Fields, hasField } from '../../../lib/core/fields.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import type { HttpProxyTunnel } from '../../../lib/data/websocket/http-proxy-tunnel.ts';
import { HttpProxyTunnels } from '../../../lib/data/websocket/http-proxy-tunnels.ts';
import type { TunnelEnd } from '../../../lib/data/websocket/live-tunnel.ts';
import { type Backend, deadPort, eachHead, goodBackend, rawBackend } from '../../support/backends.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { backendEntry, clusterEntry } from '../../support/upstreams.ts';

interface Front {
  readonly port: number;
  readonly tunnels: HttpProxyTunnels;
  readonly opened: HttpProxyTunnel[];
  readonly ends: TunnelEnd[];
  untilEnds(count: number): Promise<void>;
}

/** A client side as plain as can be: every upgrade becomes a tunnel. */
async function front(test: Test, url: string, clock: Clock = systemClock, idleMs = 0): Promise<Front> {
  const tunnels = new HttpProxyTunnels(clusterEntry(), backendEntry(url), { clock, random: seededRandom(1) });
  const opened: HttpProxyTunnel[] = [];
  const ends: TunnelEnd[] = [];
  const waiting: (() => void)[] = [];
  const server: Server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, rest: Buffer) => {
    const fields: string[] = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2)
      if (!/^(connection|upgrade)$/i.test(request.rawHeaders[i]!))
        fields.push(request.rawHeaders[i]!, request.rawHeaders[i + 1]!);
    tunnels.connect((failure, connection) => {
      if (connection === null) return void socket.end(`HTTP/1.1 502 ${failure!.code}\r\n\r\n`);
      open(connection);
    });
    const open = (connection: Socket): void => {
      const tunnel = tunnels.open({
        connection,
        head: {
          method: 'GET',
          target: request.url!,
          authority: request.headers.host!,
          scheme: 'http',
          fields,
          protocol: 'websocket',
          bodyLength: 0,
        },
        socket,
        rest,
        headTimeoutMs: 5000,
        idleMs,
        answered: (head): Fields => [...head.fields, 'Set-Cookie', 'lease=1', 'Set-Cookie', 'b=2'],
      });
      opened.push(tunnel);
      tunnel.onClose(end => {
        ends.push(end);
        for (const look of waiting) look();
      });
    };
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  test.teardown(() => {
    for (const tunnel of opened) tunnel.destroy();
    server.closeAllConnections();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    tunnels,
    opened,
    ends,
    untilEnds: count =>
      new Promise(resolve => {
        const look = (): void => void (ends.length >= count && resolve());
        waiting.push(look);
        look();
      }),
  };
}

/** An echo server of ws; the path it was asked for comes first. */
async function echoBackend(test: Test, secure = false): Promise<Backend> {
  const backend = await goodBackend({ protocol: 'http1', secure }, (_request, response) => {
    response.writeHead(426, { 'x-reason': 'no' });
    response.write('use ');
    response.end('websocket');
  });
  const server = new WebSocketServer({ noServer: true, maxPayload: 8_000_000 });
  backend.server.on('upgrade', (request, socket, head) => {
    server.handleUpgrade(request, socket, head, webSocket => {
      webSocket.send(request.url!);
      webSocket.on('message', (data, binary) => webSocket.send(data, { binary }));
      webSocket.on('close', code => {
        closeCodes.push(code);
        backend.changed();
      });
      webSocket.on('error', () => {});
    });
  });
  const closeCodes: number[] = [];
  codesOf.set(backend, closeCodes);
  test.teardown(() => backend.close());
  return backend;
}
const codesOf = new WeakMap<Backend, number[]>();

const message = async (socket: WebSocket): Promise<Buffer> =>
  ((await once(socket, 'message')) as [Buffer])[0];

const HANDSHAKE =
  'Host: app.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** What a client that speaks by hand gets until the connection ends. */
async function rawExchange(port: number, target = '/'): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  socket.write(`GET ${target} HTTP/1.1\r\n${HANDSHAKE}`);
  let text = '';
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return text;
}

for (const secure of [false, true]) {
  t.test(`messages pass both ways, 1 MB ones too (TLS to the backend: ${secure})`, async test => {
    const warnings: string[] = [];
    const warned = (warning: Error): void => void warnings.push(warning.message);
    process.on('warning', warned);
    const backend = await echoBackend(test, secure);
    const { port, opened, ends, untilEnds } = await front(test, backend.url);
    const client = new WebSocket(`ws://127.0.0.1:${port}/a//b/c?d=%20`);
    const greeting = message(client);
    const [answer] = (await once(client, 'upgrade')) as [IncomingMessage];
    test.same(answer.headers['set-cookie'], ['lease=1', 'b=2']);
    test.equal(String(await greeting), '/a//b/c?d=%20');
    const big = Buffer.alloc(1_000_000, 'x');
    client.send(big);
    test.equal((await message(client)).length, big.length);
    test.ok(opened[0]!.bytesIn > 1_000_000);
    test.ok(opened[0]!.bytesOut > 1_000_000);
    client.close(1000);
    await untilEnds(1);
    test.same(ends, [{ kind: 'closed', detail: '' }]);
    await backend.until(() => backend.sockets.size === 0);
    process.off('warning', warned);
    test.same(warnings, [], 'not even DEP0060');
  });
}

t.test('end sends 1012 to client and backend, between two frames', async test => {
  const backend = await echoBackend(test);
  const { port, opened, ends, untilEnds } = await front(test, backend.url);
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  await message(client);
  client.on('message', () => {});
  for (let i = 0; i < 20; i++) client.send(Buffer.alloc(50_000));
  await once(client, 'message');
  opened[0]!.end(1012);
  const [code] = (await once(client, 'close')) as [number];
  test.equal(code, 1012);
  await untilEnds(1);
  test.equal(ends[0]!.kind, 'ended');
  await backend.until(() => backend.sockets.size === 0);
  await backend.until(() => codesOf.get(backend)!.length === 1);
  test.same(codesOf.get(backend), [1012]);
});

t.test('an answer other than 101 reaches the client whole, with its own framing', async test => {
  const backend = await rawBackend(false, socket =>
    eachHead(socket, head => {
      if (head.startsWith('GET /sized')) {
        socket.write('HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 4\r\n\r\nnope');
      } else if (head.startsWith('GET /cut')) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nnope');
      } else {
        socket.write('HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n');
      }
    }),
  );
  test.teardown(() => backend.close());
  const { port, opened, ends, untilEnds } = await front(test, backend.url);
  const sized = await rawExchange(port, '/sized');
  test.match(sized, /^HTTP\/1\.1 403 Forbidden\r\nX-Why: no\r\nContent-Length: 4\r\n/);
  test.match(sized, /\r\nSet-Cookie: lease=1\r\n/);
  test.match(sized, /\r\n\r\nnope$/);
  const chunked = await rawExchange(port, '/chunked');
  test.match(chunked, /\r\nTransfer-Encoding: chunked\r\n/);
  test.match(chunked, /\r\n\r\n4\r\nnope\r\n0\r\n\r\n$/);
  const cut = await rawExchange(port, '/cut');
  test.match(cut, /\r\n\r\n(nope)?$|^$/);
  await untilEnds(3);
  test.same(
    ends.map(end => end.kind),
    ['refused', 'refused', 'refused'],
  );
  test.match(ends[2]!.detail, /cut short/);
  test.equal(opened[0]!.status, 403);
  await backend.until(() => backend.sockets.size === 0);
});

t.test(
  'a backend that is not there, resets or talks nonsense: 502, and the reason for the log',
  async test => {
    const nonsense = await rawBackend(false, (socket, number) => {
      if (number === 1) socket.once('data', () => socket.resetAndDestroy());
      else socket.once('data', () => socket.end('SSH-2.0-OpenSSH\r\n'));
    });
    test.teardown(() => nonsense.close());
    const dead = await front(test, `http://127.0.0.1:${await deadPort()}`);
    test.match(
      await rawExchange(dead.port),
      /^HTTP\/1\.1 502 CONNECT_FAILED/,
      'known before the client’s socket is given away',
    );
    test.equal(dead.opened.length, 0);
    const bad = await front(test, nonsense.url);
    test.match(await rawExchange(bad.port), /^HTTP\/1\.1 502 /);
    test.match(await rawExchange(bad.port), /^HTTP\/1\.1 502 /);
    test.same(
      bad.opened.map(tunnel => tunnel.reason?.code),
      ['ANSWER_CUT', 'BAD_ANSWER'],
    );
  },
);

t.test('a backend that does not answer the handshake: 504 after the head timeout', async test => {
  const clock = new FakeClock();
  const backend = await rawBackend(false, socket => {
    socket.once('data', () => {
      asked = true;
      backend.changed();
    });
  });
  let asked = false;
  test.teardown(() => backend.close());
  const { port, opened, untilEnds } = await front(test, backend.url, clock);
  const answer = rawExchange(port);
  await backend.until(() => asked);
  clock.advance(5000);
  test.match(await answer, /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
  await untilEnds(1);
  test.equal(opened[0]!.reason?.code, 'HEAD_TIMEOUT');
  await backend.until(() => backend.sockets.size === 0);
  test.equal(clock.pending, 0);
});

t.test('a client that leaves during the handshake frees the backend', async test => {
  const backend = await rawBackend(false, socket => socket.resume());
  test.teardown(() => backend.close());
  const { port, ends, untilEnds, tunnels } = await front(test, backend.url);
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\n${HANDSHAKE}`);
  await backend.until(() => backend.accepted === 1);
  socket.resetAndDestroy();
  await untilEnds(1);
  test.equal(ends[0]!.kind, 'client_lost');
  await backend.until(() => backend.sockets.size === 0);
  while (tunnels.connections > 0) await new Promise(resolve => setImmediate(resolve));
  test.equal(tunnels.connections, 0);
});

t.test('a hundred clients that vanish leave no connection to the backend', async test => {
  const backend = await echoBackend(test);
  const { port, ends, untilEnds, tunnels } = await front(test, backend.url);
  const clients = Array.from({ length: 100 }, () => new WebSocket(`ws://127.0.0.1:${port}/`));
  await Promise.all(clients.map(client => message(client)));
  test.equal(backend.sockets.size, 100);
  for (const [index, client] of clients.entries()) {
    client.on('error', () => {});
    const raw = (client as unknown as { _socket: Socket })._socket;
    if (index % 2 === 0) raw.resetAndDestroy();
    else raw.destroy();
  }
  await untilEnds(100);
  await backend.until(() => backend.sockets.size === 0);
  test.equal(ends.length, 100);
  while (tunnels.connections > 0) await new Promise(resolve => setImmediate(resolve));
  test.equal(tunnels.connections, 0);
});

t.test('a backend that vanishes closes the client', async test => {
  const backend = await echoBackend(test);
  const { port, ends, untilEnds } = await front(test, backend.url);
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  await message(client);
  for (const socket of backend.sockets) socket.resetAndDestroy();
  const [code] = (await once(client, 'close')) as [number];
  test.equal(code, 1006);
  await untilEnds(1);
  test.equal(ends[0]!.kind, 'backend_lost');
});

t.test('a tunnel through which nothing passes is ended with 1001', async test => {
  const clock = new FakeClock();
  const backend = await echoBackend(test);
  const { port, ends, untilEnds } = await front(test, backend.url, clock, 8000);
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  await message(client);
  const closed = once(client, 'close');
  clock.advance(16_000);
  const [code] = (await closed) as [number];
  test.equal(code, 1001);
  await untilEnds(1);
  test.equal(ends[0]!.kind, 'idle');
});

t.test('fields keep their case and repeats on the way to the backend', async test => {
  let head = '';
  const backend = await rawBackend(false, socket =>
    eachHead(socket, text => {
      head = text;
      socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n');
    }),
  );
  test.teardown(() => backend.close());
  const { port } = await front(test, backend.url);
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET / HTTP/1.1\r\nX-MiXed: 1\r\nx-mixed: 2\r\n${HANDSHAKE}`);
  socket.resume();
  await once(socket, 'close');
  const lines = head.split('\r\n');
  test.ok(lines.includes('X-MiXed: 1'));
  test.ok(lines.includes('X-MiXed: 2'));
  test.ok(lines.includes('Host: app.example'));
  test.equal(lines.filter(line => /^connection:/i.test(line)).length, 1);
  test.notOk(hasField(lines, 'x-forwarded-for'));
});
