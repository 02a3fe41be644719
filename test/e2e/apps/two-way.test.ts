// An answer that begins before the request ends: the exchange lives as long as either side has something to say.

import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import t from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { Leaseway } from '../../support/leaseway.ts';

const IDLE_MS = 500;
const PIECE_EVERY_MS = 100;
const FIRST = 'first';

/** The head at once, then not a byte before the request has ended. */
const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  let bytes = 0;
  request.on('data', chunk => {
    bytes += chunk.length;
  });
  request.on('end', () => response.end(String(bytes)));
  response.flushHeaders();
});
const leaseway = await Leaseway.start({
  clusters: { app: { backends: [backend.url], timeouts: { idle: `${IDLE_MS}ms` } } },
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await backend.close();
});

interface Call {
  readonly body: Writable;
  readonly answer: Readable;
}

async function overHttp1(): Promise<Call> {
  const body = http.request(leaseway.url(), { method: 'POST', agent: false });
  body.on('error', () => {});
  body.write(FIRST);
  const [answer] = await once(body, 'response');
  return { body, answer };
}

async function overHttp2(): Promise<Call> {
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/' });
  stream.on('error', () => {});
  stream.write(FIRST);
  await once(stream, 'response');
  return { body: stream, answer: stream };
}

for (const [name, open] of [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const) {
  t.test(`${name}: a body that still flows keeps a silent answer open`, async t => {
    const { body, answer } = await open();
    const whole = answer.toArray().then(
      chunks => Buffer.concat(chunks).toString(),
      error => `cut: ${error.message}`,
    );
    const since = performance.now();
    let pieces = 0;
    // The time itself is what is shown: several times what silence may last.
    while (performance.now() - since < 4 * IDLE_MS) {
      body.write('piece');
      pieces += 1;
      await new Promise(resolve => setTimeout(resolve, PIECE_EVERY_MS));
    }
    body.end();
    t.equal(await whole, String(FIRST.length + pieces * 5));
  });

  t.test(`${name}: silence on both sides ends it`, async t => {
    const { body, answer } = await open();
    const since = performance.now();
    body.write('piece');
    await t.rejects(answer.toArray(), 'cut, and not taken for a whole answer');
    const took = performance.now() - since;
    t.ok(took >= IDLE_MS - 50 && took < IDLE_MS + 5_000, `${Math.round(took)} ms`);
  });
}
