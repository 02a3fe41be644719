// One WebSocket and what can go wrong while it is moved: what its client notices, what is reported, what is left.

import { once } from 'node:events';
import root, { type Test } from 'tap';
import WebSocket from 'ws';
import { resumeKey, verifyResume } from '../../../lib/plan/lease/resume.ts';
import {
  type ChatStage,
  chatStage,
  connect,
  LEASE_SECRET,
  listed,
  move,
  whole,
} from '../../support/chat-stage.ts';

let shared: Promise<ChatStage> | null = null;

/** Two good backends for the tests that break one or the other; what was there before is gone. */
async function duo(t: Test): Promise<ChatStage> {
  shared ??= chatStage(root, [{}, {}]);
  const { leaseway, backends } = await shared;
  for (const backend of backends) backend.reset();
  t.teardown(() => leaseway.until(async () => (await listed(leaseway)).length === 0));
  return { leaseway, backends };
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
  const resume = verifyResume(signed, new Map([[keyId, resumeKey(Buffer.from(LEASE_SECRET))]]));
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
    const { leaseway, backends } = await chatStage(t, [{ manner: 'cooperative', lateMs: 300 }, {}], {
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
    const { leaseway } = await chatStage(t, [{}, {}], { websocket: { migrate } });
    const client = await connect(t, leaseway);
    const [{ id, movable } = { id: '', movable: true }] = await listed(leaseway);
    t.equal(movable, false);
    t.match(await move(leaseway, id), expected);
    if (migrate === 'reconnect') await leaseway.until(() => client.code === 1012);
    else t.equal(client.code, 0);
  }
});
