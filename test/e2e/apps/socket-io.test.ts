// socket.io, server and client as published: long-polling over three backends lives by stickiness, and dies without it.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import t, { type Test } from 'tap';
import { Leaseway } from '../../support/leaseway.ts';

const CLIENTS = 20;
const WITHIN_MS = 10_000;

const http = ['one', 'two', 'three'].map(name => ({ name, server: createServer() }));
const servers = http.map(({ name, server }) => {
  const application = new Server(server, { serveClient: false });
  application.on('connection', socket => {
    socket.emit('welcome', name, socket.conn.transport.name);
    socket.on('echo', (value, answer) => answer({ from: name, value }));
    socket.on('count', (upTo: number) => {
      for (let i = 1; i <= upTo; i++) socket.emit('number', i);
    });
  });
  return application;
});
for (const { server } of http) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}
const backends = http.map(({ name, server }) => ({
  id: name,
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
}));
// Every request in turn to another backend: without a lease no session survives its second request.
const balance = { policy: 'round_robin' };
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: [
      { name: 'sticky', match: { path: '/sticky' }, rewrite: { prefix: '/' }, cluster: 'sticky' },
      { name: 'free', match: { path: '/free' }, rewrite: { prefix: '/' }, cluster: 'free' },
    ],
  },
  clusters: {
    sticky: { backends, balance, sticky: { by: 'cookie' } },
    free: { backends, balance },
  },
});
t.teardown(async () => {
  for (const server of servers) await server.close();
  await leaseway[Symbol.asyncDispose]();
});

interface Client {
  readonly socket: Socket;
  readonly backend: string;
  readonly transport: string;
}

/** Connected and greeted, or why not. */
function connect(t: Test, path: string, transports: string[]): Promise<Client | Error> {
  const socket = io(leaseway.url(), {
    path: `${path}/socket.io/`,
    transports,
    // In Node this is what keeps cookies.
    withCredentials: true,
    forceNew: true,
    reconnection: false,
    timeout: WITHIN_MS,
  });
  t.teardown(() => socket.disconnect());
  return new Promise(resolve => {
    socket.on('welcome', (backend, transport) => resolve({ socket, backend, transport }));
    socket.on('connect_error', resolve);
    socket.on('disconnect', reason => resolve(new Error(reason)));
  });
}

const greeted = (client: Client | Error): Client => {
  if (client instanceof Error) throw client;
  return client;
};

t.test('long-polling over three backends works with a lease cookie', async t => {
  const clients = (
    await Promise.all(Array.from({ length: CLIENTS }, () => connect(t, '/sticky', ['polling'])))
  ).map(greeted);
  t.same(
    [...new Set(clients.map(({ backend }) => backend))].sort(),
    ['one', 'three', 'two'],
    'all three backends have clients',
  );
  await Promise.all(
    clients.map(async ({ socket, backend, transport }, i) => {
      t.equal(transport, 'polling');
      for (let round = 0; round < 5; round++) {
        const bytes = Buffer.alloc(1000 * round, i);
        const answer = await socket.timeout(WITHIN_MS).emitWithAck('echo', { round, bytes });
        t.same(
          answer,
          { from: backend, value: { round, bytes } },
          'the same server each time, and the bytes as sent',
        );
      }
      const seen: number[] = [];
      await new Promise<void>(resolve => {
        socket.on('number', n => {
          if (seen.push(n) === 50) resolve();
        });
        socket.emit('count', 50);
      });
      t.same(
        seen,
        Array.from({ length: 50 }, (_, n) => n + 1),
        'events in order',
      );
      t.equal(socket.io.engine.transport.name, 'polling', 'to the end');
    }),
  );
});

t.test('without stickiness the same application fails: it is the cookie that carries it', async t => {
  const outcomes = await Promise.all(Array.from({ length: CLIENTS }, () => connect(t, '/free', ['polling'])));
  const failed = outcomes.filter(outcome => outcome instanceof Error);
  t.ok(failed.length >= CLIENTS / 2, `${failed.length} of ${CLIENTS} clients could not hold a session`);
});

t.test('a session that began by polling becomes a WebSocket to the same backend', async t => {
  const clients = (
    await Promise.all(Array.from({ length: CLIENTS }, () => connect(t, '/sticky', ['polling', 'websocket'])))
  ).map(greeted);
  await Promise.all(
    clients.map(async ({ socket, backend }) => {
      const { engine } = socket.io;
      if (engine.transport.name !== 'websocket')
        await new Promise<void>(resolve => engine.once('upgrade', () => resolve()));
      t.equal(engine.transport.name, 'websocket');
      const answer = await socket.timeout(WITHIN_MS).emitWithAck('echo', 'upgraded');
      t.same(answer, { from: backend, value: 'upgraded' });
    }),
  );
  const { body } = await leaseway.admin('/v1/connections?cluster=sticky');
  t.equal(body.total, CLIENTS, 'all of them are listed as live connections');
  for (const { socket } of clients) socket.disconnect();
  await leaseway.until(async () => (await leaseway.admin('/v1/connections')).body.total === 0);
});

t.test('WebSocket only needs no cookie: one connection is one backend', async t => {
  const { socket, backend, transport } = greeted(await connect(t, '/free', ['websocket']));
  t.equal(transport, 'websocket');
  const answer = await socket.timeout(WITHIN_MS).emitWithAck('echo', 'hello');
  t.same(answer, { from: backend, value: 'hello' });
});
