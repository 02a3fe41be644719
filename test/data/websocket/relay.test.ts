// A relay whose connection stays with its backend, over real sockets: whole streams, backpressure, every kind of end.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { systemClock } from '../../../lib/core/clock.ts';
import { seededRandom } from '../../../lib/core/random.ts';
import { CoarseTimers } from '../../../lib/core/timers.ts';
import type { TunnelEnd } from '../../../lib/data/websocket/live-tunnel.ts';
import { Relay } from '../../../lib/data/websocket/relay.ts';
import { rawBackend } from '../../support/backends.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const NOTHING = new Uint8Array(0);
const MIB = 1024 * 1024;

/** Two ends of a real connection; ours half-open capable as a server's sockets are. */
async function socketPair(test: Test): Promise<{ near: Socket; far: Socket }> {
  const backend = await rawBackend(false, () => {});
  backend.server.removeAllListeners('connection');
  (backend.server as unknown as { allowHalfOpen: boolean }).allowHalfOpen = true;
  const near = new Promise<Socket>(resolve => backend.server.once('connection', resolve));
  const far = connect({ port: backend.port, host: '127.0.0.1', allowHalfOpen: true });
  far.on('error', () => {});
  const accepted = await near;
  test.teardown(() => {
    far.destroy();
    accepted.destroy();
    return backend.close();
  });
  return { near: accepted, far };
}

interface Bench {
  readonly tunnel: Relay;
  /** The client's and the backend's program. */
  readonly client: Socket;
  readonly server: Socket;
  readonly ends: TunnelEnd[];
  readonly closed: Promise<TunnelEnd>;
}

async function bench(test: Test, clock = systemClock, idleMs = 0, rest = NOTHING): Promise<Bench> {
  const front = await socketPair(test);
  const back = await socketPair(test);
  const random = seededRandom(1);
  const timers = new CoarseTimers(clock);
  const tunnel = new Relay(
    { socket: front.near, rest },
    { socket: back.near, rest: NOTHING },
    { idleMs, clock, timers, random, cooperative: false, moves: null },
  );
  const ends: TunnelEnd[] = [];
  const closed = new Promise<TunnelEnd>(resolve => {
    tunnel.onClose(end => {
      ends.push(end);
      resolve(end);
    });
  });
  return { tunnel, client: front.far, server: back.far, ends, closed };
}

const received = (socket: Socket): { bytes: () => Buffer; ended: Promise<unknown> } => {
  const chunks: Buffer[] = [];
  socket.on('data', chunk => chunks.push(chunk));
  return { bytes: () => Buffer.concat(chunks), ended: once(socket, 'end') };
};

t.test('what each side sends arrives at the other, what was read before first, all counted', async test => {
  const { tunnel, client, server, closed } = await bench(test, systemClock, 0, Buffer.from('early '));
  const atServer = received(server);
  const atClient = received(client);
  client.end('hello');
  await atServer.ended;
  test.equal(atServer.bytes().toString(), 'early hello');
  // Half closed: the other direction goes on.
  server.end('bye');
  await atClient.ended;
  test.equal(atClient.bytes().toString(), 'bye');
  test.same(await closed, { kind: 'closed', detail: '' });
  test.equal(tunnel.bytesIn, 11);
  test.equal(tunnel.bytesOut, 3);
});

t.test('a slow reader holds the sender back and loses nothing', async test => {
  const { tunnel, client, server, closed } = await bench(test);
  client.pause();
  const total = 32 * MIB;
  server.end(Buffer.alloc(total, 1));
  for (let same = 0, before = -1; same < 400; same++) {
    await new Promise(resolve => setImmediate(resolve));
    if (tunnel.bytesOut !== before) same = 0;
    before = tunnel.bytesOut;
  }
  test.ok(tunnel.bytesOut < 16 * MIB, `${tunnel.bytesOut} bytes passed`);
  let bytes = 0;
  client.on('data', data => {
    bytes += data.length;
  });
  client.resume();
  await once(client, 'end');
  test.equal(bytes, total);
  client.end();
  await closed;
});

t.test('a reset of either side ends both, and names the side', async test => {
  for (const side of ['client', 'server'] as const) {
    const made = await bench(test);
    const other = side === 'client' ? made.server : made.client;
    const gone = received(other);
    other.on('end', () => other.end());
    made[side].resetAndDestroy();
    const end = await made.closed;
    test.equal(end.kind, side === 'client' ? 'client_lost' : 'backend_lost');
    await gone.ended;
    test.equal(made.ends.length, 1);
  }
});

t.test('end: both sides get Close after the frame under way, nothing after it', async test => {
  const { tunnel, client, server, closed } = await bench(test);
  const atServer = received(server);
  const atClient = received(client);
  // Half of a frame of 10 bytes each way.
  client.write(Uint8Array.of(0x82, 0x8a, 0, 0, 0, 0, 1, 2, 3));
  server.write(Uint8Array.of(0x82, 10, 1, 2, 3));
  while (tunnel.bytesIn < 9 || tunnel.bytesOut < 5) await new Promise(resolve => setImmediate(resolve));
  tunnel.end(1012);
  tunnel.end(1012);
  client.write(Uint8Array.of(4, 5, 6, 7, 8, 9, 10, /* next frame */ 0x82, 0x81, 0, 0, 0, 0, 9));
  server.write(Uint8Array.of(4, 5, 6, 7, 8, 9, 10, /* next frame */ 0x82, 1, 9));
  client.on('end', () => client.end());
  server.on('end', () => server.end());
  const end = await closed;
  test.equal(end.kind, 'ended');
  const toClient = atClient.bytes();
  test.same([...toClient.subarray(2, 12)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  test.same([...toClient.subarray(12)], [0x88, 2, 0x03, 0xf4]);
  const toServer = atServer.bytes();
  test.same([...toServer.subarray(6, 16)], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  test.equal(toServer.length, 16 + 8);
  test.equal(toServer[16], 0x88);
  test.equal((((toServer[22]! ^ toServer[18]!) << 8) | (toServer[23]! ^ toServer[19]!)) as number, 1012);
});

t.test('end: sides that do not answer are cut after a second', async test => {
  const clock = new FakeClock();
  const { tunnel, client, server, closed, ends } = await bench(test, clock);
  received(client);
  received(server);
  tunnel.end(1001);
  await Promise.all([once(client, 'end'), once(server, 'end')]);
  test.equal(ends.length, 0);
  clock.advance(1000);
  test.equal((await closed).kind, 'ended');
  test.equal(clock.pending, 0);
});

t.test('end: a stream that is no WebSocket is ended without a frame', async test => {
  const { tunnel, client, server, closed } = await bench(test);
  const atClient = received(client);
  server.write('not a frame');
  while (tunnel.bytesOut < 11) await new Promise(resolve => setImmediate(resolve));
  tunnel.end(1012);
  client.on('end', () => client.end());
  server.resume().on('end', () => server.end());
  test.equal((await closed).kind, 'ended');
  test.equal(atClient.bytes().toString(), 'not a frame');
});

t.test('a tunnel through which nothing passes is ended with 1001', async test => {
  const clock = new FakeClock();
  const { tunnel, client, server, closed } = await bench(test, clock, 4000);
  const atClient = received(client);
  client.on('end', () => client.end());
  server.resume().on('end', () => server.end());
  for (let i = 0; i < 10; i++) {
    const before = tunnel.bytesOut;
    server.write(Uint8Array.of(0x89, 0));
    while (tunnel.bytesOut === before) await new Promise(resolve => setImmediate(resolve));
    clock.advance(1000);
  }
  clock.advance(4000);
  test.equal((await closed).kind, 'idle');
  test.same([...atClient.bytes().subarray(20)], [0x88, 2, 0x03, 0xe9]);
  clock.advance(100);
  test.equal(clock.pending, 0);
});

t.test('destroy closes both at once and is told once', async test => {
  const clock = new FakeClock();
  const { tunnel, closed, ends } = await bench(test, clock, 1000);
  tunnel.destroy();
  tunnel.destroy();
  test.equal((await closed).kind, 'destroyed');
  tunnel.end(1012);
  let late: TunnelEnd | null = null;
  tunnel.onClose(end => {
    late = end;
  });
  test.same(late, ends[0]);
  test.equal(ends.length, 1);
  clock.advance(100);
  test.equal(clock.pending, 0);
});
