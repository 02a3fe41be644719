// WebSockets that change their backend under load: every message is counted on both sides, by every way there is to move them.

import { once } from 'node:events';
import http2 from 'node:http2';
import root, { type Test } from 'tap';
import WebSocket from 'ws';
import { resumeKey, verifyResume } from '../../../lib/plan/lease/resume.ts';
import { CountingBackend, type CountingOptions } from '../../support/counting-backend.ts';
import { h2WebSocket } from '../../support/h2-websocket.ts';
import { Leaseway } from '../../support/leaseway.ts';

const SECRET = 'a secret for these tests that is long enough';

interface Stage {
  readonly leaseway: Leaseway;
  readonly backends: readonly CountingBackend[];
}

async function stage(
  t: Test,
  backends: readonly CountingOptions[],
  cluster: Record<string, unknown> = {},
): Promise<Stage> {
  const started = await Promise.all(
    backends.map((options, i) => CountingBackend.start(`b${i + 1}`, options)),
  );
  const leaseway = await Leaseway.start({
    config: { workers: 1, leases: { keys: [SECRET] }, routes: [{ cluster: 'chat' }] },
    clusters: {
      chat: {
        backends: started.map(({ name, url }) => ({ id: name, url })),
        outlier: { consecutive_failures: 0 },
        websocket: { migrate: 'transparent', timeout: '1s', hold: { time: '500ms' } },
        drain: { pace: 500 },
        ...cluster,
      },
    },
  });
  t.teardown(async () => {
    await leaseway[Symbol.asyncDispose]();
    await Promise.all(started.map(backend => backend[Symbol.asyncDispose]()));
  });
  return { leaseway, backends: started };
}

let shared: Promise<Stage> | null = null;

/** Two good backends for the tests that break one or the other; what was there before is gone. */
async function duo(t: Test): Promise<Stage> {
  shared ??= stage(root, [{}, {}]);
  const { leaseway, backends } = await shared;
  for (const backend of backends) backend.reset();
  t.teardown(() => leaseway.until(async () => (await listed(leaseway)).length === 0));
  return { leaseway, backends };
}

/** A client that numbers what it sends and keeps what it gets. */
class Client {
  readonly path: string;
  readonly socket: WebSocket;
  readonly got: string[] = [];
  sent = 0;
  code = 0;

  constructor(path: string, socket: WebSocket) {
    this.path = path;
    this.socket = socket;
    socket.on('message', data => this.got.push(String(data)));
    socket.on('close', code => {
      this.code = code;
    });
    socket.on('error', () => {});
  }

  send(): void {
    this.sent += 1;
    // Some in fragments, with a control frame in between.
    if (this.sent % 7 === 0) {
      this.socket.send(`${this.sent}`.slice(0, 1), { fin: false });
      this.socket.ping();
      this.socket.send(`${this.sent}`.slice(1), { fin: true });
    } else this.socket.send(`${this.sent}`);
  }

  get numbers(): number[] {
    return this.got.map(text => Number(text.split(' ')[1]));
  }
}

let paths = 0;

async function connect(t: Test, leaseway: Leaseway, protocols: string[] = []): Promise<Client> {
  const path = `/room-${++paths}?x=%20`;
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}${path}`, protocols);
  t.teardown(() => socket.terminate());
  const client = new Client(path, socket);
  await once(socket, 'open');
  return client;
}

/** Each message was heard once, in order, by all backends together, and answered. */
function whole(t: Test, clients: readonly Client[], backends: readonly CountingBackend[]): void {
  let [lost, doubled, reordered] = [0, 0, 0];
  const judge = (numbers: readonly number[], sent: number): void => {
    const once = new Set(numbers);
    lost += sent - once.size;
    doubled += numbers.length - once.size;
    for (let i = 1; i < numbers.length; i++) if (numbers[i]! < numbers[i - 1]!) reordered += 1;
  };
  for (const { path, sent, numbers } of clients) {
    judge(numbers, sent);
    const heard = backends.flatMap(backend => backend.heard.get(path) ?? []).map(Number);
    lost += sent - new Set(heard).size;
    doubled += heard.length - new Set(heard).size;
  }
  t.same({ lost, doubled, reordered }, { lost: 0, doubled: 0, reordered: 0 });
}

interface Listed {
  readonly id: string;
  readonly backend: string;
  readonly movable: boolean;
}

const listed = async (leaseway: Leaseway): Promise<Listed[]> =>
  (await leaseway.admin('/v1/connections?limit=10000')).body.items;

const move = async (leaseway: Leaseway, id: string, to?: string) =>
  (await leaseway.admin(`/v1/connections/${id}/move`, 'POST', to === undefined ? {} : { to })).body;

for (const [mode, manner] of [
  ['overlap', 'good'],
  ['strict', 'good'],
  ['overlap', 'cooperative'],
] as const) {
  root.test(`200 connections, moved five times each under load: ${mode}, ${manner} backends`, async t => {
    const options = { manner, lateMs: 30 };
    const { leaseway, backends } = await stage(t, [options, options, options], {
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

root.test('the next backend is asked the same, and can check where the session comes from', async t => {
  const { leaseway, backends } = await duo(t);
  const client = await connect(t, leaseway, ['chat.v2', 'chat.v1']);
  const [{ id, backend: from } = { id: '', backend: '' }] = await listed(leaseway);
  const moved = await move(leaseway, id);
  t.match(moved, { result: 'moved', from, reason: 'operator' });
  const [first, second] = [from, moved.to].map(name => backends.find(one => one.name === name)!.heads[0]!);
  t.equal(second!.url, first!.url);
  t.equal(first!.headers['sec-websocket-protocol'], 'chat.v2,chat.v1');
  t.equal(second!.headers['sec-websocket-protocol'], 'chat.v2', 'what the first has chosen');
  for (const { headers } of [first!, second!]) t.equal(headers['sec-websocket-extensions'], undefined);
  t.equal(first!.headers['leaseway-resume'], undefined);
  const session = String(first!.headers['leaseway-session']);
  t.match(session, /^[0-9a-f]{16}$/);
  const signed = String(second!.headers['leaseway-resume']);
  const keyId = /key="([0-9a-f]{8})"/.exec(signed)![1]!;
  const resume = verifyResume(signed, new Map([[keyId, resumeKey(Buffer.from(SECRET))]]));
  t.match(resume, { session, from, epoch: Number });
  t.ok(Math.abs(resume!.atMs - Date.now()) < 10_000);
  const changed = ['sec-websocket-key', 'sec-websocket-protocol', 'leaseway-resume', 'traceparent', 'host'];
  const others = (headers: object) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => !changed.includes(name)));
  t.same(others(second!.headers), others(first!.headers));
  t.equal(client.socket.protocol, 'chat.v2');
});

root.test('what a client says of resuming goes no further', async t => {
  const { leaseway, backends } = await duo(t);
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/`, {
    headers: { 'Leaseway-Resume': 'session="00", from="b1"', 'Leaseway-Session': 'mine' },
  });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  const { headers } = backends.flatMap(({ heads }) => heads)[0]!;
  t.equal(headers['leaseway-resume'], undefined);
  t.not(headers['leaseway-session'], 'mine');
});

for (const [manner, why] of [
  ['silent', /did not answer in time/],
  ['other', /chose subprotocol other/],
  ['refuses', /answered 403/],
  ['cut', /ANSWER_CUT|BAD_ANSWER/],
] as const) {
  root.test(`a backend that is ${manner} when it is asked costs nothing`, async t => {
    const { leaseway, backends } = await duo(t);
    const client = await connect(t, leaseway, ['chat']);
    const [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
    backends.find(({ name }) => name !== backend)!.manner = manner;
    client.send();
    const moved = await move(leaseway, id);
    t.match(moved, { result: 'failed', from: backend, holdMs: 0 });
    t.match(moved.reason, why);
    client.send();
    await leaseway.until(() => client.got.length === 2);
    t.same(client.got, [`${backend} 1`, `${backend} 2`]);
    t.match(await listed(leaseway), [{ backend, movable: true }]);
    await leaseway.until(async () =>
      (await leaseway.status()).backends.every((one: { inFlight: number }) => one.inFlight === 0),
    );
  });
}

root.test('an old backend that does not answer Close is cut, and the move counts as unclean', async t => {
  const { leaseway, backends } = await duo(t);
  for (const backend of backends) backend.manner = 'deaf';
  const client = await connect(t, leaseway);
  const [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
  client.send();
  await leaseway.until(() => client.got.length === 1);
  const moving = move(leaseway, id);
  const moved = await moving;
  t.match(moved, { result: 'unclean', from: backend });
  t.ok(moved.holdMs >= 490 && moved.holdMs < 1000, `held ${moved.holdMs} ms`);
  client.send();
  await leaseway.until(() => client.got.length === 2);
  whole(t, [client], backends);
});

root.test(
  'an old backend that stops in the middle of a message ends the connection, which nothing else could',
  async t => {
    const { leaseway, backends } = await duo(t);
    for (const backend of backends) backend.manner = 'stuck';
    const client = await connect(t, leaseway);
    const [{ id } = { id: '' }] = await listed(leaseway);
    const moved = await move(leaseway, id);
    t.match(moved, { result: 'failed', reason: /stuck in the middle/ });
    await leaseway.until(() => client.code === 1006);
    await leaseway.until(async () => (await listed(leaseway)).length === 0);
  },
);

root.test('a client in the middle of a message is not moved before it ends', async t => {
  const { leaseway, backends } = await duo(t);
  const client = await connect(t, leaseway);
  const [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
  client.socket.send('1', { fin: false });
  const late = await move(leaseway, id);
  t.match(late, { result: 'failed', holdMs: 0, reason: /middle of a message/ });
  client.socket.ping();
  const moving = move(leaseway, id);
  await leaseway.until(() => backends.reduce((sum, { heads }) => sum + heads.length, 0) === 3);
  client.socket.send('0', { fin: true });
  client.sent = 1;
  t.match(await moving, { result: 'moved', from: backend });
  await leaseway.until(() => client.got.length === 1);
  t.same(client.got, [`${backend} 10`], 'the whole of it went to the old one');
});

root.test(
  'a new backend that floods while the client is held fills no memory, and is heard after the old one',
  async t => {
    const { leaseway, backends } = await stage(t, [{ manner: 'cooperative', lateMs: 300 }, {}], {
      websocket: { migrate: 'transparent', hold: { time: '2s', bytes: '64KiB' } },
    });
    let client = await connect(t, leaseway);
    let [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
    while (backend !== 'b1') {
      client.socket.terminate();
      await leaseway.until(async () => (await listed(leaseway)).length === 0);
      client = await connect(t, leaseway);
      [{ id, backend } = { id: '', backend: '' }] = await listed(leaseway);
    }
    backends[1]!.manner = 'flood';
    client.send();
    t.match(await move(leaseway, id, 'b2'), { result: 'moved', to: 'b2' });
    await leaseway.until(() => client.got.length > 3);
    t.equal(client.got[0], 'b1 1');
    t.ok(client.got.slice(1).every(text => text.startsWith('ff')));
  },
);

root.test('a drain moves what can be moved, at its pace, and ends nothing', async t => {
  const { leaseway, backends } = await stage(t, [{}, {}, {}], { drain: { pace: 100, deadline: '10m' } });
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
  const { leaseway, backends } = await stage(t, [{}, {}, {}]);
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

root.test('both the backend and every other one dead: the client is told to come again', async t => {
  const { leaseway, backends } = await stage(t, [{}, {}]);
  const client = await connect(t, leaseway);
  for (const backend of backends) backend.kill();
  await leaseway.until(() => client.code === 1012);
  await leaseway.until(async () => (await listed(leaseway)).length === 0);
});

root.test('a Close of the backend’s own passes through, and ends nothing twice', async t => {
  const { leaseway, backends } = await duo(t);
  const client = await connect(t, leaseway);
  for (const backend of backends) backend.closeAll(4001);
  await leaseway.until(() => client.code === 4001);
  await leaseway.until(async () => (await listed(leaseway)).length === 0);
});

root.test('framing that is not understood is passed on, and its connection stays where it is', async t => {
  const { leaseway, backends } = await duo(t);
  const client = await connect(t, leaseway);
  // The client's own parser would end it.
  const raw = (client.socket as unknown as { _socket: import('node:net').Socket })._socket;
  raw.removeAllListeners('data');
  const bytes: Buffer[] = [];
  raw.on('data', chunk => bytes.push(chunk));
  for (const backend of backends) backend.write(Uint8Array.of(0x83, 1, 65));
  await leaseway.until(async () => (await listed(leaseway))[0]?.movable === false);
  const [{ id } = { id: '' }] = await listed(leaseway);
  t.match(await move(leaseway, id), { result: 'failed', reason: /route whose connections stay/ });
  await leaseway.until(() => Buffer.concat(bytes).equals(Uint8Array.of(0x83, 1, 65)));
});

root.test('routes decide: off stays, reconnect is told to come again', async t => {
  for (const [migrate, expected] of [
    ['off', { result: 'failed' }],
    ['reconnect', { result: 'ended' }],
  ] as const) {
    const { leaseway } = await stage(t, [{}, {}], { websocket: { migrate } });
    const client = await connect(t, leaseway);
    const [{ id, movable } = { id: '', movable: true }] = await listed(leaseway);
    t.equal(movable, false);
    t.match(await move(leaseway, id), expected);
    if (migrate === 'reconnect') await leaseway.until(() => client.code === 1012);
    else t.equal(client.code, 0);
  }
});

root.test('a client over HTTP/2 (RFC 8441) is moved likewise', async t => {
  const { leaseway, backends } = await stage(t, [{}, {}]);
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  await once(session, 'remoteSettings');
  const clients = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const path = `/room-${++paths}`;
      const socket = await h2WebSocket(session, path, {});
      t.teardown(() => socket.terminate());
      return new Client(path, socket);
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
