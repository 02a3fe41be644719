// The drain notice on a real socket: what is owed is sent, then Close.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { heedDrainNotices, onDrainNotice } from '../../lib/server/index.ts';

async function noticed(t: Test, finish: (socket: WebSocket) => void | Promise<void>) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  t.teardown(() => void server.close());
  heedDrainNotices(server);
  server.on('connection', socket => onDrainNotice(socket, () => finish(socket)));
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const opened = once(client, 'open');
  const [answer] = await once(client, 'upgrade');
  t.equal(answer.headers['leaseway-cooperative'], '1');
  await opened;
  return client;
}

t.test('answers what is owed, then says 1012; other pings and a second notice are nothing', async t => {
  let finished = 0;
  const client = await noticed(t, async socket => {
    finished += 1;
    await new Promise(resolve => setTimeout(resolve, 10));
    socket.send('owed');
  });
  const got: string[] = [];
  client.on('message', data => got.push(String(data)));
  client.ping('something else');
  client.ping('leaseway-drain');
  client.ping('leaseway-drain');
  const [code] = await once(client, 'close');
  t.same([got, code, finished], [['owed'], 1012, 1]);
});

t.test('a backend that fails to finish does not say that it did', async t => {
  const client = await noticed(t, () => {
    throw new Error('no');
  });
  client.ping('leaseway-drain');
  t.equal((await once(client, 'close'))[0], 1011);
});
