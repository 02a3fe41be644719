// The SDK on Node: a conversation over many connections, with messages both ways counted.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Code } from '@connectrpc/connect';
import t, { type Test } from 'tap';
import { type WebSocket, WebSocketServer } from 'ws';
import { type LeasewayOptions, LeasewaySocket } from '../../lib/client/index.ts';
import { heedDrainNotices, onDrainNotice } from '../../lib/server/index.ts';
import { LeaseServiceStandIn } from '../support/lease-service.ts';
import { until } from '../support/until.ts';

interface Echo {
  readonly url: string;
  readonly heard: string[];
  readonly server: WebSocketServer;
  readonly sockets: Set<WebSocket>;
}

/** Answers `NAME:TEXT`, a cooperative one after 5 ms. */
async function echo(t: Test, name: string, cooperative = false): Promise<Echo> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: set => [...set][0]! });
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  const heard: string[] = [];
  if (cooperative) heedDrainNotices(server);
  server.on('connection', socket => {
    const owed = new Set<Promise<void>>();
    socket.on('message', data => {
      heard.push(String(data));
      const answer = (): void => socket.send(`${name}:${data}`);
      if (!cooperative) return answer();
      const one = new Promise<void>(resolve => setTimeout(resolve, 5)).then(answer);
      owed.add(one);
    });
    onDrainNotice(socket, async () => void (await Promise.all(owed)));
  });
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url, heard, server, sockets: server.clients };
}

function open(t: Test, url: string, options: LeasewayOptions = {}, protocols: string[] = []) {
  const socket = new LeasewaySocket(url, protocols, { retryBaseMs: 20, ...options });
  const got: string[] = [];
  const states: string[] = [];
  socket.addEventListener('state', () => states.push(socket.state));
  socket.addEventListener('message', event => got.push(String((event as MessageEvent).data)));
  t.teardown(() => socket.close());
  return { socket, got, states, opened: once(socket, 'open') };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

t.test('is a WebSocket to who knows no more of it', async t => {
  const one = await echo(t, 'one');
  const { socket, got, opened } = open(t, one.url, {}, ['chat']);
  t.equal(socket.readyState, 0);
  t.throws(() => socket.send('early'), { name: 'InvalidStateError' });
  await opened;
  t.equal(socket.readyState, 1);
  t.equal(socket.protocol, 'chat');
  socket.send('hello');
  await until('the answer', () => got.length === 1);
  t.same(got, ['one:hello']);
  socket.binaryType = 'arraybuffer';
  for (const client of one.sockets) client.send(Buffer.from([1, 2]));
  const [event] = (await once(socket, 'message')) as [MessageEvent];
  t.same(new Uint8Array(event.data), new Uint8Array([1, 2]));
  t.throws(() => socket.close(1001), { name: 'InvalidAccessError' });
  const ended = once(socket, 'close');
  socket.close(3001, 'enough');
  t.equal(socket.readyState, 2);
  const [{ code, reason, wasClean }] = (await ended) as [CloseEvent];
  t.same({ code, reason, wasClean }, { code: 3001, reason: 'enough', wasClean: true });
  t.equal(socket.readyState, 3);
  socket.send('nobody hears it');
});

t.test('what is no URL of a WebSocket is refused at once', async t => {
  t.throws(() => new LeasewaySocket('ftp://x/'), { name: 'SyntaxError' });
  t.throws(() => new LeasewaySocket('ws://x/#part'), { name: 'SyntaxError' });
  const { socket } = open(t, 'ws://127.0.0.1:1/', {}, ['not a token']);
  const [{ code }] = (await once(socket, 'close')) as [CloseEvent];
  t.equal(code, 1006);
});

t.test('comes back after a loss, says who it is, then sends what waited', async t => {
  const one = await echo(t, 'one');
  const causes: string[] = [];
  const { socket, states, opened } = open(t, one.url, {
    resume({ cause, send }) {
      causes.push(cause);
      send('it is me');
    },
  });
  await opened;
  socket.send('a');
  await until('it is heard', () => one.heard.length === 1);
  for (const client of one.sockets) client.terminate();
  await until('the loss is seen', () => socket.state === 'reconnecting');
  t.equal(socket.readyState, 1);
  socket.send('b');
  socket.send('c');
  t.equal(socket.bufferedAmount, 2);
  await until('all is heard', () => one.heard.length === 4);
  t.same(one.heard, ['a', 'it is me', 'b', 'c']);
  t.same(causes, ['reconnect']);
  t.same(states, ['open', 'reconnecting', 'open']);
});

t.test('a Close that is meant is the end; 1012 is not', async t => {
  const one = await echo(t, 'one');
  const { socket, opened } = open(t, one.url);
  await opened;
  for (const client of one.sockets) client.close(1012);
  await until('it is gone', () => socket.state === 'reconnecting');
  await until('it is back', () => socket.state === 'open');
  const ended = once(socket, 'close');
  for (const client of one.sockets) client.close(4404, 'no such room');
  const [{ code, reason }] = (await ended) as [CloseEvent];
  t.same([code, reason], [4404, 'no such room']);
});

t.test('gives up after the tries it may have', async t => {
  const { socket, opened } = open(t, 'ws://127.0.0.1:1/', { maxAttempts: 3, retryBaseMs: 1 });
  opened.catch(() => {});
  let errors = 0;
  socket.onerror = () => {
    errors += 1;
  };
  const [{ code }] = (await once(socket, 'close')) as [CloseEvent];
  t.equal(code, 1006);
  t.equal(errors, 1);
});

t.test('what waits is bounded', async t => {
  const one = await echo(t, 'one');
  const { socket, opened } = open(t, one.url, { maxHeldBytes: 10, retryBaseMs: 1_000 });
  await opened;
  for (const client of one.sockets) client.terminate();
  await until('the loss is seen', () => socket.state === 'reconnecting');
  socket.send('0123456789');
  t.throws(() => socket.send('x'), { name: 'QuotaExceededError' });
});

for (const cooperative of [true, false])
  t.test(
    `moves under load, ${cooperative ? 'cooperative' : 'plain'} backends: nothing lost, doubled or reordered`,
    async t => {
      const backends = [await echo(t, 'b', cooperative), await echo(t, 'a', cooperative)];
      await using service = await LeaseServiceStandIn.start({
        backend: nth => backends[nth % 2]!.url,
        delayMs: 3,
      });
      const { socket, got, states, opened } = open(t, service.url, {}, ['chat']);
      await opened;
      await until('it watches', () => service.watchers === 1);
      const migrated: { clean: boolean; reason: string }[] = [];
      socket.addEventListener('migrated', event => migrated.push((event as CustomEvent).detail));
      const total = 600;
      for (let i = 0; i < total; i++) {
        socket.send(String(i));
        if (i % 150 === 75) service.moveAll();
        if (i % 5 === 0) await new Promise(resolve => setTimeout(resolve, 1));
      }
      await until('all is answered', () => got.length >= total);
      t.same(
        got.map(text => text.slice(2)),
        numbers(total),
        'answers in order, each once',
      );
      const heard = [...backends[0]!.heard, ...backends[1]!.heard].sort((a, b) => Number(a) - Number(b));
      t.same(heard, numbers(total), 'each message at one backend');
      t.ok(migrated.length >= 2, `moved ${migrated.length} times`);
      t.ok(migrated.every(({ clean, reason }) => clean && reason === 'MIGRATION_REASON_FORECAST'));
      t.equal(states.filter(state => state === 'reconnecting').length, 0);
      t.ok(
        backends.every(({ heard }) => heard.length > 0),
        'both backends were used',
      );
      await until('told', () => service.answered('switched').length === migrated.length);
      t.equal(service.registered, 1, 'a move needs no registration');
    },
  );

t.test('a new connection that fails leaves the old one as it was', async t => {
  const one = await echo(t, 'one');
  const other = await echo(t, 'other');
  other.server.removeAllListeners('connection');
  let fate: 'dead' | 'unresumed' | 'refused' = 'dead';
  await using service = await LeaseServiceStandIn.start({
    backend: nth => (nth === 1 ? one.url : fate === 'dead' ? 'ws://127.0.0.1:1/' : other.url),
  });
  const { socket, got, opened } = open(t, service.url, {
    resume() {
      if (fate === 'unresumed') throw new Error('not now');
    },
  });
  await opened;
  await until('it watches', () => service.watchers === 1);
  for (const next of ['dead', 'unresumed', 'refused'] as const) {
    fate = next;
    service.readyFails = fate === 'refused' ? Code.NotFound : null;
    const before = service.answered('failed').length;
    service.moveAll();
    await until(`${fate}: it fails`, () => service.answered('failed').length === before + 1);
    t.equal(socket.state, 'open');
    socket.send(fate);
    await until('the old one answers', () => got.at(-1) === `one:${fate}`);
  }
  t.same(other.heard, []);
});

t.test(
  'a proxy that has the count and then says nothing costs its deadline, and the move is unclean',
  async t => {
    const backends = [await echo(t, 'b'), await echo(t, 'a')];
    await using service = await LeaseServiceStandIn.start({ backend: nth => backends[nth % 2]!.url });
    const { socket, got, opened } = open(t, service.url);
    await opened;
    await until('it watches', () => service.watchers === 1);
    service.readyFails = Code.Internal;
    service.moveAll(200);
    await until('it is ready', () => socket.state === 'migrating');
    const [{ detail }] = (await once(socket, 'migrated')) as [CustomEvent];
    t.equal(detail.clean, false);
    socket.send('x');
    await until('the new one answers', () => got.at(-1) === 'b:x');
  },
);

t.test('the old connection dies while the new one opens: the new one takes over', async t => {
  const backends = [await echo(t, 'b'), await echo(t, 'a')];
  await using service = await LeaseServiceStandIn.start({ backend: nth => backends[nth % 2]!.url });
  const { socket, got, states, opened } = open(t, service.url, {
    resume: () => {
      for (const client of backends[1]!.sockets) client.terminate();
      return new Promise(resolve => setTimeout(resolve, 30));
    },
  });
  await opened;
  await until('it watches', () => service.watchers === 1);
  service.moveAll();
  await until('it moves', () => socket.state === 'migrating');
  socket.send('x');
  await once(socket, 'migrated');
  socket.send('y');
  await until('answered', () => got.at(-1) === 'b:y');
  t.same(states, ['open', 'migrating', 'open']);
});

t.test('close during a move sends first what waits', async t => {
  const backends = [await echo(t, 'b', true), await echo(t, 'a', true)];
  await using service = await LeaseServiceStandIn.start({
    backend: nth => backends[nth % 2]!.url,
    delayMs: 20,
  });
  const { socket, opened } = open(t, service.url);
  await opened;
  await until('it watches', () => service.watchers === 1);
  socket.send('1');
  service.moveAll();
  await until('it is ready', () => service.answered('ready').length === 1);
  socket.send('2');
  const ended = once(socket, 'close');
  socket.close(1000);
  t.equal(((await ended) as [CloseEvent])[0].code, 1000);
  await until('both are heard', () => backends[0]!.heard.length === 1 && backends[1]!.heard.length === 1);
});

t.test('shows the lease and the server, extends, and watches again when the stream breaks', async t => {
  const one = await echo(t, 'one');
  await using service = await LeaseServiceStandIn.start({ backend: () => one.url, termMs: 300 });
  const { socket, opened } = open(t, service.url);
  const leases: unknown[] = [];
  socket.addEventListener('lease', event => leases.push((event as CustomEvent).detail));
  await opened;
  await until('half of the term', () => service.extended === 1);
  await until('it watches', () => service.watchers === 1);
  const status = once(socket, 'status');
  service.say({ case: 'status', value: { backend: 'one', status: 2, load: 0.5, forecast: 0.95 } });
  t.same(((await status) as [CustomEvent])[0].detail, {
    backend: 'one',
    status: 'SERVER_STATUS_DRAINING',
    load: 0.5,
    forecast: 0.95,
  });
  const before = service.extended;
  service.say({ case: 'extension', value: { termMs: 300 } });
  await until('it extends', () => service.extended > before);
  service.breakStreams();
  await until('the stream is gone', () => service.watchers === 0);
  await until('it watches again', () => service.watchers === 1);
  t.ok(leases.length >= 2);
  socket.close();
  await until('it watches no more', () => service.watchers === 0);
});
