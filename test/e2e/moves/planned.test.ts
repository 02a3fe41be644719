// Planner and relay together: WebSockets are moved before an announced job, onto a backend that is new, by a drain; held by freeze
// and shadow. All the while numbered messages pass both ways.

import { join } from 'node:path';
import root, { type Test } from 'tap';
import { EXIT } from '../../../lib/core/exit-codes.ts';
import {
  CHAT_CONFIG,
  type ChatClient,
  chatCluster,
  chatStage,
  connect,
  listed,
  whole,
} from '../../support/chat-stage.ts';
import { CountingBackend } from '../../support/counting-backend.ts';
import type { Json } from '../../support/leaseway.ts';
import { runCli } from '../../support/run-cli.ts';

const CLIENTS = 45;
const PLACES = 30;
const JOB = 3;
/** Sessions younger than this are left alone. */
const LEAST_AGE_MS = 10_000;

const cluster = {
  capacity: { connections: PLACES },
  balance: { policy: 'round_robin' },
  forecast: { horizons: ['1s', '8s'] },
  migration: { per_second: 6, dwell: '1s' },
  drain: { pace: 8, deadline: '30s' },
};
const { leaseway, backends } = await chatStage(root, [{}, {}, {}], cluster);
const late = await CountingBackend.start('b4');
const all = [...backends, late];
root.teardown(() => late[Symbol.asyncDispose]());
const clients: ChatClient[] = await Promise.all(
  Array.from({ length: CLIENTS }, () => connect(root, leaseway)),
);
const openedMs = performance.now();
let talking = true;
const ticking = setInterval(() => {
  if (!talking) return;
  for (const client of clients) if (Math.random() < 0.3) client.send();
}, 50);
root.teardown(() => clearInterval(ticking));

const cli = (...args: string[]) =>
  runCli([
    ...args,
    ...['--admin', `http://127.0.0.1:${leaseway.serving.admin.port}`],
    ...['--token-file', join(leaseway.folder, 'state/admin-token')],
  ]);
const on = async (id: string): Promise<number> =>
  (await listed(leaseway)).filter(({ backend }) => backend === id).length;
const decisions = async (): Promise<Json[]> => (await leaseway.admin('/v1/decisions?limit=4096')).body.items;
const announce = async (t: Test, id: string, inS: number): Promise<void> => {
  const job = await cli('announce', `chat/${id}`, '--factor', `${JOB}`, '--in', `${inS}s`, '--for', '10m');
  t.equal(job.code, EXIT.ok, job.err);
};

/** What has been sent so far has been heard once and answered once, in order, and nobody was disconnected. */
async function counted(t: Test): Promise<void> {
  talking = false;
  await leaseway.until(() => clients.every(({ got, sent }) => got.length >= sent));
  whole(t, clients, all);
  talking = true;
  t.same([...new Set(clients.map(({ code }) => code))], [0], 'nobody was disconnected');
}

root.test('a backend that is new is filled by a bounded share of the others', async t => {
  const answer = await leaseway.admin('/v1/clusters/chat/backends', 'POST', { id: late.name, url: late.url });
  t.equal(answer.status, 201, answer.text);
  let filled = -1;
  // It has come to rest when for two seconds nobody comes.
  await leaseway.until(async () => {
    const [before, done] = [filled, (await decisions()).filter(({ reason }) => reason === 'fill')];
    filled = done.length;
    const last = done[0]?.atMs ?? Date.now();
    return filled > 0 && before === filled && Date.now() - last > 2_000;
  }, LEAST_AGE_MS + 20_000);
  const count = await on('b4');
  t.comment(
    `${count} of ${CLIENTS} to the new one, ${Math.round(performance.now() - openedMs)} ms after they came`,
  );
  t.ok(count >= 3 && count <= CLIENTS / 4, `a bounded share: ${count}`);
  await counted(t);
});

root.test('an announced job: its sessions are moved before it begins, as few as it takes', async t => {
  const before = await on('b1');
  const startMs = Date.now() + 12_000;
  await announce(t, 'b1', 12);
  const most = Math.floor((0.8 * PLACES) / JOB) + 1;
  await leaseway.until(async () => (await on('b1')) <= most);
  t.ok(Date.now() < startMs, `${startMs - Date.now()} ms before it begins`);
  await leaseway.until(async () => (await leaseway.admin('/v1/sessions')).body.items[0].underWay === 0);
  const left = await on('b1');
  t.ok(left >= most - 4, `no more than it takes: ${left} of ${before} stay`);
  const moves = (await decisions()).filter(
    ({ from, outcome, reason }) => from === 'b1' && outcome === 'moved' && reason !== 'fill',
  );
  t.ok(
    moves.every(
      ({ reason, fromLevel, toLevel }) => reason === 'forecast' && fromLevel > 0.8 && toLevel < 0.9,
    ),
  );
  const holds = moves.map(({ holdMs }) => holdMs as number).sort((a, b) => a - b);
  t.comment(
    `${moves.length} of ${before} moved ${startMs - Date.now()} ms before the job; held ${holds.map(ms => ms.toFixed(1)).join(', ')} ms`,
  );
  await counted(t);
});

root.test('a freeze holds everybody, shadow only says what it would do, and both end', async t => {
  t.equal((await cli('freeze', 'chat')).code, EXIT.ok);
  const before = await on('b2');
  // Ahead all the while: one that has begun, and brings no load, is believed for seconds only.
  await announce(t, 'b2', 25);
  const ahead = async () =>
    (await leaseway.admin('/v1/sessions')).body.items[0].backends.find(
      ({ backend }: Json) => backend === 'b2',
    ).ahead as number;
  await leaseway.until(async () => (await ahead()) > 1);
  t.equal(await on('b2'), before, 'frozen');
  const shadow = { ...cluster, migration: { ...cluster.migration, mode: 'shadow' } };
  leaseway.rewrite({ config: CHAT_CONFIG, clusters: { chat: chatCluster(backends, shadow) } });
  t.equal((await leaseway.reload()).status, 200);
  t.equal((await cli('unfreeze')).code, EXIT.ok);
  await leaseway.until(async () =>
    (await decisions()).some(({ from, outcome }) => from === 'b2' && outcome === 'shadow'),
  );
  t.equal(await on('b2'), before, 'shown, not done');
  leaseway.rewrite({ config: CHAT_CONFIG, clusters: { chat: chatCluster(backends, cluster) } });
  t.equal((await leaseway.reload()).status, 200);
  await leaseway.until(async () => (await on('b2')) < before);
  await counted(t);
});

root.test('a drain: planned, paced, undrained in the middle, done', async t => {
  // Nothing else moves meanwhile.
  t.equal((await cli('freeze', 'chat')).code, EXIT.ok);
  await leaseway.until(async () => (await leaseway.admin('/v1/sessions')).body.items[0].underWay === 0);
  const plan = await cli('drain', 'chat/b3', '--plan');
  const before = await on('b3');
  t.match(plan.out, new RegExp(`${before} connections move, 0 end`));
  t.match(plan.out, /chat\/b4 +\d/);
  const drain = () => cli('drain', 'chat/b3', '--force', '--deadline', '60s');
  t.equal((await drain()).code, EXIT.ok);
  await leaseway.until(async () => (await on('b3')) < before);
  t.equal((await cli('undrain', 'chat/b3')).code, EXIT.ok);
  await leaseway.until(async () => (await leaseway.admin('/v1/sessions')).body.items[0].underWay === 0);
  const rest = await on('b3');
  t.ok(rest > 0 && rest < before, `${rest} of ${before} stay where they are`);
  const waited = await cli('drain', 'chat/b3', '--force', '--deadline', '60s', '--wait');
  t.match(waited.out, /chat\/b3 is empty after/, waited.err);
  t.equal(await on('b3'), 0);
  const reasons = (await decisions()).filter(({ from, atMs }) => from === 'b3' && atMs > Date.now() - 60_000);
  t.ok(reasons.some(({ reason, outcome }) => reason === 'drain' && outcome === 'moved'));
  await counted(t);
});
