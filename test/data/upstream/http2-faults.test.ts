// Backends over HTTP/2 that cut, refuse, lie or fall silent: what the sink hears.

import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2';
import t, { type Test } from 'tap';
import { fieldValue } from '../../../lib/core/fields.ts';
import type { UpstreamHead } from '../../../lib/data/ports.ts';
import { type Backend, rawBackend, streamBackend } from '../../support/backends.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import type { RecordingSink } from '../../support/recording-sink.ts';
import { ask, connectTo, fetchFrom } from '../../support/upstreams.ts';

const WIRE = { protocol: 'h2', secure: false } as const;
const GRPC = { ':status': 200, 'content-type': 'application/grpc' };

async function answered(
  test: Test,
  talk: (stream: ServerHttp2Stream, backend: Backend) => void,
  overrides: Partial<UpstreamHead> = {},
): Promise<RecordingSink> {
  const backend: Backend = await streamBackend(false, stream => talk(stream, backend));
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => {
    upstream.close();
    return backend.close();
  });
  const sink = await fetchFrom(upstream, overrides);
  test.same(sink.illegal, []);
  return sink;
}

const {
  NGHTTP2_NO_ERROR: NO_ERROR,
  NGHTTP2_INTERNAL_ERROR: INTERNAL_ERROR,
  NGHTTP2_CANCEL: CANCEL,
  NGHTTP2_REFUSED_STREAM: REFUSED_STREAM,
} = constants;

const RESETS: readonly (readonly [string, number, string])[] = [
  ['REFUSED_STREAM', REFUSED_STREAM, 'fail REFUSED_STREAM sent=false'],
  ['INTERNAL_ERROR', INTERNAL_ERROR, 'fail ANSWER_CUT sent=true'],
  ['CANCEL', CANCEL, 'fail ANSWER_CUT sent=true'],
  ['NO_ERROR', NO_ERROR, 'fail ANSWER_CUT sent=true'],
];
for (const [name, code, outcome] of RESETS) {
  t.test(`RST_STREAM(${name}) before the head: ${outcome}`, async test => {
    const sink = await answered(test, stream => rawReset(stream, code));
    test.equal(sink.outcome, outcome);
  });
  t.test(`RST_STREAM(${name}) in mid-answer is a cut`, async test => {
    const sink = await answered(test, stream => {
      stream.respond({ ':status': 200 });
      stream.write('half', () => setImmediate(() => rawReset(stream, code)));
    });
    test.equal(sink.outcome, 'fail ANSWER_CUT sent=true');
  });
}

/** Resets without END_STREAM, whatever the code: `stream.close(NO_ERROR)` would end the stream first. */
function rawReset(stream: ServerHttp2Stream, code: number): void {
  const handle = Object.getOwnPropertySymbols(stream).find(symbol => symbol.description === 'kHandle')!;
  (stream as unknown as Record<symbol, { rstStream(code: number): void }>)[handle]!.rstStream(code);
}

t.test('a socket that ends or is reset in mid-answer is a cut', async test => {
  for (const how of ['end', 'resetAndDestroy'] as const) {
    const sink = await answered(test, (stream, backend) => {
      stream.respond({ ':status': 200 });
      stream.write('half', () => {
        setImmediate(() => {
          for (const socket of backend.sockets) socket[how]();
        });
      });
    });
    test.equal(sink.outcome, 'fail ANSWER_CUT sent=true', how);
  }
});

t.test('a content-length that does not match the data is a cut', async test => {
  const short = await answered(test, stream => {
    stream.respond({ ':status': 200, 'content-length': '10' });
    stream.end('half');
  });
  test.match(short.outcome, /^fail ANSWER_CUT/);
});

t.test('a gRPC answer is whole only with grpc-status, in trailers or in the head', async test => {
  const without = await answered(test, stream => {
    stream.respond(GRPC);
    stream.end('message');
  });
  test.equal(without.outcome, 'fail ANSWER_CUT sent=true');
  const trailers = await answered(test, stream => {
    stream.respond(GRPC, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end('message');
  });
  test.equal(trailers.outcome, 'end');
  test.same(trailers.trailers, ['grpc-status', '0']);
  const trailersOnly = await answered(test, stream => {
    stream.respond({ ...GRPC, 'grpc-status': '12' }, { endStream: true });
  });
  test.equal(trailersOnly.outcome, 'end');
  const web = await answered(test, stream => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc-web+proto' });
    stream.end('message');
  });
  test.equal(web.outcome, 'end');
});

t.test('trailers of a request reach the backend', async test => {
  const backend = await streamBackend(false, stream => {
    stream.on('trailers', trailers => {
      stream.respond({ ':status': 200 });
      stream.end(String(trailers['x-sum']));
    });
    stream.resume();
  });
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
  outgoing.write(Buffer.from('x'));
  outgoing.end(['X-Sum', '7']);
  await sink.over();
  test.equal(sink.body, '7');
  upstream.close();
});

t.test('cancel reaches the backend as RST_STREAM(CANCEL) and leaves the connection alone', async test => {
  const codes: (number | undefined)[] = [];
  const backend: Backend = await streamBackend(false, (stream, headers) => {
    stream.on('close', () => {
      codes.push(stream.rstCode);
      backend.changed();
    });
    stream.respond({ ':status': 200 });
    if (headers[':path'] === '/ok') stream.end('ok');
    else stream.write('x');
  });
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink, outgoing } = ask(upstream);
  await sink.until(() => sink.bytes > 0);
  outgoing.abort({ code: 'CLIENT_GONE', detail: '' });
  await backend.until(() => codes.length === 1);
  test.same(codes, [CANCEL]);
  test.equal((await fetchFrom(upstream, { target: '/ok' })).outcome, 'end');
  test.equal(backend.accepted, 1);
  upstream.close();
});

t.test(
  'GOAWAY: streams above the last one are refused unsent, those below go on, the next takes another connection',
  async test => {
    const streams: ServerHttp2Stream[] = [];
    const backend: Backend = await streamBackend(false, stream => {
      streams.push(stream);
      stream.respond({ ':status': 200 });
      backend.changed();
    });
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    const first = ask(upstream);
    await first.sink.until(() => first.sink.answer !== null);
    streams[0]!.session!.goaway(NO_ERROR, streams[0]!.id!);
    await new Promise(resolve => setImmediate(resolve));
    await backend.until(() => streams.length === 1);
    const second = ask(upstream);
    await second.sink.until(() => second.sink.answer !== null || second.sink.reason !== null);
    if (second.sink.reason !== null) test.equal(second.sink.outcome, 'fail REFUSED_STREAM sent=false');
    const third = ask(upstream);
    await third.sink.until(() => third.sink.answer !== null);
    test.equal(backend.accepted, 2);
    for (const stream of streams) stream.end('done');
    await first.sink.over();
    await third.sink.over();
    test.equal(first.sink.outcome, 'end');
    test.equal(third.sink.outcome, 'end');
    upstream.close();
  },
);

t.test('GOAWAY with a last stream of 0 refuses what was sent', async test => {
  const backend: Backend = await streamBackend(false, () => {
    // Length 8, type GOAWAY, no flags, stream 0; last stream 0, NO_ERROR. node:http2 cannot be made to say this.
    const frame = Buffer.from([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (const socket of backend.sockets) socket.write(frame);
  });
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  test.equal((await fetchFrom(upstream)).outcome, 'fail REFUSED_STREAM sent=false');
  upstream.close();
});

t.test('GOAWAY with an error cuts what the backend had begun', async test => {
  const sink = await answered(test, stream => {
    stream.respond({ ':status': 200 });
    stream.write('half', () => setImmediate(() => stream.session?.goaway(INTERNAL_ERROR, stream.id!)));
  });
  test.equal(sink.outcome, 'fail ANSWER_CUT sent=true');
});

t.test('another connection is opened when all streams of the first are used', async test => {
  const streams: ServerHttp2Stream[] = [];
  const backend: Backend = await streamBackend(
    false,
    stream => {
      streams.push(stream);
      backend.changed();
    },
    () => {},
    { maxConcurrentStreams: 2 },
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const asked = Array.from({ length: 6 }, () => ask(upstream));
  for (let served = 0; served < 6; served++) {
    await backend.until(() => streams.length > 0);
    const stream = streams.shift()!;
    stream.respond({ ':status': 204 }, { endStream: true });
  }
  for (const { sink } of asked) {
    await sink.over();
    test.equal(sink.outcome, 'end');
  }
  test.ok(backend.accepted >= 2 && backend.accepted <= 3, `${backend.accepted} connections`);
  upstream.close();
});

t.test('a connection that stops answering is found by PING and its requests fail', async test => {
  const clock = new FakeClock();
  let streams = 0;
  const backend: Backend = await streamBackend(false, () => {
    streams += 1;
    // From now on the backend is dead to the world, though the socket stands.
    for (const socket of backend.sockets) socket.pause();
    backend.changed();
  });
  const upstream = connectTo(backend, WIRE, {}, clock);
  test.teardown(() => backend.close());
  const { sink } = ask(upstream);
  await backend.until(() => streams === 1);
  for (let i = 0; i < 8 && sink.lastWords.length === 0; i++) await clock.pass(5000);
  await sink.over();
  test.equal(sink.outcome, 'fail ANSWER_CUT sent=true');
  test.match(sink.reason!.detail, /PING/);
  upstream.close();
  await clock.pass(60_000);
  test.equal(clock.pending, 0);
});

t.test('a backend that sends no SETTINGS is given up after the connect timeout', async test => {
  const clock = new FakeClock();
  const backend = await rawBackend(false, () => {});
  const upstream = connectTo(backend, WIRE, {}, clock);
  test.teardown(() => backend.close());
  const { sink } = ask(upstream);
  await backend.until(() => backend.accepted === 1);
  while (sink.lastWords.length === 0) await clock.pass(500);
  test.equal(sink.outcome, 'fail CONNECT_TIMEOUT sent=false');
  upstream.close();
});

t.test('an answer head beyond all bounds is refused', async test => {
  const sink = await answered(test, stream => {
    stream.respond({ ':status': 200, 'x-long': 'a'.repeat(60_000), 'x-longer': 'b'.repeat(60_000) });
    stream.end();
  });
  test.match(sink.outcome, /^fail (BAD_ANSWER|ANSWER_CUT|REFUSED_STREAM)/);
  test.equal(sink.answer, null);
});

t.test('a flood of SETTINGS ends the connection, and the next request gets a new one', async test => {
  let sessions = 0;
  const backend: Backend = await streamBackend(
    false,
    stream => {
      if (sessions > 1) stream.respond({ ':status': 204 }, { endStream: true });
      else {
        const frame = Buffer.alloc(9 * 400);
        for (let i = 0; i < 400; i++) frame[i * 9 + 3] = 4;
        for (const socket of backend.sockets) socket.write(frame);
      }
    },
    (_session: Http2Session) => {
      sessions += 1;
    },
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const flooded = await fetchFrom(upstream);
  test.match(flooded.outcome, /^fail (BAD_ANSWER|ANSWER_CUT) sent=true/);
  test.equal((await fetchFrom(upstream)).outcome, 'end');
  test.equal(sessions, 2);
  upstream.close();
});

t.test(
  'a WebSocket goes by extended CONNECT where the backend offers it, and fails clearly where not',
  async test => {
    const offered = await streamBackend(
      false,
      (stream, headers) => {
        test.equal(headers[':method'], 'CONNECT');
        test.equal(headers[':protocol'], 'websocket');
        test.equal(headers['sec-websocket-key'], undefined);
        if (headers[':path'] === '/no') {
          stream.respond({ ':status': 403 });
          stream.end('no');
          return;
        }
        stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' });
        stream.pipe(stream);
      },
      () => {},
      { enableConnectProtocol: true },
    );
    const upstream = connectTo(offered, WIRE);
    test.teardown(() => offered.close());
    const fields = ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13'];
    const { sink } = ask(upstream, { protocol: 'websocket', fields });
    await sink.over();
    test.equal(sink.outcome, 'upgraded');
    test.equal(fieldValue(sink.answer!.fields, 'sec-websocket-accept'), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    test.equal(fieldValue(sink.answer!.fields, 'sec-websocket-protocol'), 'chat');
    sink.socket!.write('echo');
    const echoed = await new Promise(resolve => sink.socket!.once('data', resolve));
    test.equal(String(echoed), 'echo');
    sink.socket!.end();
    const refused = await fetchFrom(upstream, { protocol: 'websocket', fields, target: '/no' });
    test.equal(refused.outcome, 'end');
    test.equal(refused.answer?.status, 403);
    test.equal(refused.body, 'no');
    upstream.close();

    const lacking = await answered(test, () => {}, { protocol: 'websocket', fields });
    test.equal(lacking.outcome, 'fail BAD_ANSWER sent=false');
    test.match(lacking.reason!.detail, /RFC 8441/);
  },
);
