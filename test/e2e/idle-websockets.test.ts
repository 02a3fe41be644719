// A WebSocket lasts for hours, and there are tens of thousands: what opened it is not kept beside it.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import t from 'tap';
import { CountingBackend } from '../support/counting-backend.ts';
import { Leaseway } from '../support/leaseway.ts';

/** Live JavaScript objects of a worker; two bare sockets take 3 KiB, and while requests were kept it was 17. */
const MOST_KIB = 11;
const [FIRST, MORE] = [200, 800];

const backend = await CountingBackend.start('b1');
const leaseway = await Leaseway.start({
  hooked: true,
  config: { workers: 1 },
  clusters: { chat: { backends: [backend.url], websocket: { migrate: 'transparent' } } },
});
const sockets: Socket[] = [];
t.teardown(async () => {
  for (const socket of sockets) socket.destroy();
  await leaseway[Symbol.asyncDispose]();
  await backend[Symbol.asyncDispose]();
});

async function open(count: number): Promise<number> {
  for (let i = 0; i < count; i++) {
    const socket = connect(leaseway.port(), '127.0.0.1');
    sockets.push(socket);
    socket.write(
      `GET /room/${i} HTTP/1.1\r\nHost: chat.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    const [answer] = await once(socket, 'data');
    if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(String(answer));
  }
  return (await leaseway.measure('worker-0')).heapUsed;
}

t.test('an idle WebSocket takes little memory', async t => {
  const before = await open(FIRST);
  const after = await open(MORE);
  const each = (after - before) / MORE / 1024;
  t.ok(each > 1 && each < MOST_KIB, `${each.toFixed(1)} KiB of JavaScript objects each`);
});
