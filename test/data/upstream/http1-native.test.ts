// What our codec can towards a backend and undici cannot: trailers of a request, its head before its body, HEAD on kept connections.

import t from 'tap';
import { eachHead, rawBackend } from '../../support/backends.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { ask, connectTo, fetchFrom } from '../../support/upstreams.ts';

const WIRE = { protocol: 'http1', secure: false, http1: 'native' } as const;
const OK = 'HTTP/1.1 200 OK\r\n';

t.test('trailers of a request arrive behind its last chunk', async test => {
  let received = '';
  const backend = await rawBackend(false, socket =>
    socket.on('data', chunk => {
      received += chunk;
      if (received.endsWith('\r\n\r\n') && received.includes('0\r\n'))
        socket.write(`${OK}Content-Length: 0\r\n\r\n`);
    }),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
  outgoing.write(Buffer.from('body'));
  outgoing.end(['X-Sum', '42']);
  await sink.over();
  test.equal(sink.outcome, 'end');
  test.equal(
    received,
    'POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 42\r\n\r\n',
  );
  upstream.close();
});

t.test('the head of a request goes out before a body that is late', async test => {
  const backend = await rawBackend(false, socket =>
    eachHead(socket, () => socket.write(`${OK}Content-Length: 2\r\n\r\nok`)),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink, outgoing } = ask(upstream, {
    method: 'POST',
    bodyLength: 5,
    fields: ['Content-Length', '5'],
  });
  await sink.over();
  test.equal(sink.body, 'ok');
  outgoing.end();
  upstream.close();
});

t.test('the connection goes on after HEAD, 204 and 304', async test => {
  const backend = await rawBackend(false, socket =>
    eachHead(socket, head => {
      const status = /\/(\d+) /.exec(head)![1];
      socket.write(`HTTP/1.1 ${status} X\r\n${status === '200' ? 'Content-Length: 5\r\n' : ''}\r\n`);
    }),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  for (const [method, status] of [
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
    ['HEAD', 200],
  ] as const) {
    const sink = await fetchFrom(upstream, { method, target: `/${status}` });
    test.equal(sink.answer?.status, status);
    test.equal(sink.bytes, 0);
  }
  test.equal(backend.accepted, 1);
  upstream.close();
});

t.test('OPTIONS * and a 100 that nobody asked for are nothing special', async test => {
  let received = '';
  const backend = await rawBackend(false, socket =>
    eachHead(socket, head => {
      received = head;
      socket.write(`HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nok`);
    }),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const sink = await fetchFrom(upstream, { method: 'OPTIONS', target: '*' });
  test.match(received, /^OPTIONS \* HTTP\/1\.1\r\n/);
  test.equal(sink.body, 'ok');
  test.same(sink.informationals, []);
  upstream.close();
});

t.test('a body that is not what was announced never arrives as whole', async test => {
  let received = '';
  const backend = await rawBackend(false, socket =>
    socket.on('data', chunk => {
      received += chunk;
    }),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  for (const body of ['abc', 'abcdefg']) {
    const { sink, outgoing } = ask(upstream, {
      method: 'POST',
      bodyLength: 5,
      fields: ['Content-Length', '5'],
    });
    outgoing.write(Buffer.from(body));
    outgoing.end();
    await sink.over();
    test.match(sink.outcome, /^fail BAD_REQUEST/);
    await backend.until(() => backend.sockets.size === 0);
  }
  test.notMatch(received, /abcde/);
  upstream.close();
});

t.test('fields that no wire can carry are refused before anything is sent', async test => {
  const backend = await rawBackend(false, () => {});
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  for (const value of ['a\r\nX: b', 'a\nb', 'a\0b', 'a\u010ab', '\u{1f600}']) {
    const sink = await fetchFrom(upstream, { fields: ['X-A', value] });
    test.equal(sink.outcome, 'fail BAD_REQUEST sent=false');
  }
  for (const target of ['/a b', '/\r\n', '/\u0120', ''])
    test.equal((await fetchFrom(upstream, { target })).outcome, 'fail BAD_REQUEST sent=false');
  test.equal(backend.accepted, 0);
  upstream.close();
});

t.test('an idle connection is kept no longer than its backend says', async test => {
  const clock = new FakeClock();
  const backend = await rawBackend(false, socket =>
    eachHead(socket, () => socket.write(`${OK}Keep-Alive: timeout=3, max=9\r\nContent-Length: 2\r\n\r\nok`)),
  );
  const upstream = connectTo(backend, WIRE, { timeouts: { keep_alive: '60s' } }, clock);
  test.teardown(() => backend.close());
  test.equal((await fetchFrom(upstream)).body, 'ok');
  clock.advance(1900);
  test.equal((await fetchFrom(upstream)).body, 'ok');
  test.equal(backend.accepted, 1);
  clock.advance(2001);
  test.equal((await fetchFrom(upstream)).body, 'ok');
  test.equal(backend.accepted, 2);
  upstream.close();
});

t.test(
  'a request that wants a fresh connection gets one, also where all places are taken by idle ones',
  async test => {
    const backend = await rawBackend(false, socket =>
      eachHead(socket, () => socket.write(`${OK}Content-Length: 2\r\n\r\nok`)),
    );
    const upstream = connectTo(backend, WIRE, { limits: { connections: 1, queue: 1 } });
    test.teardown(() => backend.close());
    test.equal((await fetchFrom(upstream)).body, 'ok');
    test.equal((await fetchFrom(upstream, { fresh: true })).body, 'ok');
    test.equal(backend.accepted, 2);
    upstream.close();
  },
);

t.test('a request that wants a fresh connection does not wait for a busy one to grow old', async test => {
  let asked = false;
  let answer = (): void => {};
  const backend = await rawBackend(false, (socket, number) =>
    eachHead(socket, () => {
      answer = () => socket.write(`${OK}Content-Length: 1\r\n\r\n${number}`);
      if (number > 1) answer();
      else {
        asked = true;
        backend.changed();
      }
    }),
  );
  const upstream = connectTo(backend, WIRE, { limits: { connections: 1 }, timeouts: { keep_alive: '1h' } });
  test.teardown(() => backend.close());
  const first = ask(upstream);
  const second = ask(upstream, { fresh: true });
  const third = ask(upstream);
  await backend.until(() => asked);
  answer();
  for (const [{ sink }, connection] of [
    [first, '1'],
    [second, '2'],
    [third, '2'],
  ] as const) {
    await sink.over();
    test.equal(sink.body, connection);
  }
  upstream.close();
});
