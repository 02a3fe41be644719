import type { Test } from 'tap';
import t from 'tap';
import {
  block,
  Code,
  Flag,
  frame,
  GET,
  goawayOf,
  greeting,
  h2StatusOf,
  headers,
  POST,
  rst,
  rstOf,
  setting,
  Type,
  uint32,
} from '../../support/h2-frames.ts';
import { type Harness, type HarnessOptions, startListener } from '../../support/listener-harness.ts';
import { type RawClient, rawConnect } from '../../support/raw-client.ts';

/** A connection that attacks beside one that behaves; afterwards the good one must still be served. */
async function attack(
  t: Test,
  options: HarnessOptions,
  run: (client: RawClient, harness: Harness) => Promise<void>,
): Promise<void> {
  const harness = await startListener(t, options);
  const bystander = await rawConnect(harness.port);
  bystander.send(greeting);
  bystander.send(headers(1, GET));
  await bystander.until(() => h2StatusOf(bystander, 1) === 200);
  const client = await rawConnect(harness.port);
  client.send(greeting);
  await run(client, harness);
  harness.serve = ({ incoming }) => {
    incoming.answer({ status: 204, fields: [] }, true);
    incoming.end();
  };
  bystander.send(headers(3, GET));
  await bystander.until(() => h2StatusOf(bystander, 3) === 204);
  t.pass('others are unharmed');
  bystander.socket.destroy();
  client.socket.destroy();
}

/** Sends `piece` again and again, as fast as it is taken, until the other side closes or `bytes` have gone. */
async function flood(client: RawClient, piece: Buffer, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes && !client.closed && !client.ended; sent += piece.length) {
    if (!client.socket.write(piece))
      await Promise.race([
        new Promise(resolve => client.socket.once('drain', resolve)),
        client.until(() => client.ended),
      ]);
    else await new Promise(resolve => setImmediate(resolve));
  }
}

const times = (count: number, make: (i: number) => Buffer): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => make(i)));
const calm = async (t: Test, client: RawClient): Promise<void> => {
  await client.until(() => goawayOf(client) !== -1 && (client.ended || client.closed));
  t.equal(goawayOf(client), Code.calm);
};

t.test('rapid reset: GOAWAY after the allowed resets, and every exchange is told', async t => {
  await attack(t, { limits: { h2_resets_per_minute: 50 } }, async (client, harness) => {
    harness.serve = () => {};
    await flood(
      client,
      times(1, () => Buffer.alloc(0)),
      0,
    );
    for (let i = 0; i < 400 && !client.ended; i++) {
      client.send(Buffer.concat([headers(2 * i + 1, GET), rst(2 * i + 1, Code.cancel)]));
      if (i % 10 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    await calm(t, client);
    const started = harness.exchanges.slice(1);
    t.ok(started.length <= 160, `${started.length} exchanges began`);
    for (const { sink } of started) await sink.until('gone');
  });
});

t.test('resets that we are provoked into count as well', async t => {
  await attack(t, { limits: { h2_resets_per_minute: 20 } }, async (client, harness) => {
    harness.serve = () => {};
    for (let i = 0; i < 60 && !client.ended; i++) {
      // Less body than Content-Length says is a stream error: the reset is ours, the fault is not.
      const stream = 2 * i + 1;
      const head = headers(stream, [...POST, 'content-length', '5'], 0);
      client.send(Buffer.concat([head, frame(Type.data, Flag.endStream, stream, Buffer.alloc(3))]));
      await new Promise(resolve => setImmediate(resolve));
    }
    await calm(t, client);
  });
});

t.test('malformed requests without end are refused and then the connection is ended', async t => {
  await attack(t, {}, async client => {
    for (let i = 0; i < 1000 && !client.ended; i++) {
      client.send(headers(2 * i + 1, [...GET, 'connection', 'close']));
      if (i % 20 === 0) await new Promise(resolve => setImmediate(resolve));
    }
    await client.until(() => client.ended || client.closed);
    t.not(goawayOf(client), -1);
  });
});

t.test('PING flood', async t => {
  await attack(t, {}, async client => {
    await flood(
      client,
      times(100, () => frame(Type.ping, 0, 0, Buffer.alloc(8))),
      4_000_000,
    );
    await client.until(() => client.ended || client.closed);
    t.equal(goawayOf(client), Code.calm);
  });
});

t.test('SETTINGS flood', async t => {
  await attack(t, {}, async client => {
    await flood(
      client,
      times(10, i => frame(Type.settings, 0, 0, setting(4, 65_535 + i))),
      4_000_000,
    );
    await client.until(() => client.ended || client.closed);
    t.equal(goawayOf(client), Code.calm);
  });
});

t.test('floods of frames that carry nothing', async t => {
  const floods: [string, Buffer][] = [
    ['PRIORITY', times(100, i => frame(Type.priority, 0, 2 * i + 101, Buffer.alloc(5, 1)))],
    ['WINDOW_UPDATE', times(100, () => frame(Type.windowUpdate, 0, 1, uint32(1)))],
    ['unknown frames', times(10, () => frame(0xbb, 0, 0, Buffer.alloc(1000)))],
    [
      'padding only',
      times(100, () =>
        frame(Type.data, Flag.padded, 1, Buffer.concat([Buffer.from([200]), Buffer.alloc(200)])),
      ),
    ],
  ];
  for (const [name, piece] of floods)
    await attack(t, { limits: { keep_alive: 400 } }, async (client, harness) => {
      harness.serve = () => {};
      client.send(headers(1, POST, 0));
      await harness.next();
      await harness.next();
      await flood(client, piece, 64_000_000);
      await client.until(() => client.ended || client.closed);
      t.ok(
        [Code.calm, Code.flow, Code.internal].includes(goawayOf(client) as never),
        `${name}: ${goawayOf(client)}`,
      );
    });
});

t.test('empty DATA frames flood', async t => {
  await attack(t, {}, async (client, harness) => {
    harness.serve = () => {};
    client.send(headers(1, POST, 0));
    await harness.next();
    const { sink } = await harness.next();
    await flood(
      client,
      times(100, () => frame(Type.data, 0, 1)),
      4_000_000,
    );
    await client.until(() => client.ended || client.closed);
    t.not(goawayOf(client), -1);
    await sink.until('gone');
  });
});

t.test('CONTINUATION flood', async t => {
  await attack(t, {}, async (client, harness) => {
    const before = harness.exchanges.length;
    client.send(frame(Type.headers, 0, 1, block(GET)));
    await flood(
      client,
      times(20, () => frame(Type.continuation, 0, 1, block(['x', 'y'.repeat(100)]))),
      20_000_000,
    );
    await client.until(() => client.ended || client.closed);
    t.not(goawayOf(client), -1);
    t.equal(harness.exchanges.length, before);
  });
});

t.test('an HPACK bomb is refused without becoming a request', async t => {
  await attack(t, {}, async (client, harness) => {
    const before = harness.exchanges.length;
    // One field of 4000 bytes into the table, then named a thousand times: 4 MB out of 5 KB.
    const field = Buffer.concat([Buffer.from([0x40]), block(['x', 'y'.repeat(4000)]).subarray(1)]);
    const bomb = Buffer.concat([block(GET), field, Buffer.alloc(1000, 0x80 | 62)]);
    client.send(frame(Type.headers, Flag.endStream | Flag.endHeaders, 1, bomb));
    client.send(headers(3, GET));
    await client.until(() => h2StatusOf(client, 3) === 200 || goawayOf(client) !== -1);
    t.equal(harness.exchanges.slice(before).filter(one => one.incoming.head.fields.length > 0).length, 0);
  });
});

t.test('more streams than allowed are refused', async t => {
  await attack(t, { limits: { h2_streams: 5 } }, async (client, harness) => {
    harness.serve = () => {};
    // Before it has acknowledged our SETTINGS a client may not know: the streams are refused, not the connection.
    client.send(times(50, i => headers(2 * i + 1, GET)));
    await client.until(() => rstOf(client, 99) === Code.refused);
    await harness.until(() => harness.exchanges.length >= 6);
    t.equal(harness.exchanges.length, 6, 'the one beside and five');
    client.send(frame(Type.settings, Flag.ack, 0));
    client.send(times(5, i => headers(2 * i + 101, GET)));
    await client.until(() => goawayOf(client) !== -1);
    t.equal(goawayOf(client), Code.protocol, 'afterwards it is a broken promise');
  });
});

t.test('stalled windows: what waits for the client is bounded, and the connection ends', async t => {
  await attack(t, { limits: { write_idle_timeout: 150 } }, async (client, harness) => {
    let written = 0;
    harness.serve = ({ incoming, sink }) => {
      incoming.answer({ status: 200, fields: [] }, false);
      const pump = (): void => {
        do written += 16_384;
        while (incoming.write(Buffer.alloc(16_384)) && written < 1e9 && !sink.events.includes('gone'));
      };
      sink.onDrained = pump;
      pump();
    };
    client.send(frame(Type.settings, 0, 0, setting(4, 0)));
    client.send(times(90, i => headers(2 * i + 1, GET)));
    await calm(t, client);
    t.ok(written < 5_000_000, `${written} bytes taken from backends`);
    for (const { sink } of harness.exchanges.slice(1)) await sink.until('gone');
  });
});

t.test('a client that sends no SETTINGS is not kept', async t => {
  const harness = await startListener(t, { limits: { head_timeout: 80 } });
  const client = await rawConnect(harness.port);
  client.send(greeting.subarray(0, 24));
  await client.until(() => client.ended || client.closed);
  client.socket.destroy();
  await harness.until(() => harness.listener.connections === 0);
  t.equal(harness.listener.connections, 0);
});

t.test('no end of requests on one connection: GOAWAY that loses none', async t => {
  const harness = await startListener(t, { limits: { requests_per_connection: 3, keep_alive: 100 } });
  const client = await rawConnect(harness.port);
  client.send(greeting);
  client.send(times(4, i => headers(2 * i + 1, GET)));
  await client.until(() => h2StatusOf(client, 7) === 200 && goawayOf(client) === Code.none);
  await client.until(() => client.ended || client.closed);
  t.equal(harness.exchanges.length, 4, 'those under way are served');
  client.socket.destroy();
});
