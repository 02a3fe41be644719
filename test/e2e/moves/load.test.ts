// WebSockets that change their backend under load: every message is counted on both sides, by every way there is to move them.

import { once } from 'node:events';
import http2 from 'node:http2';
import root from 'tap';
import { ChatClient, chatStage, connect, listed, move, nextRoom, whole } from '../../support/chat-stage.ts';
import { h2WebSocket } from '../../support/h2-websocket.ts';

for (const [mode, manner] of [
  ['overlap', 'good'],
  ['strict', 'good'],
  ['overlap', 'cooperative'],
] as const) {
  root.test(`200 connections, moved five times each under load: ${mode}, ${manner} backends`, async t => {
    const options = { manner, lateMs: 30 };
    const { leaseway, backends } = await chatStage(t, [options, options, options], {
      websocket: { migrate: 'transparent', mode },
    });
    const clients = await Promise.all(Array.from({ length: 200 }, () => connect(t, leaseway)));
    const ticking = setInterval(() => {
      for (const client of clients) if (Math.random() < 0.5) client.send();
    }, 20);
    t.teardown(() => clearInterval(ticking));
    const results = new Map<string, number>();
    const holds: number[] = [];
    for (let round = 0; round < 5; round++) {
      const waiting = (await listed(leaseway)).map(({ id }) => id);
      const mover = async (): Promise<void> => {
        for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
          const moved = await move(leaseway, id);
          results.set(moved.result, (results.get(moved.result) ?? 0) + 1);
          if (moved.result !== 'moved') t.comment(JSON.stringify(moved));
          holds.push(moved.holdMs);
        }
      };
      await Promise.all(Array.from({ length: 8 }, mover));
    }
    clearInterval(ticking);
    t.same([...results], [['moved', 1000]]);
    await leaseway.until(() => clients.every(({ got, sent }) => got.length >= sent));
    whole(t, clients, backends);
    t.ok(
      clients.every(({ code }) => code === 0),
      'nobody was disconnected',
    );
    holds.sort((a, b) => a - b);
    t.comment(`held p50 ${holds[500]!.toFixed(1)} ms, p99 ${holds[990]!.toFixed(1)} ms`);
    // Those of every move but the last, which are not answered by TCP at once.
    await leaseway.until(() => backends.reduce((sum, { open }) => sum + open, 0) === 200);
  });
}

root.test('a client over HTTP/2 (RFC 8441) is moved likewise', async t => {
  const { leaseway, backends } = await chatStage(t, [{}, {}]);
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const path = nextRoom();
      const socket = await h2WebSocket(session, path, {});
      t.teardown(() => socket.terminate());
      return new ChatClient(path, socket);
    }),
  );
  const ticking = setInterval(() => {
    for (const client of clients) client.send();
  }, 10);
  t.teardown(() => clearInterval(ticking));
  for (let round = 0; round < 4; round++)
    for (const { id } of await listed(leaseway)) t.match(await move(leaseway, id), { result: 'moved' });
  clearInterval(ticking);
  await leaseway.until(() => clients.every(({ got, sent }) => got.length >= sent));
  whole(t, clients, backends);
});
