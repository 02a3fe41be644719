// What every Upstream must keep in bounds and give back: bytes, connections, requests of clients who left, failures.

import t from 'tap';
import { type AnyResponse, deadPort, goodBackend, rawBackend, type Wire } from '../support/backends.ts';
import { until } from '../support/until.ts';
import { ask, connectTo, fetchFrom, upstreamTo } from '../support/upstreams.ts';
import { MIB, quiet, scenarios, whole } from './upstream-scenarios.ts';

const CLIENT_GONE = { code: 'CLIENT_GONE', detail: '' } as const;

export function resourceContract(name: string, wire: Wire): void {
  const scenario = scenarios(name, wire);

  let produced = 0;
  scenario(
    'holds the backend back while the client is slow',
    (_request, response, backend) => {
      produced = 0;
      const chunk = Buffer.alloc(64 * 1024);
      const more = (): void => {
        while (produced < 64 * MIB) {
          produced += chunk.length;
          if (!response.write(chunk)) {
            backend.changed();
            response.once('drain', more);
            return;
          }
        }
        response.end();
      };
      more();
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream);
      sink.keepChunks = false;
      await sink.until(() => sink.bytes > 0);
      outgoing.pause();
      const paused = await quiet(() => produced);
      test.ok(paused < 24 * MIB, `the backend stopped after ${paused} bytes`);
      test.ok(sink.bytes < 2 * MIB, `${sink.bytes} bytes were delivered`);
      outgoing.resume();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.bytes, 64 * MIB);
    },
  );

  scenario(
    'asks the client to wait while the backend does not read',
    (request, response) => {
      request.pause();
      response.writeHead(200);
      response.write('!');
      request.on('end', () => response.end());
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      const chunk = Buffer.alloc(64 * 1024);
      let written = 0;
      let more = true;
      while (more && written < 64 * MIB) {
        more = outgoing.write(chunk);
        written += chunk.length;
      }
      test.notOk(more);
      test.ok(written < 4 * MIB, `it took ${written} bytes before it asked to wait`);
      await sink.until(() => sink.answer !== null);
      outgoing.abort(CLIENT_GONE);
    },
  );

  scenario(
    'frees the backend at once when a request is aborted: before the head, in the head, in mid-answer',
    (request, response, backend) => {
      request.on('error', () => {});
      response.on('close', () => {
        closed += 1;
        backend.changed();
      });
      opened += 1;
      if (request.url !== '/silent') response.write('x');
      backend.changed();
    },
    async (test, upstream, backend) => {
      opened = 0;
      closed = 0;
      const silent = ask(upstream, { target: '/silent' });
      await backend.until(() => opened === 1);
      silent.outgoing.abort(CLIENT_GONE);
      silent.outgoing.abort(CLIENT_GONE);
      await backend.until(() => closed === 1);
      const talking = ask(upstream, { target: '/talking' });
      await talking.sink.until(() => talking.sink.bytes > 0);
      talking.outgoing.abort(CLIENT_GONE);
      await backend.until(() => closed === 2);
      const sending = ask(upstream, { target: '/talking', method: 'POST', bodyLength: -1 });
      sending.outgoing.write(Buffer.alloc(10));
      await sending.sink.until(() => sending.sink.bytes > 0);
      sending.outgoing.abort(CLIENT_GONE);
      await backend.until(() => closed === 3);
      for (const { sink } of [silent, talking, sending]) {
        test.same(sink.lastWords, []);
        test.same(sink.illegal, []);
      }
    },
  );
  let opened = 0;
  let closed = 0;

  scenario(
    'keeps nothing of a thousand aborted requests',
    (request, response) => {
      request.on('error', () => {});
      response.write('x');
    },
    async (test, upstream, backend) => {
      const warnings: string[] = [];
      const warned = (warning: Error): void => void warnings.push(warning.message);
      process.on('warning', warned);
      test.teardown(() => process.off('warning', warned));
      for (let round = 0; round < 20; round++) {
        const asked = Array.from({ length: 50 }, () => ask(upstream));
        // Some before they are sent, some on the way, most in mid-answer.
        asked.forEach(({ outgoing }, index) => {
          if (index % 10 === 0) outgoing.abort(CLIENT_GONE);
          if (index % 10 === 1) setImmediate(() => outgoing.abort(CLIENT_GONE));
        });
        for (const [index, { sink, outgoing }] of asked.entries()) {
          if (index % 10 < 2) continue;
          await sink.until(() => sink.bytes > 0);
          outgoing.abort(CLIENT_GONE);
        }
      }
      test.same(warnings, []);
      upstream.close();
      await backend.until(() => backend.sockets.size === 0);
      await until('the client side has noticed', () => upstream.connections === 0);
    },
    { limits: { connections: 60 } },
  );

  scenario(
    'uses a connection again, and closes it when it has been idle',
    (_request, response) => {
      response.end('ok');
    },
    async (test, upstream, backend) => {
      for (let i = 0; i < 5; i++) {
        whole(test, await fetchFrom(upstream), 200);
        await new Promise(resolve => setImmediate(resolve));
      }
      test.equal(backend.accepted, 1);
      test.equal(upstream.connections, 1);
      await backend.until(() => backend.sockets.size === 0);
    },
    { timeouts: { keep_alive: '100ms' } },
  );

  scenario(
    'refuses new requests once closed and lets those under way end',
    (_request, response, backend) => {
      response.write('a');
      finish = () => response.end('b');
      backend.changed();
    },
    async (test, upstream, backend) => {
      const { sink } = ask(upstream);
      await sink.until(() => sink.bytes === 1);
      upstream.close();
      const refused = await fetchFrom(upstream);
      test.equal(refused.outcome, 'fail NO_BACKEND sent=false');
      test.same(refused.illegal, []);
      finish();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'ab');
      await backend.until(() => backend.sockets.size === 0);
    },
  );
  let finish = (): void => {};

  scenario(
    'opens no more connections than the limit and bounds those who wait',
    (_request, response, backend) => {
      held.push(response);
      backend.changed();
    },
    async (test, upstream, backend) => {
      held.length = 0;
      const perConnection = wire.protocol === 'h2' ? 100 : 1;
      const asked = Array.from({ length: 2 * perConnection + 5 }, () => ask(upstream));
      await backend.until(() => held.length === 2 * perConnection);
      test.equal(backend.accepted, 2);
      const refused = ask(upstream);
      await refused.sink.over();
      test.equal(refused.sink.outcome, 'fail TOO_MANY_CONNECTIONS sent=false');
      for (let done = 0; done < asked.length; done++) {
        await backend.until(() => held.length > 0);
        held.shift()!.end();
      }
      for (const { sink } of asked) await sink.over();
      test.equal(asked.filter(({ sink }) => sink.outcome === 'end').length, asked.length);
      test.ok(backend.accepted <= 2 || wire.protocol === 'http1');
    },
    { limits: { connections: 2, queue: 5 } },
  );
  const held: AnyResponse[] = [];

  t.test(`${name}: says that nothing was sent when the connection is refused`, async test => {
    const port = await deadPort();
    const upstream = upstreamTo(`${wire.secure ? 'https' : 'http'}://127.0.0.1:${port}`, {
      protocol: wire.protocol,
    });
    const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
    outgoing.write(Buffer.from('x'));
    await sink.over();
    test.equal(sink.outcome, 'fail CONNECT_FAILED sent=false');
    test.same(sink.illegal, []);
    await quiet(() => upstream.connections);
    test.equal(upstream.connections, 0);
    upstream.close();
  });

  t.test(`${name}: reports a connection that is reset at once, or closed before any answer`, async test => {
    const backend = await rawBackend(false, (socket, number) => {
      if (number === 1) socket.resetAndDestroy();
      else socket.once('data', () => socket.destroy());
    });
    const url = `${wire.secure ? 'https' : 'http'}://127.0.0.1:${backend.port}`;
    const upstream = upstreamTo(url, { protocol: wire.protocol });
    test.teardown(() => backend.close());
    for (let i = 0; i < 2; i++) {
      const sink = await fetchFrom(upstream);
      test.match(
        sink.outcome,
        wire.secure ? /CONNECT_FAILED sent=false/ : /(ANSWER_CUT sent=true|CONNECT_FAILED|REFUSED_STREAM)/,
      );
      test.same(sink.illegal, []);
    }
    upstream.close();
  });

  t.test(`${name}: answers garbage with BAD_ANSWER or a TLS failure, never with content`, async test => {
    const backend = await rawBackend(false, socket => {
      socket.once('data', () => socket.write('\x16\x03garbage that is not HTTP of any kind\r\n\r\n'));
    });
    const url = `${wire.secure ? 'https' : 'http'}://127.0.0.1:${backend.port}`;
    const upstream = upstreamTo(url, { protocol: wire.protocol });
    test.teardown(() => backend.close());
    const sink = await fetchFrom(upstream);
    test.match(sink.outcome, wire.secure ? /^fail TLS_FAILED sent=false/ : /^fail BAD_ANSWER/);
    test.equal(sink.answer, null);
    upstream.close();
  });

  t.test(`${name}: refuses what cannot be sent, without sending it`, async test => {
    const backend = await goodBackend(wire, (_request, response) => response.end('ok'));
    const upstream = connectTo(backend, wire);
    test.teardown(() => backend.close());
    const sink = await fetchFrom(upstream, {
      fields: ['Connection', 'close', 'Transfer-Encoding', 'chunked'],
    });
    test.equal(sink.outcome, 'fail BAD_REQUEST sent=false');
    test.same(sink.illegal, []);
    whole(test, await fetchFrom(upstream), 200);
    upstream.close();
  });
}
