// Connect's JSON as the SDK reads it: in any pieces, and from servers that answer what they like.

import t from 'tap';
import { call, stream } from '../../lib/client/connect.ts';
import { type Platform, platform } from '../../lib/client/platform.ts';

const { signal } = new AbortController();

const answering = (response: () => Response): Platform => ({ ...platform, fetch: async () => response() });

const frame = (flags: number, text: string): Buffer => {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(payload.length, 1);
  return Buffer.concat([head, payload]);
};

function streamed(bytes: Uint8Array, pieceBytes: number): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += pieceBytes)
        controller.enqueue(bytes.slice(at, at + pieceBytes));
      controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'application/connect+json' } });
}

async function read(bytes: Uint8Array, pieceBytes: number): Promise<unknown[]> {
  const got: unknown[] = [];
  const from = answering(() => streamed(bytes, pieceBytes));
  for await (const message of stream(from, 'http://x/', {}, signal)) got.push(message);
  return got;
}

t.test('a stream may come in any pieces', async t => {
  const bytes = Buffer.concat([frame(0, '{"a":"ä"}'), frame(0, '{}'), frame(2, '{}')]);
  for (const pieceBytes of [1, 2, 3, 7, 1000])
    t.same(await read(bytes, pieceBytes), [{ a: 'ä' }, {}], `${pieceBytes}`);
});

t.test('a stream that ends with an error, breaks off, or is rubbish', async t => {
  const bad = frame(2, '{"error":{"code":"unauthenticated","message":"lapsed"}}');
  await t.rejects(read(bad, 10), { code: 'unauthenticated', message: 'lapsed' });
  await t.rejects(read(frame(0, '{}'), 10), { code: 'unavailable' });
  await t.rejects(read(frame(0, '[1'), 10), { code: 'internal' });
  await t.rejects(read(Buffer.from([0, 255, 255, 255, 255, 1]), 10), { code: 'internal' });
});

t.test('answers of one call', async t => {
  const ask = (response: () => Response): Promise<unknown> =>
    call(answering(response), 'http://x/', {}, signal);
  const json = { headers: { 'content-type': 'application/json' } };
  t.same(await ask(() => new Response('{"a":1}', json)), { a: 1 });
  await t.rejects(
    ask(() => new Response('{"code":"resource_exhausted","message":"m"}', { ...json, status: 429 })),
    { code: 'resource_exhausted', message: 'm' },
  );
  await t.rejects(
    ask(() => new Response('<h1>welcome', { headers: { 'content-type': 'text/html' } })),
    { code: 'unimplemented' },
    'a page that answers everything is no service',
  );
  await t.rejects(
    ask(() => new Response('not here', { status: 404 })),
    { code: 'unimplemented' },
  );
  await t.rejects(
    ask(() => new Response('', { status: 502 })),
    { code: 'unavailable' },
  );
  await t.rejects(
    ask(() => new Response(`{"a":"${'x'.repeat(70_000)}"}`, json)),
    { code: 'internal' },
  );
  await t.rejects(
    ask(() => {
      throw new TypeError('fetch failed');
    }),
    { code: 'unavailable' },
  );
});
