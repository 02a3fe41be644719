// The stream between a socket and node:http2, over a real pair of sockets.

import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import type { Test } from 'tap';
import t from 'tap';
import { Http2Wire } from '../../../lib/data/http2/wire.ts';
import { frame, greeting, headers, POST, Type } from '../../support/h2-frames.ts';

interface Ends {
  readonly wire: Http2Wire;
  readonly socket: Socket;
  readonly client: Socket;
  /** What the client has got. */
  readonly got: Buffer[];
  destroys: number;
}

async function ends(t: Test): Promise<Ends> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  socket.on('error', () => {});
  const got: Buffer[] = [];
  client.on('data', chunk => got.push(chunk));
  const made: Ends = {
    ...{ socket, client, got, destroys: 0 },
    wire: new Http2Wire(socket, () => {
      made.destroys += 1;
    }),
  };
  t.teardown(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  return made;
}

const bytesOf = (chunks: readonly Buffer[]): number => chunks.reduce((sum, one) => sum + one.length, 0);

t.test('what comes while nobody wants it waits in the socket, and comes in order', async t => {
  const { wire, client } = await ends(t);
  const seen: Buffer[] = [];
  // As nghttp2 does at each write of its own: wants no more from within what it was just given.
  wire.on('data', (piece: Buffer) => {
    seen.push(Buffer.from(piece));
    wire.pause();
    setImmediate(() => wire.resume());
  });
  wire.resume();
  const sent = Buffer.concat([
    greeting,
    ...Array.from({ length: 200 }, (_, i) =>
      Buffer.concat([headers(2 * i + 1, POST, 0), frame(Type.data, 1, 2 * i + 1, Buffer.alloc(i * 50, i))]),
    ),
  ]);
  client.end(sent);
  await once(wire, 'end');
  t.ok(Buffer.concat(seen).equals(sent));
  t.ok(seen.length > 200, `${seen.length} pieces`);
});

t.test('a paused wire stops its client', async t => {
  const { wire, client, socket } = await ends(t);
  let read = 0;
  wire.on('data', (piece: Buffer) => {
    read += piece.length;
    wire.pause();
  });
  wire.resume();
  const all = Buffer.concat([greeting, frame(Type.ping, 0, 0, Buffer.alloc(4 * 1024 * 1024))]);
  client.write(all);
  await once(wire, 'data');
  for (let i = 0; i < 50; i++) await new Promise(resolve => setImmediate(resolve));
  t.ok(socket.isPaused());
  t.ok(socket.bytesRead < all.length, `${socket.bytesRead} bytes were read`);
  wire.removeAllListeners('data');
  wire.on('data', (piece: Buffer) => {
    read += piece.length;
    if (read === all.length) wire.emit('whole');
  });
  wire.resume();
  await once(wire, 'whole');
  t.equal(read, all.length);
});

t.test('writes keep their order, with frames of ours between them, and each part is told', async t => {
  const { wire, client, got } = await ends(t);
  const shared = Buffer.alloc(30_000, 'shared');
  const wanted: Buffer[] = [];
  let told = 0;
  for (let i = 0; i < 40; i++) {
    const parts = [Buffer.from(`head ${i};`), Buffer.alloc(i * 1000, i), shared.subarray(10, 20_000)];
    wanted.push(...parts.map(part => Buffer.from(part)));
    await new Promise<void>(done => {
      let left = parts.length;
      wire.cork();
      for (const part of parts)
        wire.write(part, error => {
          t.notOk(error);
          told += 1;
          left -= 1;
          if (left === 0) done();
        });
      wire.uncork();
      wire.interject(Buffer.from(`between ${i};`));
    });
    wanted.push(Buffer.from(`between ${i};`));
  }
  wire.end(() => {});
  await once(client, 'end');
  t.ok(Buffer.concat(got).equals(Buffer.concat(wanted)), `${bytesOf(got)} bytes`);
  t.equal(told, 120);
  t.equal(shared.subarray(0, 12).toString(), 'sharedshared', 'memory that others share is left to them');
});

t.test('a write to a client that is gone fails, and the wire closes', async t => {
  const { wire, client, socket } = await ends(t);
  wire.on('error', () => {});
  wire.resume();
  const closed = new Promise(done => wire.once('close', done));
  client.resetAndDestroy();
  await closed;
  const error = await new Promise(done => wire.write(Buffer.from('late'), done));
  t.ok(error instanceof Error);
  t.ok(socket.destroyed);
});

t.test('to be destroyed is for its owner to decide', async t => {
  const made = await ends(t);
  made.wire.destroy();
  t.equal(made.destroys, 1);
  t.notOk(made.socket.destroyed);
});
