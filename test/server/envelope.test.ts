// Exactly once between the SDK and backends that speak the envelope, whatever happens to connections.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { helloFrame } from '../../lib/client/envelope-frames.ts';
import { envelope, LeasewaySocket } from '../../lib/client/index.ts';
import {
  type Conversation,
  EnvelopeServer,
  type EnvelopeStore,
  heedDrainNotices,
  MemoryEnvelopeStore,
} from '../../lib/server/index.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { LeaseServiceStandIn } from '../support/lease-service.ts';
import { until } from '../support/until.ts';

interface Backend {
  readonly url: string;
  readonly heard: string[];
  readonly fresh: boolean[];
  readonly conversations: Set<Conversation>;
  readonly server: WebSocketServer;
}

/** Answers each message with itself. */
async function backend(t: Test, store?: EnvelopeStore): Promise<Backend> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  heedDrainNotices(server);
  const envelopes = new EnvelopeServer(store ? { store } : {});
  const heard: string[] = [];
  const fresh: boolean[] = [];
  const conversations = new Set<Conversation>();
  server.on('connection', socket =>
    envelopes.serve(socket, {
      open(conversation, isFresh) {
        fresh.push(isFresh);
        conversations.add(conversation);
      },
      message(conversation, data) {
        heard.push(String(data));
        conversation.send(typeof data === 'string' ? data : data.slice(0, 2));
      },
      close: conversation => void conversations.delete(conversation),
    }),
  );
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, heard, fresh, conversations, server };
}

function open(t: Test, url: string) {
  const socket = new LeasewaySocket(url, [], { retryBaseMs: 5, envelope: envelope() });
  const got: string[] = [];
  socket.addEventListener('message', event => got.push(String((event as MessageEvent).data)));
  t.teardown(() => socket.close());
  return { socket, got };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));
const turn = (): Promise<void> => new Promise(resolve => setTimeout(resolve, 1));

t.test('connections that are cut again and again cost no message and double none', async t => {
  const one = await backend(t);
  const { socket, got } = open(t, one.url);
  await once(socket, 'open');
  const total = 2_000;
  for (let i = 0; i < total; i++) {
    socket.send(String(i));
    if (i % 10 === 0) await turn();
    if (i % 200 === 100) for (const client of one.server.clients) client.terminate();
  }
  await until('all is answered', () => got.length >= total);
  t.same(got, numbers(total));
  t.same(one.heard, numbers(total));
  t.ok(one.fresh.length > 5, `${one.fresh.length} connections`);
  t.same([...new Set(one.fresh.slice(1))], [false]);
  await until('all is acknowledged', () => socket.bufferedAmount === 0);
});

t.test('moves between backends that share a store', async t => {
  const store = new MemoryEnvelopeStore();
  const backends = [await backend(t, store), await backend(t, store)];
  await using service = await LeaseServiceStandIn.start({
    backend: nth => backends[nth % 2]!.url,
    delayMs: 3,
  });
  const { socket, got } = open(t, service.url);
  let moves = 0;
  socket.addEventListener('migrated', () => {
    moves += 1;
  });
  let fresh = 0;
  socket.addEventListener('fresh', () => {
    fresh += 1;
  });
  await once(socket, 'open');
  await until('it watches', () => service.watchers === 1);
  const total = 1_000;
  for (let i = 0; i < total; i++) {
    socket.send(String(i));
    if (i % 10 === 0) await turn();
    if (i % 200 === 100) service.moveAll();
    // And a cut without any notice in between.
    if (i === 555) service.cutAll();
  }
  await until('all is answered', () => got.length >= total);
  t.same(got, numbers(total));
  const all = [...backends[0]!.heard, ...backends[1]!.heard].sort((a, b) => Number(a) - Number(b));
  t.same(all, numbers(total));
  t.ok(moves >= 2, `${moves} moves`);
  t.equal(fresh, 0);
});

t.test('a backend that knows nothing of the session takes it up, and both are told', async t => {
  const backends = [await backend(t), await backend(t)];
  await using service = await LeaseServiceStandIn.start({ backend: nth => backends[nth % 2]!.url });
  const { socket, got } = open(t, service.url);
  await once(socket, 'open');
  await until('it watches', () => service.watchers === 1);
  socket.send('a');
  await until('answered', () => got.length === 1);
  await until('acknowledged', () => socket.bufferedAmount === 0);
  const told = once(socket, 'fresh');
  service.moveAll();
  await told;
  socket.send('b');
  await until('answered', () => got.length === 2);
  t.same([backends[1]!.heard, backends[0]!.heard], [['a'], ['b']]);
  t.same(backends[0]!.fresh, [true]);
});

t.test('both kinds of message stay what they are', async t => {
  const one = await backend(t);
  const { socket } = open(t, one.url);
  await once(socket, 'open');
  socket.send(new Uint8Array([7, 8, 9]).subarray(1));
  const [{ data }] = (await once(socket, 'message')) as [MessageEvent];
  t.same(new Uint8Array(await (data as Blob).arrayBuffer()), new Uint8Array([8, 9]));
  socket.binaryType = 'arraybuffer';
  socket.send(new ArrayBuffer(1));
  const [second] = (await once(socket, 'message')) as [MessageEvent];
  t.ok(second.data instanceof ArrayBuffer);
  t.throws(() => socket.send(new Blob(['x'])), TypeError);
  t.throws(() => socket.send('x'.repeat(2_000_000)), { name: 'QuotaExceededError' });
});

t.test('a backend without the envelope is the end, not a garbled conversation', async t => {
  const plain = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(plain, 'listening');
  t.teardown(() => void plain.close());
  plain.on('connection', socket => socket.send('hello'));
  const { socket } = open(t, `ws://127.0.0.1:${(plain.address() as AddressInfo).port}`);
  const [{ code }] = (await once(socket, 'close')) as [CloseEvent];
  t.equal(code, 1002);
});

t.test('clients that do not keep to it', async t => {
  const one = await backend(t);
  const closeOf = async (...frames: (string | ArrayBuffer)[]): Promise<number> => {
    const socket = new WebSocket(one.url);
    await once(socket, 'open');
    for (const frame of frames) socket.send(frame);
    return (await once(socket, 'close'))[0] as number;
  };
  const hello = helloFrame('00'.repeat(16), 0, 0);
  const data = (sequence: number, received: number): ArrayBuffer => {
    const bytes = new Uint8Array(13);
    bytes.set([3, 0, 0, 0, 0, 0, sequence, 0, 0, 0, 0, 0, received]);
    return bytes.buffer;
  };
  t.equal(await closeOf('plain text'), 1002);
  t.equal(await closeOf(new Uint8Array([9, 9]).buffer), 1002);
  t.equal(await closeOf(data(1, 0)), 1012, 'no hello: it comes back and says it');
  t.equal(await closeOf(hello, hello), 1002, 'a second hello before the first is answered');
  const socket = new WebSocket(one.url);
  await once(socket, 'open');
  socket.send(hello);
  await once(socket, 'message');
  socket.send(data(1, 200));
  t.equal((await once(socket, 'close'))[0], 1002, 'acknowledges what was never sent');
});

t.test('who says nothing is not kept', async t => {
  const clock = new FakeClock();
  const server = new EnvelopeServer({ clock, helloMs: 1_000 });
  const codes: number[] = [];
  server.serve({ on: () => {}, send: () => {}, close: code => codes.push(code) }, { message: () => {} });
  clock.advance(999);
  t.same(codes, []);
  clock.advance(2);
  t.same(codes, [1002]);
});

t.test('the memory store forgets the oldest beyond its bound, and gives once', async t => {
  const store = new MemoryEnvelopeStore(2);
  const state = { received: 1, sent: 2, unacknowledged: [] };
  for (const session of ['a', 'b', 'c']) await store.put(session, state);
  t.equal(await store.take('a'), null);
  t.same(await store.take('c'), state);
  t.equal(await store.take('c'), null);
});
