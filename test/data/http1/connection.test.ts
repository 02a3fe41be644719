import t from 'tap';
import { answerOk, startListener } from '../../support/listener-harness.ts';
import { exchangeRaw, rawConnect, statusOf } from '../../support/raw-client.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise(resolve => setImmediate(resolve));
};

for (const http1 of ['node', 'native'] as const) {
  t.test(`${http1}: pipelined requests begin one after the other and are answered in order`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = () => {};
    const client = await rawConnect(harness.port);
    client.send(['/1', '/2', '/3'].map(path => GET.replace('/', path)).join(''));
    for (const path of ['/1', '/2', '/3']) {
      const { incoming } = await harness.next();
      await turns(5);
      t.equal(harness.exchanges.at(-1)?.incoming, incoming, 'the next one waits');
      incoming.answer({ status: 200, fields: ['Content-Length', '2'] }, false);
      incoming.write(Buffer.from(path));
      incoming.end();
    }
    t.match(await client.until(text => text.endsWith('/3')), /\/1HTTP[\s\S]*\/2HTTP[\s\S]*\/3$/);
    client.socket.destroy();
  });

  t.test(`${http1}: a flood of pipelined requests is bounded`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = () => {};
    const client = await rawConnect(harness.port);
    client.send(GET.repeat(2000));
    const { incoming } = await harness.next();
    await turns(20);
    incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
    incoming.end();
    if (http1 === 'node') {
      t.equal((await client.whole()).split('HTTP/1.1 200').length, 2);
      t.equal(harness.exchanges.length, 1);
      return;
    }
    // Our codec keeps them as bytes, some in the kernel, and answers one after the other.
    for (let i = 1; i < 2000; i++) {
      const next = await harness.next();
      if (harness.exchanges.length > i + 1) t.fail('two at once');
      next.incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
      next.incoming.end();
    }
    await client.until(text => text.split('HTTP/1.1 200').length === 2001);
    client.socket.destroy();
  });

  t.test(
    `${http1}: a head that does not arrive in time gets 408; a connection that says nothing is just closed`,
    async t => {
      const harness = await startListener(t, { http1, limits: { head_timeout: 80 } });
      const slow = await rawConnect(harness.port);
      const silent = await rawConnect(harness.port);
      slow.send('GET / HTTP/1.1\r\nHost:');
      const answer = await slow.whole();
      t.equal(await silent.whole(), '');
      t.ok(answer === '' || statusOf(answer) === 408, answer);
      const second = await rawConnect(harness.port);
      second.send(GET);
      await second.until(text => text.endsWith('ok'));
      second.send('GET / HTTP/1.1\r\n');
      t.match(await second.whole(), /okHTTP\/1.1 408 /, 'the second head on a connection too');
      t.ok(harness.refused.some(one => one.reason.code === 'REQUEST_TIMEOUT'));
    },
  );

  t.test(
    `${http1}: HTTP/1.0: no chunks, the end of the connection ends the answer, a cut is a reset`,
    async t => {
      const harness = await startListener(t, { http1 });
      harness.serve = ({ incoming }) => {
        incoming.informational({ status: 103, fields: [] });
        incoming.answer({ status: 200, fields: [] }, false);
        incoming.write(Buffer.from('part'));
        if (incoming.head.target === '/whole') incoming.end();
      };
      const whole = await exchangeRaw(harness.port, 'GET /whole HTTP/1.0\r\nTE: chunked\r\n\r\n');
      t.match(whole, /^HTTP\/1.1 200 OK\r\n[\s\S]*Connection: close\r\n[\s\S]*\r\npart$/);
      t.notMatch(whole, /chunked/i);
      const cut = await rawConnect(harness.port);
      cut.send('GET /cut HTTP/1.0\r\n\r\n');
      await cut.until(text => text.endsWith('part'));
      harness.exchanges[1]?.incoming.abort({ code: 'ANSWER_CUT', detail: '' });
      await cut.until(() => cut.closed).catch(() => {});
      t.equal((cut.error as NodeJS.ErrnoException | null)?.code, 'ECONNRESET');
    },
  );

  t.test(
    `${http1}: an answer that began before a drain promised another, which is answered and the last`,
    async t => {
      const harness = await startListener(t, { http1 });
      harness.serve = () => {};
      const client = await rawConnect(harness.port);
      client.send(GET);
      const { incoming } = await harness.next();
      incoming.answer({ status: 200, fields: ['Content-Length', '2'] }, false);
      incoming.write(Buffer.from('o'));
      await client.until(text => text.endsWith('o'));
      harness.listener.drain(1);
      harness.serve = answerOk;
      incoming.write(Buffer.from('k'));
      incoming.end();
      await client.until(text => text.endsWith('ok'));
      client.send(GET);
      const [first, second] = (await client.whole()).split('okHTTP');
      t.notMatch(first, /close/);
      t.match(second, /^\/1.1 200 [\s\S]*Connection: close[\s\S]*ok$/);
    },
  );

  t.test(`${http1}: a client that closes its side behind the request has left`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = () => {};
    const client = await rawConnect(harness.port);
    client.send(GET);
    client.socket.end();
    const { sink } = await harness.next();
    await sink.until('gone');
    t.strictSame(sink.events, ['end', 'gone']);
    await harness.until(() => harness.listener.connections === 0);
  });

  t.test(`${http1}: an early answer to a large upload arrives although the upload goes on`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = ({ incoming }) => {
      incoming.pause();
      incoming.closeAfter();
      incoming.answer({ status: 413, fields: ['Content-Length', '7'] }, false);
      incoming.write(Buffer.from('too big'));
      incoming.end();
    };
    const client = await rawConnect(harness.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n');
    for (let i = 0; i < 40; i++) client.send(Buffer.alloc(65_536));
    t.match(await client.until(text => text.endsWith('too big')), /^HTTP\/1.1 413 [\s\S]*Connection: close/);
    client.socket.destroy();
  });

  t.test(`${http1}: a short body that nobody read does not cost the connection`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = exchange => {
      if (exchange.incoming.head.method === 'GET') return answerOk(exchange);
      exchange.incoming.answer({ status: 401, fields: ['Content-Length', '0'] }, false);
      exchange.incoming.end();
    };
    const client = await rawConnect(harness.port);
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234');
    await client.until(text => text.includes('401'));
    client.send(`56789${GET}`);
    t.match(await client.until(text => text.endsWith('ok')), /401[\s\S]*200 OK/);
    client.socket.destroy();
  });

  t.test(`${http1}: a body that breaks: 400 before the answer began, a cut after; told once`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = ({ incoming }) => {
      if (incoming.head.target === '/begun') {
        incoming.answer({ status: 200, fields: [] }, false);
        incoming.write(Buffer.from('part'));
      }
    };
    const start = (path: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`;
    const fresh = await rawConnect(harness.port);
    fresh.send(start('/'));
    const first = await harness.next();
    await first.sink.until('data');
    fresh.send('zz\r\n');
    t.equal(statusOf(await fresh.whole()), 400);
    t.strictSame(first.sink.events, ['data', 'gone']);
    t.equal(first.sink.reason?.code, 'BAD_REQUEST');
    const begun = await rawConnect(harness.port);
    begun.send(start('/begun'));
    await begun.until(text => text.includes('part'));
    begun.send('zz\r\n');
    await begun.until(() => begun.closed).catch(() => {});
    t.notMatch(begun.text, /\r\n0\r\n\r\n$/);
    t.equal((await harness.next()).sink.reason?.code, 'BAD_REQUEST');
  });

  t.test(`${http1}: requests_per_connection closes after the last`, async t => {
    const harness = await startListener(t, { http1, limits: { requests_per_connection: 2 } });
    const answer = await exchangeRaw(harness.port, GET.repeat(3));
    t.equal(answer.split('HTTP/1.1 200').length, 3);
    t.match(answer, /Connection: close/);
  });

  t.test(`${http1}: an expectation that is not met closes the connection`, async t => {
    const harness = await startListener(t, { http1 });
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 403, fields: ['Content-Length', '0'] }, false);
      incoming.end();
    };
    const answer = await exchangeRaw(
      harness.port,
      'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
    );
    t.match(answer, /^HTTP\/1.1 403 [\s\S]*Connection: close/);
  });

  t.test(`${http1}: while draining an idle connection may still finish what it is about to ask`, async t => {
    const harness = await startListener(t, { http1, limits: { keep_alive: 60_000, head_timeout: 80 } });
    const client = await rawConnect(harness.port);
    client.send(GET);
    await client.until(text => text.endsWith('ok'));
    harness.listener.drain(10);
    client.send(GET);
    t.match(await client.whole(), /okHTTP\/1.1 200 OK[\s\S]*Connection: close[\s\S]*ok$/);
  });
}
