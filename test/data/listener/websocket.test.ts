import type http2 from 'node:http2';
import type { Duplex } from 'node:stream';
import t from 'tap';
import {
  Code,
  frame,
  GET,
  goawayOf,
  greeting,
  h2StatusOf,
  headers,
  rst,
  rstOf,
  Type,
} from '../../support/h2-frames.ts';
import { http2Client } from '../../support/http2-client.ts';
import { startListener } from '../../support/listener-harness.ts';
import { rawConnect } from '../../support/raw-client.ts';

const UPGRADE =
  'GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const EXTENDED = [
  ':method',
  'CONNECT',
  ':protocol',
  'websocket',
  ':scheme',
  'http',
  ':path',
  '/chat',
  ':authority',
  'a',
  'sec-websocket-version',
  '13',
];

const echo = ({ socket, rest }: { socket: Duplex; rest: Uint8Array }): void => {
  if (rest.length > 0) socket.write(rest);
  socket.pipe(socket);
};

t.test('HTTP/1.1: an upgrade becomes a tunnel and no early byte is lost', async t => {
  const harness = await startListener(t);
  harness.serve = () => {};
  const client = await rawConnect(harness.port);
  client.send(`${UPGRADE}early`);
  const { incoming, sink } = await harness.next();
  t.match(incoming.head, { protocol: 'websocket', method: 'GET', target: '/chat', bodyLength: 0 });
  client.send(' more');
  for (let i = 0; i < 5; i++) await new Promise(resolve => setImmediate(resolve));
  echo(incoming.tunnel(['Sec-WebSocket-Accept', 'of another key', 'Sec-WebSocket-Protocol', 'chat']));
  client.send(' late');
  const text = await client.until(all => all.endsWith('early more late'));
  t.match(text, /^HTTP\/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/);
  t.match(
    text,
    /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n/,
  );
  t.equal(harness.listener.tunnels, 1);
  t.strictSame(
    sink.events.filter(event => event !== 'end'),
    [],
    'the tunnel is the caller’s',
  );
  client.socket.destroy();
  await harness.until(() => harness.listener.connections === 0);
});

t.test('HTTP/1.1: an upgrade can be answered like any request', async t => {
  const harness = await startListener(t);
  harness.serve = ({ incoming }) => {
    incoming.answer({ status: 503, fields: ['Content-Length', '4'] }, false);
    incoming.write(Buffer.from('busy'));
    incoming.end();
  };
  const client = await rawConnect(harness.port);
  client.send(UPGRADE);
  t.match(await client.whole(), /^HTTP\/1.1 503 [\s\S]*Connection: close[\s\S]*busy$/);
});

t.test('HTTP/1.1: a client that leaves during the upgrade is reported', async t => {
  const harness = await startListener(t);
  harness.serve = () => {};
  const client = await rawConnect(harness.port);
  client.send(UPGRADE);
  const { sink } = await harness.next();
  client.socket.destroy();
  await sink.until('gone');
  t.equal(sink.reason?.code, 'CLIENT_GONE');
});

t.test('HTTP/1.1: an upgrade behind a request that runs is an ordinary request by node:http', async t => {
  const harness = await startListener(t, { http1: 'node' });
  const client = await rawConnect(harness.port);
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}`);
  await client.until(text => text.split('200 OK').length === 3);
  t.equal(harness.exchanges[1]?.incoming.head.protocol, '');
  client.socket.destroy();
});

t.test('HTTP/1.1: an upgrade behind a request that runs has its turn by our codec', async t => {
  const harness = await startListener(t, { http1: 'native' });
  harness.serve = () => {};
  const client = await rawConnect(harness.port);
  client.send(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${UPGRADE}early`);
  const first = await harness.next();
  first.incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
  first.incoming.end();
  const { incoming } = await harness.next();
  t.equal(incoming.head.protocol, 'websocket');
  echo(incoming.tunnel([]));
  await client.until(text => text.endsWith('early'));
  client.socket.destroy();
});

t.test('HTTP/2: an extended CONNECT becomes a tunnel', async t => {
  const harness = await startListener(t);
  harness.serve = ({ incoming }) =>
    echo(incoming.tunnel(['sec-websocket-accept', 'x', 'sec-websocket-protocol', 'chat']));
  const client = await http2Client(harness.port);
  await new Promise<void>(resolve => {
    if (client.session.remoteSettings.enableConnectProtocol === true) resolve();
    else client.session.once('remoteSettings', () => resolve());
  });
  const stream = client.session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':path': '/chat',
    ':scheme': 'http',
    ':authority': 'a',
    'sec-websocket-version': '13',
  });
  const answered = await new Promise<http2.IncomingHttpHeaders>(resolve => stream.once('response', resolve));
  t.equal(answered[':status'], 200);
  t.equal(answered['sec-websocket-protocol'], 'chat');
  t.notOk('sec-websocket-accept' in answered);
  stream.write('hello');
  t.equal(String(await new Promise(resolve => stream.once('data', resolve))), 'hello');
  t.match(harness.exchanges[0]?.incoming.head, { protocol: 'websocket', method: 'GET', target: '/chat' });
  t.equal(harness.listener.tunnels, 1);
  harness.listener.drain(1000);
  stream.write('still here');
  t.equal(
    String(await new Promise(resolve => stream.once('data', resolve))),
    'still here',
    'no GOAWAY under a tunnel',
  );
  t.notOk(client.session.closed);
  stream.end();
  await new Promise(resolve => stream.once('close', resolve));
  await harness.until(() => harness.listener.connections === 0);
  t.pass('GOAWAY once the tunnel is over');
  client.close();
});

t.test(
  'HTTP/2: the last request of a connection that carries a WebSocket brings no GOAWAY before that is over',
  async t => {
    const harness = await startListener(t, { limits: { requests_per_connection: 2 } });
    harness.serve = ({ incoming }) => {
      if (incoming.head.protocol !== '') return echo(incoming.tunnel([]));
      incoming.answer({ status: 204, fields: [] }, false);
      incoming.end();
    };
    const client = await rawConnect(harness.port);
    client.send(greeting);
    client.send(headers(1, EXTENDED, 0));
    await client.until(() => h2StatusOf(client, 1) === 200);
    for (const id of [3, 5]) {
      client.send(headers(id, GET));
      await client.until(() => h2StatusOf(client, id) === 204);
    }
    client.send(frame(Type.data, 0, 1, Buffer.from('still here')));
    await client.until(text => text.includes('still here'));
    t.equal(goawayOf(client), -1);
    client.send(rst(1, Code.cancel));
    await harness.until(() => harness.listener.tunnels === 0);
    client.send(headers(7, GET));
    await client.until(() => h2StatusOf(client, 7) === 204 && goawayOf(client) === Code.none);
    client.socket.destroy();
  },
);

t.test('HTTP/2: an extended CONNECT can be refused like any request', async t => {
  const harness = await startListener(t);
  harness.serve = ({ incoming }) => {
    incoming.answer({ status: 403, fields: [] }, false);
    incoming.end();
  };
  const client = await rawConnect(harness.port);
  client.send(greeting);
  client.send(headers(1, EXTENDED, 0));
  await client.until(() => h2StatusOf(client, 1) === 403 && rstOf(client, 1) === Code.none);
  t.pass();
  client.socket.destroy();
});

t.test('HTTP/2: a client that resets a tunnel ends it', async t => {
  const harness = await startListener(t);
  let closed = false;
  harness.serve = ({ incoming }) => {
    const { socket } = incoming.tunnel([]);
    socket.on('error', () => {});
    socket.on('close', () => {
      closed = true;
    });
  };
  const client = await rawConnect(harness.port);
  client.send(greeting);
  client.send(headers(1, EXTENDED, 0));
  await client.until(() => h2StatusOf(client, 1) === 200);
  client.send(frame(Type.rst, 0, 1, Buffer.from([0, 0, 0, 8])));
  await harness.until(() => closed);
  t.equal(harness.listener.tunnels, 0);
  client.socket.destroy();
});
