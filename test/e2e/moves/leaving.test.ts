// WebSockets whose backend drains or dies: they go on elsewhere, and end only where there is nowhere else.

import { once } from 'node:events';
import root from 'tap';
import WebSocket from 'ws';
import { type ChatClient, chatStage, connect, listed, move, whole } from '../../support/chat-stage.ts';

root.test('a drain moves what can be moved, at its pace, and ends nothing', async t => {
  const { leaseway, backends } = await chatStage(t, [{}, {}, {}], { drain: { pace: 100, deadline: '10m' } });
  const clients = await Promise.all(Array.from({ length: 60 }, () => connect(t, leaseway)));
  const before = (await listed(leaseway)).filter(({ backend }) => backend === 'b1').length;
  t.ok(before > 0);
  await leaseway.admin('/v1/backends/chat/b1/drain', 'POST', {});
  const begun = performance.now();
  await leaseway.until(async () => (await listed(leaseway)).every(({ backend }) => backend !== 'b1'));
  t.ok(performance.now() - begun > (before / 100 - 0.2) * 1000, 'paced');
  for (const client of clients) client.send();
  await leaseway.until(() => clients.every(({ got }) => got.length === 1));
  whole(t, clients, backends);
  t.ok(clients.every(({ code }) => code === 0));
  const { backends: status } = await leaseway.status();
  t.same(
    status.map(({ tunnels }: { tunnels: number }) => tunnels).reduce((a: number, b: number) => a + b),
    60,
  );
  t.equal(status.find(({ id }: { id: string }) => id === 'b1').tunnels, 0, 'counted where they are');
});

root.test('a backend that is killed: its connections go on at others', async t => {
  const { leaseway, backends } = await chatStage(t, [{}, {}, {}]);
  const clients = await Promise.all(Array.from({ length: 90 }, () => connect(t, leaseway)));
  for (const client of clients) client.send();
  await leaseway.until(() => clients.every(({ got }) => got.length === 1));
  const at = new Map((await listed(leaseway)).map(({ id, backend }) => [id, backend]));
  const hit = clients.filter(({ got }) => got[0]!.startsWith('b1'));
  t.ok(hit.length > 0);
  const begun = performance.now();
  backends[0]!.kill();
  // What is sent into a connection that is dead is sent once; so not before they have moved.
  await leaseway.until(() => backends[1]!.open + backends[2]!.open === 90);
  const tookMs = performance.now() - begun;
  t.comment(`${hit.length} connections, ${tookMs.toFixed(0)} ms until they were elsewhere`);
  for (const client of hit) client.send();
  await leaseway.until(() => hit.every(({ got }) => got.length === 2));
  t.ok(hit.every(({ code, got }) => code === 0 && !got[1]!.startsWith('b1')));
  t.ok(tookMs < 1000, 'goal 250 ms, on a machine that is free');
  const now = await listed(leaseway);
  t.equal(now.length, 90);
  for (const { id, backend } of now) if (at.get(id) !== 'b1') t.equal(backend, at.get(id)!);
});

root.test(
  'a backend dies whose heirs take two at a time: the others wait for a place, and nobody is disconnected',
  async t => {
    const { leaseway, backends } = await chatStage(t, [{}, {}, {}], {
      balance: { policy: 'round_robin' },
      limits: { concurrency: 2 },
      websocket: { migrate: 'transparent', hold: { time: '5s' } },
    });
    const clients: ChatClient[] = [];
    for (let i = 0; i < 60; i++) clients.push(await connect(t, leaseway));
    backends[0]!.kill();
    await leaseway.until(() => backends[1]!.open + backends[2]!.open === 60);
    for (const client of clients) client.send();
    await leaseway.until(() => clients.every(({ got }) => got.length === 1));
    whole(t, clients, backends);
    t.ok(clients.every(({ code }) => code === 0));
  },
);

root.test('both the backend and every other one dead: the client is told to come again', async t => {
  const { leaseway, backends } = await chatStage(t, [{}, {}]);
  const client = await connect(t, leaseway);
  for (const backend of backends) backend.kill();
  await leaseway.until(() => client.code === 1012);
  await leaseway.until(async () => (await listed(leaseway)).length === 0);
});

root.test('the requests of a session follow its WebSocket, on every worker', async t => {
  const { leaseway, backends } = await chatStage(
    t,
    [{}, {}, {}],
    { sticky: { by: 'header' }, balance: { policy: 'round_robin' } },
    { config: { workers: 2 } },
  );
  const ask = async (lease?: string) => {
    // A connection of its own each time, so that either worker may get it.
    const headers = { connection: 'close', ...(lease !== undefined && { 'leaseway-lease': lease }) };
    const answer = await fetch(leaseway.url(), { headers });
    return { backend: await answer.text(), lease: answer.headers.get('leaseway-lease') };
  };
  const first = await ask();
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/`, {
    headers: { 'leaseway-lease': first.lease! },
  });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  const [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
  t.equal(backend, first.backend, 'both are where the lease says');
  const away = backends.find(({ name }) => name !== backend)!.name;
  t.match(await move(leaseway, id, away), { result: 'moved', to: away });
  for (let i = 0; i < 12; i++) {
    const answer = await ask(first.lease!);
    t.equal(answer.backend, away, 'though the lease names the old one');
    t.ok(answer.lease, 'and a new one is given');
    t.equal((await ask(answer.lease!)).lease, null, 'with which it stays');
  }
  t.match(await ask(), { lease: String }, 'others go where they went');
});
