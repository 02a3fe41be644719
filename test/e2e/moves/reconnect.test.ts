// `migrate: reconnect`: clients of a backend that is about to be overloaded, or drains, are told to come again, at the planner's pace.

import t from 'tap';
import WebSocket from 'ws';
import { chatStage, listed } from '../../support/chat-stage.ts';
import type { Json } from '../../support/leaseway.ts';

const CLIENTS = 45;
const PLACES = 30;
const JOB = 3;
const PER_SECOND = 4;
const LEAST_AGE_MS = 10_000;

const { leaseway } = await chatStage(t, [{}, {}, {}], {
  capacity: { connections: PLACES },
  forecast: { horizons: ['1s', '20s'] },
  // As far as the planner looks: who is told to come again is not to be sent back.
  balance: { gate: { horizon: '20s' } },
  migration: { per_second: PER_SECOND, dwell: '1s' },
  websocket: { migrate: 'reconnect' },
  drain: { pace: 5 },
});

/** When clients were told to come again, and all other codes. */
const toldMs: number[] = [];
const others: number[] = [];
let over = false;

/** Comes again at 1012, as a good client does. */
class Comer {
  #socket: WebSocket | null = null;

  open(): void {
    const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/`);
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('open', () => socket.send('hello'));
    socket.on('close', code => {
      if (over) return;
      if (code !== 1012) return void others.push(code);
      toldMs.push(performance.now());
      setTimeout(() => this.open(), Math.random() * 200);
    });
  }

  end(): void {
    this.#socket?.terminate();
  }
}

const on = async (id: string): Promise<number> =>
  (await listed(leaseway)).filter(({ backend }) => backend === id).length;
const decisions = async (): Promise<Json[]> => (await leaseway.admin('/v1/decisions?limit=4096')).body.items;
const comers = Array.from({ length: CLIENTS }, () => new Comer());
for (const comer of comers) comer.open();
t.teardown(() => {
  over = true;
  for (const comer of comers) comer.end();
});
await leaseway.until(async () => (await listed(leaseway)).length === CLIENTS);
const openedMs = performance.now();

/** Most that were told within one second. */
const peak = (): number =>
  Math.max(0, ...toldMs.map(from => toldMs.filter(ms => ms >= from && ms < from + 1_000).length));

t.test('before an announced job, as few as it takes, at the pace for load', async t => {
  await leaseway.until(() => performance.now() - openedMs > LEAST_AGE_MS);
  const before = await on('b1');
  const event = { name: 'job', factor: JOB, backends: ['b1'], in: '15s', for: '10m' };
  t.equal((await leaseway.admin('/v1/clusters/chat/events', 'POST', event)).status, 201);
  const startMs = performance.now() + 15_000;
  const most = Math.floor((0.8 * PLACES) / JOB) + 1;
  await leaseway.until(async () => (await on('b1')) <= most);
  t.ok(performance.now() < startMs, `${Math.round(startMs - performance.now())} ms before it begins`);
  t.ok(toldMs.length >= before - most && toldMs.length <= before, `${toldMs.length} of ${before} were told`);
  t.ok(peak() <= 2 * PER_SECOND, `${peak()} within a second`);
  t.match(
    (await decisions()).find(({ outcome }) => outcome === 'ended'),
    { from: 'b1', reason: 'forecast', kind: 'migration' },
  );
  await leaseway.until(async () => (await listed(leaseway)).length === CLIENTS);
  t.ok((await on('b1')) <= most + 1, 'and come to others');
  t.same(others, []);
});

t.test('by a drain, at its pace', async t => {
  // The job is off: with it the others would have no room for all, and the drain would wait for its deadline.
  const [event] = (await leaseway.admin('/v1/events')).body.items;
  t.equal((await leaseway.admin(`/v1/events/${event.id}`, 'DELETE')).status, 200);
  await leaseway.admin('/v1/freeze', 'POST', {});
  await leaseway.until(async () => (await leaseway.admin('/v1/sessions')).body.items[0].underWay === 0);
  toldMs.length = 0;
  const before = await on('b2');
  await leaseway.admin('/v1/backends/chat/b2/drain', 'POST', { force: true });
  await leaseway.until(async () => (await on('b2')) === 0);
  t.equal(toldMs.length, before);
  t.ok(peak() <= 8, `${peak()} within a second`);
  await leaseway.until(async () => (await listed(leaseway)).length === CLIENTS);
  t.same(others, []);
});
