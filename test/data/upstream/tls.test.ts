// TLS to backends: the name that is asked for, what is verified, certificates of our own, ALPN.

import { createServer } from 'node:tls';
import t, { type Test } from 'tap';
import { systemClock } from '../../../lib/core/clock.ts';
import { silentLog } from '../../../lib/core/log.ts';
import type { Upstream } from '../../../lib/data/ports.ts';
import { createUpstream } from '../../../lib/data/upstream/create.ts';
import { Backend, eachHead, goodBackend, streamBackend, TLS } from '../../support/backends.ts';
import {
  ask,
  backendEntry,
  clusterEntry,
  connectTo,
  fetchFrom,
  upstreamTo,
} from '../../support/upstreams.ts';

/** A TLS server that tells, as its answer, the name it was asked for. */
async function namingBackend(test: Test, options: Record<string, unknown> = {}): Promise<Backend> {
  const server = createServer({ ...TLS, ...options }, socket => {
    socket.on('error', () => {});
    eachHead(socket, () => {
      const name = String(socket.servername || 'none');
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`);
    });
  });
  const backend = await new Backend(server, true).listen();
  test.teardown(() => backend.close());
  return backend;
}

const outcomeAndBody = async (upstream: Upstream, authority = 'app.example'): Promise<string> => {
  const sink = await fetchFrom(upstream, { authority });
  upstream.close();
  return sink.outcome === 'end' ? sink.body : sink.outcome;
};

t.test('the name is the configured one or the host of the URL, whatever Host the client sent', async test => {
  const backend = await namingBackend(test);
  const named = upstreamTo(backend.url, { tls: { server_name: 'backend.test' } });
  test.equal((await fetchFrom(named, { authority: 'one.example' })).body, 'backend.test');
  await new Promise(resolve => setImmediate(resolve));
  test.equal((await fetchFrom(named, { authority: 'two.example' })).body, 'backend.test');
  test.equal(backend.accepted, 1, 'another Host does not cost another connection');
  named.close();
  const byUrl = upstreamTo(`https://localhost:${backend.port}`);
  test.equal(await outcomeAndBody(byUrl), 'localhost');
  // RFC 6066, section 3: an address is never sent; it is verified all the same.
  test.equal(await outcomeAndBody(upstreamTo(backend.url)), 'none');
});

t.test(
  'a certificate for another name, or of an unknown authority, is refused unless verify is off',
  async test => {
    const backend = await namingBackend(test);
    const wrong = { tls: { server_name: 'other.test' } };
    test.equal(await outcomeAndBody(upstreamTo(backend.url, wrong)), 'fail TLS_FAILED sent=false');
    const off = { tls: { server_name: 'other.test', verify: false } };
    test.equal(await outcomeAndBody(upstreamTo(backend.url, off)), 'other.test');
  },
);

t.test('our certificate is shown where the backend asks for one', async test => {
  const backend = await namingBackend(test, { requestCert: true, rejectUnauthorized: true });
  const without = await outcomeAndBody(upstreamTo(backend.url));
  test.match(without, /^fail (TLS_FAILED|CONNECT_FAILED|ANSWER_CUT)/);
  const entry = { ...clusterEntry(), tls: TLS };
  const tools = { clock: systemClock, log: silentLog };
  test.equal(await outcomeAndBody(createUpstream(entry, backendEntry(backend.url), tools)), 'none');
  const broken = { ...clusterEntry(), tls: { cert: 'no PEM', key: 'no PEM' } };
  const failed = await outcomeAndBody(createUpstream(broken, backendEntry(backend.url), tools));
  test.equal(failed, 'fail TLS_FAILED sent=false');
});

t.test('h2 where the backend does not offer it fails before anything is sent', async test => {
  const backend = await goodBackend({ protocol: 'http1', secure: true }, (_request, response) =>
    response.end(),
  );
  test.teardown(() => backend.close());
  const upstream = upstreamTo(backend.url, { protocol: 'h2' });
  const sink = await fetchFrom(upstream);
  test.match(sink.outcome, /^fail \w+ sent=false$/);
  upstream.close();
});

t.test('auto speaks what the backend offers, and asks once', async test => {
  for (const protocol of ['http1', 'h2'] as const) {
    const backend = await goodBackend({ protocol, secure: true }, (request, response) => {
      let body = '';
      request.on('data', chunk => {
        body += chunk;
      });
      request.on('end', () => response.end(`${request.httpVersion} ${body}`));
    });
    test.teardown(() => backend.close());
    const upstream = upstreamTo(backend.url, { protocol: 'auto' });
    const first = ask(upstream, { method: 'POST', bodyLength: -1 });
    test.equal(first.outgoing.write(Buffer.from('early')), false);
    const abandoned = ask(upstream);
    abandoned.outgoing.abort({ code: 'CLIENT_GONE', detail: '' });
    await first.sink.until(() => first.sink.writables > 0);
    first.outgoing.end();
    await first.sink.over();
    const version = protocol === 'h2' ? '2.0' : '1.1';
    test.equal(first.sink.body, `${version} early`);
    test.same(first.sink.illegal, []);
    await new Promise(resolve => setImmediate(resolve));
    test.equal((await fetchFrom(upstream)).body, `${version} `);
    test.equal(backend.accepted, 1);
    upstream.close();
    test.equal((await fetchFrom(upstream)).outcome, 'fail NO_BACKEND sent=false');
    await backend.until(() => backend.sockets.size === 0);
  }
});

t.test('auto: a failed connection fails those who wait and is tried anew by the next', async test => {
  const backend = await streamBackend(true, stream =>
    stream.respond({ ':status': 204 }, { endStream: true }),
  );
  const { url } = backend;
  const upstream = connectTo(backend, { protocol: 'h2', secure: true }, { protocol: 'auto' });
  test.equal((await fetchFrom(upstream)).outcome, 'end');
  await backend.close();
  const failed = await fetchFrom(upstream);
  test.match(failed.outcome, /^fail /);
  const again = upstreamTo(url, { protocol: 'auto' });
  const asked = [ask(again), ask(again)];
  for (const { sink } of asked) {
    await sink.over();
    test.equal(sink.outcome, 'fail CONNECT_FAILED sent=false');
    test.same(sink.illegal, []);
  }
  upstream.close();
  again.close();
});

t.test('auto in clear is HTTP/1.1', async test => {
  const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) =>
    response.end(request.httpVersion),
  );
  test.teardown(() => backend.close());
  const upstream = upstreamTo(backend.url, { protocol: 'auto' });
  test.equal((await fetchFrom(upstream)).body, '1.1');
  upstream.close();
});

t.test('auto sends WebSockets over HTTP/1.1 even where the backend speaks HTTP/2', async test => {
  const backend = await goodBackend({ protocol: 'h2', secure: true }, (_request, response) =>
    response.end('2'),
  );
  test.teardown(() => backend.close());
  const upstream = upstreamTo(backend.url, { protocol: 'auto' });
  test.equal((await fetchFrom(upstream)).body, '2');
  // This one offers HTTP/2 only.
  const sink = await fetchFrom(upstream, { protocol: 'websocket' });
  test.match(sink.outcome, /^fail \w+ sent=(true|false)$/);
  upstream.close();
});
