// Backends over HTTP/1.1 that break the protocol, byte by byte: what the sink hears.

import type { Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { UpstreamHead } from '../../../lib/data/ports.ts';
import { eachHead, rawBackend } from '../../support/backends.ts';
import type { RecordingSink } from '../../support/recording-sink.ts';
import { ask, connectTo, fetchFrom, upstreamTo } from '../../support/upstreams.ts';

for (const http1 of ['node', 'native'] as const) {
  const WIRE = { protocol: 'http1', secure: false, http1 } as const;
  /** One request to a backend that answers each head with `talk`. */
  async function answered(
    test: Test,
    talk: (socket: Socket, head: string) => void,
    overrides: Partial<UpstreamHead> = {},
  ): Promise<RecordingSink> {
    const backend = await rawBackend(false, socket => eachHead(socket, head => talk(socket, head)));
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => {
      upstream.close();
      return backend.close();
    });
    const sink = await fetchFrom(upstream, overrides);
    test.same(sink.illegal, []);
    return sink;
  }

  const OK = 'HTTP/1.1 200 OK\r\n';
  const CUTS: readonly (readonly [string, string])[] = [
    ['a body shorter than its content-length', `${OK}Content-Length: 10\r\n\r\nhalf`],
    ['a chunked body without its last chunk', `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`],
    ['a chunked body cut in a chunk', `${OK}Transfer-Encoding: chunked\r\n\r\na\r\nhalf`],
    [
      'a chunked body cut in its trailers',
      `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nX-A: 1\r\n`,
    ],
    ['a head that is cut', `${OK}Content-Le`],
    ['an interim answer and nothing more', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'],
  ];
  for (const [what, bytes] of CUTS) {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      t.test(`${http1}: ${what}, then ${how}: is never delivered as complete`, async test => {
        const sink = await answered(test, socket => {
          socket.write(bytes, () => setImmediate(() => socket[how]()));
        });
        test.equal(sink.outcome, 'fail ANSWER_CUT sent=true');
      });
    }
  }

  const BAD: readonly (readonly [string, string])[] = [
    ['both framings', `${OK}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n`],
    ['two content-lengths', `${OK}Content-Length: 4\r\nContent-Length: 5\r\n\r\nhalf!`],
    ['a content-length that is no number', `${OK}Content-Length: 4x\r\n\r\nhalf`],
    ['a bad chunk size', `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf\r\n0\r\n\r\n`],
    ['a transfer coding we do not undo', `${OK}Transfer-Encoding: gzip\r\n\r\nhalf`],
    ['two transfer codings', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nhalf\r\n0\r\n\r\n`],
    ['a control character in a field', `${OK}X-A: a\x00b\r\nContent-Length: 0\r\n\r\n`],
    ['a space before a colon', `${OK}X-A : b\r\nContent-Length: 0\r\n\r\n`],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['a head beyond all bounds', `${OK}${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(80)}\r\n`],
    ['a status that is none', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['101 that nobody asked for', 'HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n'],
    ['101 without an upgrade', 'HTTP/1.1 101 Switching\r\n\r\n'],
    ['interim answers without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(40)],
  ];
  for (const [what, bytes] of BAD) {
    t.test(`${http1}: ${what}: is a bad answer`, async test => {
      const sink = await answered(test, socket => socket.write(bytes));
      test.equal(sink.outcome, 'fail BAD_ANSWER sent=true');
    });
  }

  t.test(
    `${http1}: an answer that ends with its connection is whole after FIN and cut after RST`,
    async test => {
      const whole = await answered(test, socket => socket.end(`${OK}\r\nall of it`));
      test.equal(whole.outcome, 'end');
      test.equal(whole.body, 'all of it');
      const backend = await rawBackend(false, socket => {
        eachHead(socket, () => socket.write(`${OK}\r\nsome of it`));
        cut = () => socket.resetAndDestroy();
      });
      let cut = (): void => {};
      const upstream = connectTo(backend, WIRE);
      test.teardown(() => backend.close());
      const { sink } = ask(upstream);
      await sink.until(() => sink.bytes > 0);
      cut();
      await sink.over();
      test.equal(sink.outcome, 'fail ANSWER_CUT sent=true');
      upstream.close();
    },
  );

  t.test(
    `${http1}: connection-specific fields go, those named by Connection too; order, case and repeats stay`,
    async test => {
      const sink = await answered(test, socket =>
        socket.write(
          `${OK}Date: x\r\nX-Hop: 1\r\nSET-Cookie: a\r\nConnection: X-Hop, keep-alive\r\nKeep-Alive: timeout=9\r\n` +
            'Upgrade: h2c\r\nProxy-Connection: a\r\nset-cookie: b\r\nTrailer: X-T\r\nContent-Length: 0\r\nX-Latin: \xe9\r\n\r\n',
          'latin1',
        ),
      );
      test.equal(sink.outcome, 'end');
      test.same(sink.answer!.fields, [
        ...['Date', 'x', 'SET-Cookie', 'a', 'set-cookie', 'b'],
        ...['Trailer', 'X-T', 'Content-Length', '0', 'X-Latin', '\xe9'],
      ]);
    },
  );

  t.test(
    `${http1}: the request head goes out as given, with Host first and our own Connection`,
    async test => {
      let received = '';
      await answered(
        test,
        (socket, head) => {
          received = head;
          socket.write(`${OK}Content-Length: 0\r\n\r\n`);
        },
        { fields: ['X-MiXed', '1', 'x-b', 'B', 'X-MiXed', '2'], target: '/%2e//a?b' },
      );
      test.same(received.split('\r\n'), [
        'GET /%2e//a?b HTTP/1.1',
        ...(http1 === 'native' ? ['Host: app.example'] : ['host: app.example', 'connection: keep-alive']),
        ...['X-MiXed: 1', 'x-b: B', 'X-MiXed: 2'],
      ]);
    },
  );

  t.test(
    `${http1}: a kept-alive connection that is closed as it is reused is named stale, a fresh one is not`,
    async test => {
      const backend = await rawBackend(false, socket =>
        eachHead(socket, (_head, number) => {
          if (number === 1) socket.write(`${OK}Content-Length: 2\r\n\r\nok`);
          else socket.resetAndDestroy();
        }),
      );
      const upstream = connectTo(backend, WIRE);
      test.teardown(() => backend.close());
      test.equal((await fetchFrom(upstream)).outcome, 'end');
      await new Promise(resolve => setImmediate(resolve));
      const reused = await fetchFrom(upstream);
      test.equal(reused.outcome, 'fail STALE_CONNECTION sent=true');
      test.equal(backend.accepted, 1);
      test.equal((await fetchFrom(upstream)).outcome, 'end');
      upstream.close();
    },
  );

  t.test(`${http1}: a connection that the backend closed while idle is not used again`, async test => {
    const backend = await rawBackend(false, socket =>
      eachHead(socket, () => socket.end(`${OK}Content-Length: 2\r\n\r\nok`)),
    );
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    for (let i = 1; i <= 3; i++) {
      test.equal((await fetchFrom(upstream)).outcome, 'end');
      await backend.until(() => backend.sockets.size === 0);
      test.equal(backend.accepted, i);
    }
    upstream.close();
  });

  t.test(`${http1}: bytes after an answer never become the next answer`, async test => {
    const backend = await rawBackend(false, socket =>
      eachHead(socket, () =>
        socket.write(`${OK}Content-Length: 2\r\n\r\nok${OK}Content-Length: 4\r\n\r\nevil`),
      ),
    );
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    for (let i = 0; i < 5; i++) {
      const sink = await fetchFrom(upstream);
      test.not(sink.body, 'evil');
    }
    upstream.close();
  });

  t.test(`${http1}: a body after the answer to HEAD never becomes the next answer`, async test => {
    const backend = await rawBackend(false, socket =>
      eachHead(socket, head => {
        const evil = head.startsWith('HEAD') ? `${OK}Content-Length: 4\r\n\r\nevil` : 'good';
        socket.write(`${OK}Content-Length: 4\r\n\r\n${evil}`);
      }),
    );
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    test.equal((await fetchFrom(upstream, { method: 'HEAD' })).outcome, 'end');
    test.equal((await fetchFrom(upstream)).body, 'good');
    upstream.close();
  });

  t.test(`${http1}: trailers of a chunked answer arrive as fields`, async test => {
    const sink = await answered(test, socket =>
      socket.write(`${OK}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n`),
    );
    test.equal(sink.outcome, 'end');
    test.same(sink.trailers, ['X-Sum', '1', 'x-sum', '2']);
  });

  t.test(
    `${http1}: an early answer with a closed connection arrives while the request is still being sent`,
    async test => {
      const backend = await rawBackend(false, socket => {
        socket.once('data', () => socket.end(`${OK}Connection: close\r\nContent-Length: 5\r\n\r\nearly`));
      });
      const upstream = connectTo(backend, WIRE);
      test.teardown(() => backend.close());
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      sink.onEvent = () => outgoing.write(Buffer.alloc(1000));
      outgoing.write(Buffer.alloc(1000));
      await sink.over();
      test.equal(sink.outcome, 'end');
      test.equal(sink.body, 'early');
      upstream.close();
    },
  );

  t.test(`${http1}: paused before the head and resumed after it, an answer arrives whole`, async test => {
    const backend = await rawBackend(false, socket =>
      eachHead(socket, () => socket.write(`${OK}Content-Length: 5\r\n\r\nwhole`)),
    );
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    const { sink, outgoing } = ask(upstream);
    outgoing.pause();
    await sink.until(() => sink.answer !== null);
    test.equal(sink.bytes, 0);
    outgoing.resume();
    await sink.over();
    test.equal(sink.body, 'whole');
    upstream.close();
  });

  t.test(`${http1}: a backend that never accepts is given up after the connect timeout`, async test => {
    // 192.0.2.0/24 is for documentation (RFC 5737): packets go nowhere, or the system says so at once.
    const upstream = upstreamTo('http://192.0.2.1:9', { timeouts: { connect: '50ms' } });
    const sink = await fetchFrom(upstream);
    test.match(sink.outcome, /^fail (CONNECT_TIMEOUT|CONNECT_FAILED) sent=false$/);
    upstream.close();
  });
}
