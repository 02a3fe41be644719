// WebSockets beside what dies: their backend killed by the kernel, their worker and the control thread in the middle of moves.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ChatClient, chatCluster, chatStage, connect, listed, whole } from '../../support/chat-stage.ts';
import { CountingBackend } from '../../support/counting-backend.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { stretched } from '../../support/stretch.ts';

const SCRIPT = join(import.meta.dirname, '../../support/counting-process.ts');
const GOAL_MS = 250;

t.test('a backend killed with kill -9: its clients speak to another within 250 ms', async t => {
  const victims = await Promise.all(
    ['v1', 'v2', 'v3'].map(async name => {
      const child = fork(SCRIPT, [name], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
      t.teardown(() => child.kill('SIGKILL'));
      const [url] = (await once(child, 'message')) as [string];
      return { name, url, child };
    }),
  );
  const stays = await Promise.all(['b1', 'b2'].map(name => CountingBackend.start(name)));
  const leaseway = await Leaseway.start({
    config: { workers: 1, routes: [{ cluster: 'chat' }] },
    clusters: { chat: chatCluster([...victims, ...stays], { balance: { policy: 'round_robin' } }) },
  });
  t.teardown(async () => {
    await leaseway[Symbol.asyncDispose]();
    await Promise.all(stays.map(backend => backend[Symbol.asyncDispose]()));
  });
  const clients = await Promise.all(Array.from({ length: 300 }, () => connect(t, leaseway)));
  const tookMs: number[] = [];
  for (const { name, child } of victims) {
    const marks = new Map(clients.map(client => [client, client.got.length]));
    for (const client of clients) client.send();
    await leaseway.until(() => clients.every(client => client.got.length > marks.get(client)!));
    const hit = clients.filter(({ got }) => got.at(-1)!.startsWith(`${name} `));
    t.ok(hit.length >= 40, `${hit.length} are on ${name}`);
    const { value, stretch } = await stretched(silence(hit, () => child.kill('SIGKILL')));
    t.comment(
      `${hit.length} on ${name}: the last spoke to another ${value.toFixed(0)} ms after the kill, where threads took ${stretch.toFixed(1)} times their CPU time`,
    );
    tookMs.push(value / stretch);
    t.ok(
      clients.every(({ code }) => code === 0),
      'nobody was disconnected',
    );
  }
  tookMs.sort((a, b) => a - b);
  t.ok(tookMs[1]! <= GOAL_MS, `${tookMs[1]!.toFixed(0)} ms, the middle of three`);
});

/** Kills, and asks until each of these has been answered by somebody: what went into a dead connection is lost, so each asks again. */
async function silence(hit: readonly ChatClient[], kill: () => void): Promise<number> {
  const before = hit.map(({ got }) => got.length);
  const begunMs = performance.now();
  kill();
  const asking = setInterval(() => {
    for (const [i, client] of hit.entries()) if (client.got.length === before[i]) client.send();
  }, 20);
  await Promise.all(
    hit.map((client, i) => (client.got.length > before[i]! ? null : once(client.socket, 'message'))),
  );
  const tookMs = performance.now() - begunMs;
  clearInterval(asking);
  return tookMs;
}

/** Two workers whose first backend is about to drain, under traffic, ten connections a second. */
async function drained(t: Test) {
  const drain = { pace: 10, deadline: '10m' };
  const stage = await chatStage(
    t,
    [{}, {}, {}],
    { balance: { policy: 'round_robin' }, drain },
    {
      hooked: true,
      config: { workers: 2 },
    },
  );
  const { leaseway } = stage;
  const clients = await Promise.all(Array.from({ length: 90 }, () => connect(t, leaseway)));
  const talking = setInterval(() => {
    for (const client of clients) if (client.code === 0 && Math.random() < 0.3) client.send();
  }, 20);
  t.teardown(() => clearInterval(talking));
  const on = async (id: string) => (await listed(leaseway)).filter(({ backend }) => backend === id);
  const before = (await on('b1')).length;
  await leaseway.admin('/v1/backends/chat/b1/drain', 'POST', { force: true });
  await leaseway.until(async () => (await on('b1')).length < before - 2);
  const hush = async (alive: readonly ChatClient[]): Promise<void> => {
    clearInterval(talking);
    await leaseway.until(() => alive.every(({ got, sent }) => got.length >= sent));
    whole(t, alive, stage.backends);
  };
  return { ...stage, clients, on, hush };
}

t.test(
  'a worker that dies in the middle of a drain costs its own clients, and the drain goes on',
  async t => {
    const { leaseway, clients, on, hush } = await drained(t);
    t.ok((await on('b1')).length > 5, 'in the middle');
    const theirs = (await listed(leaseway)).filter(({ id }) => id.startsWith('0-')).length;
    leaseway.hook('worker-0', 'exit');
    await leaseway.until(() => clients.filter(({ code }) => code !== 0).length === theirs);
    t.ok(theirs > 5 && theirs < 85, `${theirs} of ${clients.length}`);
    await leaseway.until(async () => (await on('b1')).length === 0);
    const alive = clients.filter(({ code }) => code === 0);
    t.equal(alive.length, clients.length - theirs);
    await hush(alive);
  },
);

t.test(
  'the control thread that dies in the middle of a drain: the next one finishes it, and nobody notices',
  async t => {
    const { leaseway, clients, on, hush } = await drained(t);
    t.ok((await on('b1')).length > 5, 'in the middle');
    leaseway.hook('control', 'exit');
    await leaseway.until(() => leaseway.log.some(line => line.includes('control thread died')));
    await leaseway.until(async () => (await leaseway.admin('/readyz').catch(() => null))?.status === 200);
    t.ok((await on('b1')).length > 0, 'there was something left to do');
    await leaseway.until(async () => (await on('b1')).length === 0);
    t.same([...new Set(clients.map(({ code }) => code))], [0], 'nobody was disconnected');
    await hush(clients);
  },
);
