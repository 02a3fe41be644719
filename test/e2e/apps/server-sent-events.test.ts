// Server-sent events through the proxy: each event at once, silence allowed where it is meant to be, and an end that both sides hear.

import { once } from 'node:events';
import http, { type ServerResponse } from 'node:http';
import http2 from 'node:http2';
import type { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { Leaseway } from '../../support/leaseway.ts';

const IDLE_MS = 500;

/** The open streams of the backend, by what the client asked for. */
const open = new Map<string, ServerResponse>();
const closed = new Set<string>();
const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  const url = request.url!;
  open.set(url, response);
  response.on('close', () => {
    open.delete(url);
    closed.add(url);
  });
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
});
const backends = [backend.url];
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: [
      { name: 'short', match: { path: '/short' }, cluster: 'short' },
      { name: 'events', cluster: 'events' },
    ],
  },
  clusters: {
    events: { backends, timeouts: { idle: 0, head: `${IDLE_MS}ms` } },
    short: { backends, timeouts: { idle: `${IDLE_MS}ms` } },
  },
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await backend.close();
});

interface Client {
  readonly stream: Readable;
  leave(): void;
}

async function overHttp1(t: Test, path: string): Promise<Client> {
  const request = http.get(`${leaseway.url()}${path}`, {
    headers: { accept: 'text/event-stream' },
    agent: false,
  });
  request.on('error', () => {});
  t.teardown(() => request.destroy());
  const [stream] = (await once(request, 'response')) as [http.IncomingMessage];
  t.match(stream.headers, { 'content-type': 'text/event-stream', 'content-length': undefined });
  return { stream, leave: () => request.destroy() };
}

async function overHttp2(t: Test, path: string): Promise<Client> {
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  const stream = session.request({ ':path': path, accept: 'text/event-stream' });
  stream.on('error', () => {});
  const [head] = await once(stream, 'response');
  t.match(head, { 'content-type': 'text/event-stream' });
  return { stream, leave: () => stream.close(http2.constants.NGHTTP2_CANCEL) };
}

/** What comes next; the pieces are small and alone, so each is a piece of its own. */
const next = async (stream: Readable): Promise<string> => String((await once(stream, 'data'))[0]);

for (const [name, connect] of [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const) {
  t.test(`${name}: the head and every event reach the client before the next is written`, async t => {
    const path = `/${name}/prompt`;
    const { stream } = await connect(t, path);
    for (let i = 0; i < 20; i++) {
      const event = next(stream);
      open.get(path)!.write(`id: ${i}\ndata: ${i}\n\n`);
      t.equal(await event, `id: ${i}\ndata: ${i}\n\n`);
    }
    const ended = once(stream, 'end');
    open.get(path)!.end();
    await ended;
  });

  t.test(`${name}: silence is no fault with an idle time-out of 0, and one with any other`, async t => {
    const quiet = await connect(t, `/${name}/quiet`);
    const short = await connect(t, `/short/${name}`);
    const events: string[] = [];
    quiet.stream.on('data', chunk => events.push(String(chunk)));
    quiet.stream.on('close', () => events.push('closed'));
    short.stream.resume();
    const since = performance.now();
    // That the one was cut proves that the other sat through the same time.
    await Promise.race([
      once(short.stream, 'error'),
      once(short.stream, 'aborted'),
      once(short.stream, 'close'),
    ]).catch(() => {});
    t.ok(performance.now() - since >= IDLE_MS - 50, 'cut for its silence');
    await leaseway.until(() => closed.has(`/short/${name}`));
    await leaseway.until(() => performance.now() - since > 4 * IDLE_MS);
    t.same(events, [], 'the other is still open');
    open.get(`/${name}/quiet`)!.write('data: late\n\n');
    await leaseway.until(() => events.length > 0);
    t.same(events, ['data: late\n\n']);
  });

  t.test(`${name}: a client that leaves ends the backend's request`, async t => {
    const path = `/${name}/leaving`;
    const { stream, leave } = await connect(t, path);
    const event = next(stream);
    open.get(path)!.write('data: one\n\n');
    await event;
    t.notOk(closed.has(path));
    leave();
    await leaseway.until(() => closed.has(path));
    await leaseway.until(async () => {
      const { backends } = await leaseway.status();
      return backends.every((one: { inFlight: number }) => one.inFlight === 0);
    });
    t.pass('nothing is in flight any more');
  });
}
