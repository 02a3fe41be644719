// Small writes wait for the end of the turn, and no longer.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { hold } from '../../../lib/data/http1/batch.ts';

async function pair(t: Test): Promise<{ near: Socket; far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const near = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [far] = (await once(server, 'connection')) as [Socket];
  await once(near, 'connect');
  server.close();
  t.teardown(() => [near, far].map(socket => socket.destroy()));
  return { near, far };
}

const turn = (): Promise<void> => new Promise(over => setImmediate(over));
const heard = async (socket: Socket): Promise<string> =>
  String(((await once(socket, 'data')) as [Buffer])[0]);

t.test('what is written in one turn leaves at its end, in order and whole', async t => {
  const { near, far } = await pair(t);
  hold(near);
  near.write('head ', 'latin1');
  hold(near);
  near.write('body');
  t.equal(near.writableCorked, 1, 'held once, however often it is asked for');
  t.equal(near.bytesWritten - near.writableLength, 0, 'nothing has left yet');
  await turn();
  t.equal(near.writableCorked, 0);
  t.equal(await heard(far), 'head body');
});

t.test('one turn after the other: a later write is not held by an earlier turn', async t => {
  const { near, far } = await pair(t);
  for (const word of ['one', 'two']) {
    hold(near);
    near.write(word);
    t.equal(await heard(far), word);
  }
});

t.test('so many sockets leave without waiting for more', async t => {
  const pairs = await Promise.all(Array.from({ length: 70 }, () => pair(t)));
  for (const { near } of pairs) {
    hold(near);
    near.write('x');
  }
  t.equal(pairs.filter(({ near }) => near.writableCorked === 0).length, 65, 'the first 65');
  await turn();
  t.ok(pairs.every(({ near }) => near.writableCorked === 0));
  await Promise.all(pairs.map(({ far }) => (far.readableLength > 0 ? undefined : heard(far))));
});

t.test('end sends what is held', async t => {
  const { near, far } = await pair(t);
  hold(near);
  near.write('last words');
  near.end();
  t.equal(await heard(far), 'last words');
  await once(far.resume(), 'end');
});

t.test('a socket that is destroyed meanwhile harms nobody', async t => {
  const one = await pair(t);
  const other = await pair(t);
  for (const { near } of [one, other]) {
    hold(near);
    near.write('x');
  }
  one.near.destroy();
  t.equal(await heard(other.far), 'x');
});
