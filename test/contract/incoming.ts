// What every adapter on the client side must do, whatever the wire: run for HTTP/1 and HTTP/2, plain and over TLS.

import type { Test } from 'tap';
import type { Fields } from '../../lib/core/fields.ts';
import { fieldValue } from '../../lib/core/fields.ts';
import { lentBytes, writeLent } from '../support/lent.ts';
import { type Harness, type HarnessOptions, startListener } from '../support/listener-harness.ts';

export interface ClientAnswer {
  readonly status: number;
  readonly fields: Fields;
  readonly body: Buffer;
  readonly trailers: Fields;
  readonly informational: readonly { readonly status: number; readonly fields: Fields }[];
  /** The answer ended as its framing says it should. */
  readonly complete: boolean;
}

export interface ClientRequest {
  readonly method?: string;
  readonly path?: string;
  readonly fields?: Fields;
  readonly body?: Uint8Array;
  readonly trailers?: Record<string, string>;
}

/** A request under way, as a client of the protocol under test sees it. */
export interface ClientCall {
  readonly answer: Promise<ClientAnswer>;
  /** Resolves with the first bytes of the body. */
  readonly firstData: Promise<void>;
  write(chunk: Uint8Array): void;
  end(): void;
  /** Leaves at once. */
  leave(): void;
  stopReading(): void;
  startReading(): void;
}

export interface TestClient {
  call(request: ClientRequest): ClientCall;
  /** A whole request. */
  request(request: ClientRequest): Promise<ClientAnswer>;
  close(): void;
}

export interface Setting {
  readonly name: string;
  readonly version: '1.1' | '2';
  readonly options: HarnessOptions;
  connect(port: number): Promise<TestClient>;
}

const MEGABYTE = Buffer.alloc(1024 * 1024, 'x');

export function incomingContract(t: Test, setting: Setting): void {
  const start = async (
    t: Test,
    options: HarnessOptions = {},
  ): Promise<{ harness: Harness; client: TestClient }> => {
    const harness = await startListener(t, { ...setting.options, ...options });
    const client = await setting.connect(harness.port);
    t.teardown(() => client.close());
    return { harness, client };
  };
  const test = (name: string, run: (t: Test) => Promise<void>): void =>
    void t.test(`${setting.name}: ${name}`, run);

  test('a request without body arrives whole and is answered', async t => {
    const { harness, client } = await start(t);
    const answer = client.request({ path: '/a?b=c', fields: ['x-one', '1', 'x-one', '2'] });
    const { incoming, sink } = await harness.next();
    const { head } = incoming;
    t.equal(head.method, 'GET');
    t.equal(head.target, '/a?b=c');
    t.equal(head.version, setting.version);
    t.equal(head.bodyLength, 0);
    t.match(head.authority, /^localhost/);
    t.equal(head.scheme, setting.options.certificates === undefined ? 'http' : 'https');
    t.strictSame(
      head.fields.filter((_, i, all) => all[i - (i % 2)]!.toLowerCase() === 'x-one'),
      ['x-one', '1', 'x-one', '2'],
    );
    t.equal(incoming.connection.remoteAddress, '127.0.0.1');
    const { status, body, complete } = await answer;
    t.equal(status, 200);
    t.equal(body.toString(), 'ok');
    t.ok(complete);
    await sink.until('sent');
    t.strictSame(sink.events, ['end', 'sent']);
  });

  test('a body arrives in order and its length is known', async t => {
    const { harness, client } = await start(t);
    const answer = client.request({ method: 'POST', body: MEGABYTE });
    const { incoming, sink } = await harness.next();
    t.equal((await answer).status, 200);
    t.equal(sink.body.length, MEGABYTE.length);
    t.ok(incoming.head.bodyLength === -1 || incoming.head.bodyLength === MEGABYTE.length);
  });

  test('fields keep their order and repeats on the way out', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 201, fields: ['Set-Cookie', 'a=1', 'X-B', 'b', 'Set-Cookie', 'c=2'] }, false);
      incoming.end();
    };
    const answer = await client.request({});
    t.equal(answer.status, 201);
    t.strictSame(
      answer.fields
        .filter((_, i, all) => /^(set-cookie|x-b)$/i.test(all[i - (i % 2)]!))
        .map(text => text.toLowerCase()),
      ['set-cookie', 'a=1', 'x-b', 'b', 'set-cookie', 'c=2'],
    );
    t.ok(answer.complete);
  });

  test('HEAD, 204 and 304 have no body whatever their fields say', async t => {
    const { harness, client } = await start(t);
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      harness.serve = ({ incoming }) => {
        incoming.answer({ status, fields: ['Content-Length', '5', 'ETag', '"x"'] }, true);
        incoming.end();
      };
      const answer = await client.request({ method });
      t.equal(answer.status, status);
      t.equal(answer.body.length, 0);
      t.ok(answer.complete);
      t.equal(fieldValue(answer.fields, 'etag'), '"x"');
      t.equal(fieldValue(answer.fields, 'content-length'), status === 204 ? undefined : '5');
    }
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 200, fields: ['Content-Length', '1'] }, false);
      incoming.write(Buffer.from('x'));
      incoming.end();
    };
    t.equal((await client.request({})).body.toString(), 'x', 'the connection goes on');
  });

  test('informational answers come before the final one', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.informational({
        status: 103,
        fields: ['Link', '</a>; rel=preload', 'Link', '</b>; rel=preload'],
      });
      incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
      incoming.end();
    };
    const answer = await client.request({});
    t.equal(answer.status, 200);
    t.equal(answer.informational[0]?.status, 103);
    t.match(String(answer.informational[0]?.fields), /<\/a>.*<\/b>/);
  });

  test('100 (Continue) is sent when the body is wanted, and not before', async t => {
    const { harness, client } = await start(t);
    harness.serve = () => {};
    const call = client.call({ method: 'POST', fields: ['expect', '100-continue', 'content-length', '4'] });
    const { incoming, sink } = await harness.next();
    t.ok(incoming.head.expectsContinue);
    incoming.continue();
    call.write(Buffer.from('body'));
    call.end();
    await sink.until('end');
    t.equal(sink.body.toString(), 'body');
    incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
    incoming.end();
    const answer = await call.answer;
    t.equal(answer.status, 200);
    t.equal(answer.informational[0]?.status, 100);
  });

  test('trailers go both ways', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming, sink }) => {
      sink.onEnd = () => {
        incoming.answer({ status: 200, fields: [] }, false);
        incoming.write(Buffer.from('data'));
        incoming.end(['grpc-status', '0', 'x-sum', 'abc']);
      };
    };
    const answer = await client.request({
      method: 'POST',
      body: Buffer.from('in'),
      trailers: { 'x-in': 'yes' },
    });
    const { sink } = await harness.next();
    t.equal(fieldValue(sink.trailers ?? [], 'x-in'), 'yes');
    t.equal(answer.body.toString(), 'data');
    t.equal(fieldValue(answer.trailers, 'grpc-status'), '0');
    t.equal(fieldValue(answer.trailers, 'x-sum'), 'abc');
    t.ok(answer.complete);
  });

  test('the head goes out before the first byte of a late body', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 200, fields: ['Content-Type', 'text/event-stream'] }, false);
      incoming.write(Buffer.from('data: 1\n\n'));
    };
    const call = client.call({});
    await call.firstData;
    const { incoming } = await harness.next();
    incoming.end();
    t.ok((await call.answer).complete);
  });

  test('an answer cut short is never taken for a whole', async t => {
    for (const fields of [[], ['Content-Length', '1000']]) {
      const { harness, client } = await start(t);
      harness.serve = ({ incoming }) => {
        incoming.answer({ status: 200, fields }, false);
        incoming.write(Buffer.from('part'));
      };
      const call = client.call({});
      await call.firstData;
      const { incoming, sink } = await harness.next();
      incoming.abort({ code: 'ANSWER_CUT', detail: 'test' });
      incoming.abort({ code: 'ANSWER_CUT', detail: 'test' });
      t.notOk((await call.answer).complete);
      t.notOk(sink.events.includes('gone'), 'abort silences the sink');
      t.notOk(sink.events.includes('sent'));
    }
  });

  test('an answer shorter than its Content-Length is cut', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 200, fields: ['Content-Length', '10'] }, false);
      incoming.write(Buffer.from('part'));
      incoming.end();
    };
    t.notOk((await client.call({}).answer).complete);
    const { sink } = await harness.next();
    await sink.until('gone');
    t.equal(sink.reason?.code, 'ANSWER_CUT');
  });

  test('a client that leaves before the answer is reported once', async t => {
    const { harness, client } = await start(t);
    harness.serve = () => {};
    const call = client.call({});
    call.answer.catch(() => {});
    const { sink } = await harness.next();
    call.leave();
    await sink.until('gone');
    t.equal(sink.reason?.code, 'CLIENT_GONE');
    t.strictSame(sink.events, ['end', 'gone']);
  });

  test('a client that leaves in the middle of its body is reported once', async t => {
    const { harness, client } = await start(t);
    harness.serve = () => {};
    const call = client.call({ method: 'POST', fields: ['content-length', '1000'] });
    call.answer.catch(() => {});
    call.write(Buffer.from('part'));
    const { sink } = await harness.next();
    await sink.until('data');
    call.leave();
    await sink.until('gone');
    t.strictSame(sink.events, ['data', 'gone']);
  });

  test('a client that leaves in the middle of the answer is reported once', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 200, fields: [] }, false);
      incoming.write(Buffer.from('part'));
    };
    const call = client.call({});
    call.answer.catch(() => {});
    await call.firstData;
    const { sink } = await harness.next();
    call.leave();
    await sink.until('gone');
    t.strictSame(sink.events, ['end', 'gone']);
  });

  test('a slow reader stops the writer, and drained starts it again', async t => {
    const { harness, client } = await start(t);
    const total = 24;
    let written = 0;
    let stops = 0;
    harness.serve = ({ incoming, sink }) => {
      incoming.answer({ status: 200, fields: [] }, false);
      const pump = (): void => {
        while (written < total) {
          written += 1;
          if (!incoming.write(MEGABYTE)) {
            stops += 1;
            sink.onDrained = pump;
            return;
          }
        }
        sink.onDrained = null;
        incoming.end();
      };
      pump();
    };
    const call = client.call({});
    call.stopReading();
    await harness.next();
    t.ok(stops > 0, 'the writer was stopped');
    t.ok(written < total);
    call.startReading();
    const answer = await call.answer;
    t.ok(answer.complete);
    t.equal(answer.body.length, total * MEGABYTE.length);
  });

  test('bytes of an answer are lent: what is written over behind the call arrives as it was', async t => {
    const { harness, client } = await start(t);
    const sizes = [3, 20_000, 60_000, 1, ...Array.from({ length: 40 }, (_, i) => 60_000 - i)];
    harness.serve = ({ incoming, sink }) => {
      sink.onEnd = () => {
        incoming.answer({ status: 200, fields: [] }, false);
        writeLent(sizes, chunk => incoming.write(chunk));
        incoming.end();
      };
    };
    const call = client.call({ path: '/' });
    call.end();
    call.stopReading();
    await (await harness.next()).sink.until('end');
    call.startReading();
    const { body, complete } = await call.answer;
    t.ok(complete);
    t.ok(body.equals(lentBytes(sizes)), `${body.length} bytes`);
  });

  test('pause stops the body of a request, resume brings the rest', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming, sink }) => {
      sink.onData = () => {
        sink.onData = null;
        incoming.pause();
      };
    };
    const call = client.call({ method: 'POST' });
    for (let i = 0; i < 8; i++) call.write(MEGABYTE);
    call.end();
    const { incoming, sink } = await harness.next();
    await sink.until('data');
    for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setImmediate(resolve));
    t.ok(sink.body.length < 8 * MEGABYTE.length, 'not all came while paused');
    incoming.resume();
    await sink.until('end');
    t.equal(sink.body.length, 8 * MEGABYTE.length);
    incoming.answer({ status: 200, fields: ['Content-Length', '0'] }, false);
    incoming.end();
    t.equal((await call.answer).status, 200);
  });

  test('an answer before the end of the request arrives whole', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => {
      incoming.answer({ status: 413, fields: ['Content-Length', '3'] }, false);
      incoming.write(Buffer.from('big'));
      incoming.end();
    };
    const call = client.call({ method: 'POST' });
    call.write(Buffer.alloc(100_000));
    const answer = await call.answer;
    t.equal(answer.status, 413);
    t.equal(answer.body.toString(), 'big');
    t.ok(answer.complete);
    const { sink } = await harness.next();
    await sink.until('sent');
  });

  test('a body that stops coming ends the exchange', async t => {
    const { harness, client } = await start(t, { limits: { body_idle_timeout: 80 } });
    harness.serve = () => {};
    const call = client.call({ method: 'POST', fields: ['content-length', '1000'] });
    call.write(Buffer.from('part'));
    const { sink } = await harness.next();
    await sink.until('gone');
    t.equal(sink.reason?.code, 'REQUEST_TIMEOUT');
    t.equal((await call.answer).status, 408);
  });

  test('a client that takes nothing of its answer is closed', async t => {
    const { harness, client } = await start(t, { limits: { write_idle_timeout: 120 } });
    harness.serve = ({ incoming, sink }) => {
      incoming.answer({ status: 200, fields: [] }, false);
      const pump = (): void => {
        while (incoming.write(MEGABYTE)) if (sink.events.includes('gone')) return;
      };
      sink.onDrained = pump;
      pump();
    };
    const call = client.call({});
    call.answer.catch(() => {});
    call.stopReading();
    const { sink } = await harness.next();
    await sink.until('gone');
    t.equal(sink.reason?.code, 'CLIENT_GONE');
  });

  test('a field that cannot be sent cuts this answer only', async t => {
    const { harness, client } = await start(t);
    harness.serve = ({ incoming }) => incoming.answer({ status: 200, fields: ['X', 'a\r\nb: c'] }, false);
    const call = client.call({});
    t.notOk((await call.answer).complete);
    const { sink } = await harness.next();
    t.equal(sink.reason?.code, 'BAD_ANSWER');
  });

  test('drain lets what runs finish and then closes', async t => {
    const { harness, client } = await start(t);
    harness.serve = () => {};
    const call = client.call({});
    const { incoming } = await harness.next();
    harness.listener.stopAccepting();
    harness.listener.drain(1000);
    incoming.answer({ status: 200, fields: ['Content-Length', '4'] }, false);
    incoming.write(Buffer.from('last'));
    incoming.end();
    const answer = await call.answer;
    t.equal(answer.body.toString(), 'last');
    await harness.until(() => harness.listener.connections === 0);
    t.equal(harness.counters.get('connections'), 0);
  });

  test('an idle connection is closed after keep_alive', async t => {
    const { harness, client } = await start(t, { limits: { keep_alive: 60 } });
    t.equal((await client.request({})).status, 200);
    await harness.until(() => harness.listener.connections === 0);
    t.equal(harness.refused.length, 0);
  });
}
