// WebSocket handshakes over HTTP/1.1 by undici: accepted, refused, forged; with the client's key or one of our own.

import { createHash } from 'node:crypto';
import t from 'tap';
import { fieldValue } from '../../../lib/core/fields.ts';
import { eachHead, rawBackend } from '../../support/backends.ts';
import { ask, connectTo, fetchFrom } from '../../support/upstreams.ts';

const WIRE = { protocol: 'http1', secure: false } as const;
const KEY = ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version', '13'];
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';

const acceptFor = (head: string): string => {
  const key = /\r\nsec-websocket-key: (\S+)/i.exec(head)?.[1] ?? '';
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
};

t.test('an accepted handshake gives the socket, with what came right after it, both ways', async test => {
  const backend = await rawBackend(false, socket => {
    socket.once('data', chunk => {
      const head = chunk.toString('latin1');
      test.match(head, /^GET \/chat HTTP\/1\.1\r\n/);
      test.match(head, /\r\nconnection: upgrade\r\nupgrade: websocket\r\n/i);
      socket.write(`${SWITCHING}Sec-WebSocket-Accept: ${acceptFor(head)}\r\n\r\nearly`);
      socket.on('data', data => socket.write(`echo ${data}`));
    });
  });
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink } = ask(upstream, { protocol: 'websocket', target: '/chat', fields: KEY });
  await sink.over();
  test.equal(sink.outcome, 'upgraded');
  test.same(sink.illegal, []);
  test.same(sink.answer, { status: 101, fields: ['Sec-WebSocket-Accept', ACCEPT] });
  let text = Buffer.from(sink.rest).toString();
  const socket = sink.socket!;
  const heard = new Promise<void>(resolve => {
    const heard = (more: string): void => {
      text += more;
      if (text === 'early') socket.write('hello');
      if (text === 'earlyecho hello') resolve();
    };
    // What came early is the rest of one adapter, and the first bytes of the other's socket.
    heard('');
    socket.on('data', chunk => heard(String(chunk)));
    socket.resume();
  });
  await heard;
  test.equal(upstream.connections, 1);
  upstream.close();
  socket.write('x');
  await backend.until(() => backend.sockets.size === 1);
  socket.destroy();
  await backend.until(() => backend.sockets.size === 0);
});

t.test(
  'a client without a key (RFC 8441) gets an answer without Accept, checked against a key of our own',
  async test => {
    let forge = false;
    const backend = await rawBackend(false, socket =>
      eachHead(socket, head => {
        const accept = forge ? ACCEPT : acceptFor(head);
        socket.write(`${SWITCHING}Sec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: chat\r\n\r\n`);
      }),
    );
    const upstream = connectTo(backend, WIRE);
    test.teardown(() => backend.close());
    const { sink } = ask(upstream, { protocol: 'websocket', method: 'CONNECT' });
    await sink.over();
    test.equal(sink.outcome, 'upgraded');
    test.same(sink.answer!.fields, ['Sec-WebSocket-Protocol', 'chat']);
    sink.socket!.destroy();
    forge = true;
    const forged = await fetchFrom(upstream, { protocol: 'websocket', method: 'CONNECT' });
    test.equal(forged.outcome, 'fail BAD_ANSWER sent=true');
    await backend.until(() => backend.sockets.size === 0);
    upstream.close();
  },
);

t.test('a refused handshake is an ordinary answer', async test => {
  const backend = await rawBackend(false, socket =>
    eachHead(socket, () =>
      socket.write(
        'HTTP/1.1 403 Forbidden\r\nX-Why: no\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n0\r\n\r\n',
      ),
    ),
  );
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const sink = await fetchFrom(upstream, { protocol: 'websocket', fields: KEY });
  test.equal(sink.outcome, 'end');
  test.equal(sink.answer!.status, 403);
  test.equal(fieldValue(sink.answer!.fields, 'x-why'), 'no');
  test.equal(sink.body, 'nope');
  upstream.close();
});

t.test('aborted before the answer, the handshake leaves no connection', async test => {
  const backend = await rawBackend(false, socket => {
    socket.once('data', () => {
      asked = true;
      backend.changed();
    });
  });
  let asked = false;
  const upstream = connectTo(backend, WIRE);
  test.teardown(() => backend.close());
  const { sink, outgoing } = ask(upstream, { protocol: 'websocket', fields: KEY });
  await backend.until(() => asked);
  outgoing.abort({ code: 'CLIENT_GONE', detail: '' });
  await backend.until(() => backend.sockets.size === 0);
  test.same(sink.lastWords, []);
  upstream.close();
});
