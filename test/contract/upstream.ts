// What every Upstream must do, whatever it speaks: one suite for HTTP/1.1 and HTTP/2, in clear and over TLS.

import t, { type Test } from 'tap';
import { fieldValue, fieldValues } from '../../lib/core/fields.ts';
import type { Upstream } from '../../lib/data/ports.ts';
import {
  type AnyRequest,
  type AnyResponse,
  type Backend,
  deadPort,
  goodBackend,
  rawBackend,
  type Wire,
} from '../support/backends.ts';
import type { RecordingSink } from '../support/recording-sink.ts';
import { ask, connectTo, fetchFrom, upstreamTo } from '../support/upstreams.ts';

const MIB = 1024 * 1024;
const CLIENT_GONE = { code: 'CLIENT_GONE', detail: '' } as const;

export function upstreamContract(name: string, wire: Wire): void {
  const scenario = (
    title: string,
    handle: (request: AnyRequest, response: AnyResponse, backend: Backend) => void,
    run: (test: Test, upstream: Upstream, backend: Backend) => Promise<void>,
    config: Record<string, unknown> = {},
  ): void => {
    t.test(`${name}: ${title}`, async test => {
      const backend: Backend = await goodBackend(wire, (request, response) =>
        handle(request, response, backend),
      );
      const upstream = connectTo(backend, wire, config);
      test.teardown(() => {
        upstream.close();
        return backend.close();
      });
      await run(test, upstream, backend);
    });
  };
  const whole = (test: Test, sink: RecordingSink, status: number): void => {
    test.equal(sink.outcome, 'end');
    test.equal(sink.answer?.status, status);
    test.same(sink.illegal, []);
  };

  scenario(
    'carries method, target, authority, fields and content both ways',
    (request, response) => {
      let body = '';
      request.on('data', chunk => {
        body += chunk;
      });
      request.on('end', () => {
        const { method, url, headers } = request;
        response.setHeader('x-one', ['1', '2']);
        response.setHeader('set-cookie', ['a=1', 'b=2']);
        response.writeHead(201);
        const authority = headers[':authority'] ?? headers.host;
        response.end(JSON.stringify({ method, url, authority, test: headers['x-test'], body }));
      });
    },
    async (test, upstream) => {
      const fields = ['X-Test', 'a', 'X-Test', 'b', 'Content-Length', '9'];
      const { sink, outgoing } = ask(upstream, {
        method: 'PUT',
        target: '/a//b?c=%20',
        fields,
        bodyLength: 9,
      });
      outgoing.write(Buffer.from('some '));
      outgoing.write(Buffer.from('body'));
      outgoing.end();
      await sink.over();
      whole(test, sink, 201);
      test.same(JSON.parse(sink.body), {
        method: 'PUT',
        url: '/a//b?c=%20',
        authority: 'app.example',
        test: 'a, b',
        body: 'some body',
      });
      test.same(fieldValues(sink.answer!.fields, 'set-cookie'), ['a=1', 'b=2']);
      for (const gone of ['connection', 'keep-alive', 'transfer-encoding'])
        test.equal(fieldValue(sink.answer!.fields, gone), undefined, gone);
    },
  );

  scenario(
    'streams a request of unknown length and an answer that follows it piece by piece',
    (request, response) => {
      request.on('data', chunk => response.write(chunk));
      request.on('end', () => response.end('.'));
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      for (const [index, word] of ['one', 'two', 'three'].entries()) {
        outgoing.write(Buffer.from(word));
        const expected = ['one', 'onetwo', 'onetwothree'][index]!;
        await sink.until(() => sink.body === expected);
      }
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'onetwothree.');
    },
  );

  scenario(
    'ends HEAD, 204 and 304 at their head',
    (request, response) => {
      const status = Number(request.url!.slice(1));
      if (status === 200) response.setHeader('content-length', '1000');
      response.writeHead(status);
      response.end();
    },
    async (test, upstream) => {
      for (const status of [200, 204, 304]) {
        const method = status === 200 ? 'HEAD' : 'GET';
        const sink = await fetchFrom(upstream, { method, target: `/${status}` });
        whole(test, sink, status);
        test.equal(sink.bytes, 0);
      }
      whole(test, await fetchFrom(upstream, { target: '/200', method: 'HEAD' }), 200);
    },
  );

  scenario(
    'passes early hints on, before the answer',
    (_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('done');
    },
    async (test, upstream) => {
      const sink = await fetchFrom(upstream);
      whole(test, sink, 200);
      test.equal(sink.informationals.length, 1);
      test.equal(sink.informationals[0]!.status, 103);
      test.equal(fieldValue(sink.informationals[0]!.fields, 'link'), '</a.css>; rel=preload');
    },
  );

  scenario(
    'passes the trailers of an answer on',
    (_request, response) => {
      response.setHeader('trailer', 'x-sum');
      response.write('data');
      response.addTrailers({ 'x-sum': '42' });
      response.end();
    },
    async (test, upstream) => {
      const sink = await fetchFrom(upstream);
      whole(test, sink, 200);
      test.equal(fieldValue(sink.trailers ?? [], 'x-sum'), '42');
    },
  );

  scenario(
    'delivers an answer that is complete before the request is, and survives what is written after it',
    (_request, response) => {
      response.writeHead(413);
      response.end('too much');
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      outgoing.write(Buffer.alloc(1000));
      await sink.over();
      whole(test, sink, 413);
      test.equal(sink.body, 'too much');
      outgoing.write(Buffer.alloc(1000));
      outgoing.end();
      whole(test, await fetchFrom(upstream), 413);
    },
  );

  scenario(
    'lets an answer begin while the request goes on',
    (request, response) => {
      response.write('begun ');
      let bytes = 0;
      request.on('data', chunk => {
        bytes += chunk.length;
      });
      request.on('end', () => response.end(String(bytes)));
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      outgoing.write(Buffer.alloc(10));
      await sink.until(() => sink.body === 'begun ');
      outgoing.write(Buffer.alloc(10));
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.body, 'begun 20');
    },
  );

  scenario(
    'moves 32 MiB both ways at once, whole, waiting when told to',
    (request, response) => {
      request.pipe(response);
    },
    async (test, upstream) => {
      const { sink, outgoing } = ask(upstream, { method: 'POST', bodyLength: -1 });
      sink.keepChunks = false;
      const chunk = Buffer.alloc(64 * 1024, 7);
      for (let sent = 0; sent < 32 * MIB; sent += chunk.length) {
        const before = sink.writables;
        if (!outgoing.write(chunk)) await sink.until(() => sink.writables > before);
      }
      outgoing.end();
      await sink.over();
      whole(test, sink, 200);
      test.equal(sink.bytes, 32 * MIB);
    },
  );

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
      await quiet(() => upstream.connections);
      test.equal(upstream.connections, 0);
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

/** Waits until `value` has not changed for many turns of the loop: nothing more is going to come. */
async function quiet(value: () => number): Promise<number> {
  let last = value();
  for (let same = 0; same < 400; same++) {
    await new Promise(resolve => setImmediate(resolve));
    if (value() !== last) same = 0;
    last = value();
  }
  return last;
}
