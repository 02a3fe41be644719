import { spawn } from 'node:child_process';
import { once } from 'node:events';
import t from 'tap';
import { parseAddress } from '../../../lib/data/listener/address.ts';
import type { ClientLedger } from '../../../lib/scoreboard/ports.ts';
import { limitsWith, listenerEntry, startListener } from '../../support/listener-harness.ts';
import { exchangeRaw, rawConnect } from '../../support/raw-client.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const LAST = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';

/** Counts as the scoreboard does, in this process alone. */
function countingLedger(): ClientLedger & { total: number } {
  const clients = new Map<number, number>();
  const ledger = {
    total: 0,
    takeToken: () => 0,
    enter(_listener: number, client: number, maxTotal: number, maxPerClient: number) {
      if (ledger.total >= maxTotal || (clients.get(client) ?? 0) >= maxPerClient) return false;
      ledger.total += 1;
      clients.set(client, (clients.get(client) ?? 0) + 1);
      return true;
    },
    connections: () => ledger.total,
    leave(_listener: number, client: number) {
      ledger.total -= 1;
      clients.set(client, clients.get(client)! - 1);
    },
  };
  return ledger;
}

t.test('addresses', async t => {
  t.strictSame(parseAddress('127.0.0.1:80'), { host: '127.0.0.1', port: 80 });
  t.strictSame(parseAddress('[::1]:80'), { host: '::1', port: 80 });
  t.strictSame(parseAddress(':0'), { host: undefined, port: 0 });
});

t.test('a client beyond its connections gets 503, the places come back', async t => {
  const clients = countingLedger();
  const harness = await startListener(t, { clients, listener: { max_connections_per_client: 2 } });
  const held = [await rawConnect(harness.port), await rawConnect(harness.port)];
  await harness.until(() => harness.listener.connections === 2);
  t.match(await exchangeRaw(harness.port, GET), /^HTTP\/1.1 503 [\s\S]*Retry-After: 1\r\nConnection: close/);
  t.match(harness.refused[0], { status: 503, reason: { code: 'TOO_MANY_CONNECTIONS' } });
  t.equal(harness.counters.get('connectionsRefused'), 1);
  for (const client of held) client.socket.destroy();
  await harness.until(() => clients.total === 0);
  t.match(await exchangeRaw(harness.port, LAST), /200 OK/);
});

t.test('a listening socket is handed on to another process by its descriptor', async t => {
  const harness = await startListener(t);
  const script = new URL('../../support/fd-listener.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script], {
    stdio: ['ignore', 'pipe', 'inherit', harness.socket.fd],
  });
  t.teardown(() => child.kill());
  const [line] = await once(child.stdout!, 'data');
  t.strictSame(JSON.parse(String(line)), { address: '127.0.0.1:0', port: harness.port, fd: 3 });
  harness.listener.stopAccepting();
  for (let i = 0; i < 5; i++) t.match(await exchangeRaw(harness.port, LAST), /200 OK[\s\S]*child$/);
  t.equal(harness.exchanges.length, 0);
});

t.test('an address that is taken rejects', async t => {
  const first = await startListener(t);
  await t.rejects(startListener(t, { listener: { address: `127.0.0.1:${first.port}` } }), {
    code: 'EADDRINUSE',
  });
});

t.test('workers share a port by reusePort', { skip: process.platform !== 'linux' }, async t => {
  const first = await startListener(t, {}, { reusePort: true });
  const second = await startListener(
    t,
    { listener: { address: `127.0.0.1:${first.port}` } },
    { reusePort: true },
  );
  t.equal(second.port, first.port);
});

t.test('both protocols on one plain port, and each alone', async t => {
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0';
  const isH2 = async (port: number): Promise<boolean> => {
    const client = await rawConnect(port);
    client.send(preface);
    const answer = await client.until(text => text.length >= 9 || client.ended);
    client.socket.destroy();
    return !answer.startsWith('HTTP/1.1');
  };
  const both = await startListener(t);
  t.ok(await isH2(both.port));
  t.match(await exchangeRaw(both.port, LAST), /200 OK/);
  const http1 = await startListener(t, { listener: { protocols: ['http1'] } });
  t.notOk(await isH2(http1.port));
  t.match(await exchangeRaw(http1.port, LAST), /200 OK/);
  const h2 = await startListener(t, { listener: { protocols: ['h2'] } });
  t.ok(await isH2(h2.port));
  t.notMatch(await exchangeRaw(h2.port, LAST), /HTTP\/1.1 200/);
});

t.test('new limits hold for connections that are there', async t => {
  const harness = await startListener(t);
  const client = await rawConnect(harness.port);
  client.send(GET);
  await client.until(text => text.endsWith('ok'));
  harness.listener.update(listenerEntry(), limitsWith({ header_count: 2 }), Buffer.alloc(48));
  client.send(`GET / HTTP/1.1\r\nHost: a\r\nb: c\r\nd: e\r\n\r\n`);
  t.match(await client.whole(), /okHTTP\/1.1 431 /);
});

t.test('stopAccepting closes the port and keeps connections; destroyAll ends them', async t => {
  const harness = await startListener(t);
  harness.serve = () => {};
  const client = await rawConnect(harness.port);
  client.send(GET);
  const { sink } = await harness.next();
  harness.listener.stopAccepting();
  harness.listener.stopAccepting();
  const refused = await rawConnect(harness.port).catch(error => error.code);
  t.equal(refused, 'ECONNREFUSED');
  t.equal(harness.listener.connections, 1);
  harness.listener.destroyAll();
  await sink.until('gone');
  await client.until(() => client.ended || client.closed);
  t.equal(harness.counters.get('connections'), 0);
});

t.test('a failing accept() is counted and told, and the listener goes on', async t => {
  const harness = await startListener(t);
  // What node does when the process is out of descriptors.
  harness.failAccept(Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' }));
  t.equal(harness.counters.get('connectionsRefused'), 1);
  t.match(harness.logged, [/cannot accept connections/]);
  t.match(await exchangeRaw(harness.port, LAST), /200 OK/);
});
