// Bodies of a gibibyte through the proxy, whole and with flat memory; and a slow reader at either end stops the other.

import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { type AnyRequest, type AnyResponse, type Backend, goodBackend } from '../../support/backends.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { peakMiB, residentMiB } from '../../support/memory-watch.ts';
import { digest, hashesOf, MIB, type Progress, pour } from '../../support/noise.ts';

const WARM = 64 * MIB;
const LARGE = 256 * MIB;
const HUGE = 1024 * MIB;
/** What a transfer may add to the process at its worst; a body kept whole would be many times that. */
const GROWTH_MIB = 96;
/** Socket buffers of the kernel on two connections, and ours: what may be under way towards one who does not read. */
const UNDER_WAY = 32 * MIB;
const HASHES = hashesOf([WARM, LARGE, HUGE]);

/** Of answers to /endless and requests to /deaf, by the name in the query. */
const written = new Map<string, Progress>();
const deaf = new Map<string, () => void>();

/** /down?bytes=N[&length], /up (answers with the hash), /deaf?name (reads when told to). */
async function handle(request: AnyRequest, response: AnyResponse): Promise<void> {
  const url = new URL(request.url!, 'http://backend');
  const name = url.searchParams.get('name') ?? '';
  if (url.pathname === '/down') {
    const bytes = Number(url.searchParams.get('bytes'));
    if (url.searchParams.has('length')) response.setHeader('content-length', bytes);
    const progress = { bytes: 0 };
    written.set(name, progress);
    return pour(response, bytes, progress);
  }
  if (url.pathname === '/deaf') await new Promise<void>(resolve => deaf.set(name, resolve));
  response.setHeader(
    'x-framing',
    String(request.headers['transfer-encoding'] ?? request.headers['content-length']),
  );
  response.end(JSON.stringify(await digest(request)));
}

const onRequest = (request: AnyRequest, response: AnyResponse): void => {
  handle(request, response).catch(() => response.destroy());
};
const backends: Backend[] = [
  await goodBackend({ protocol: 'http1', secure: false }, onRequest),
  await goodBackend({ protocol: 'h2', secure: false }, onRequest),
];
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    routes: [
      { name: 'h2', match: { headers: [{ name: 'x-to', exact: 'h2' }] }, cluster: 'h2' },
      { name: 'http1', cluster: 'http1' },
    ],
  },
  clusters: {
    http1: { backends: [backends[0]!.url] },
    h2: { protocol: 'h2', backends: [backends[1]!.url] },
  },
});
const session = http2.connect(leaseway.url(), { settings: { initialWindowSize: MIB } });
await once(session, 'connect');
session.setLocalWindowSize(MIB);
t.teardown(async () => {
  session.destroy();
  await leaseway[Symbol.asyncDispose]();
  for (const backend of backends) await backend.close();
});

interface Call {
  /** The request's body. */
  readonly body: Writable;
  /** Resolves when the head has come. */
  readonly answer: Promise<{ headers: http.IncomingHttpHeaders; body: Readable }>;
}

type Caller = (path: string, method?: 'GET' | 'POST', length?: number) => Call;

const overHttp1: Caller = (path, method = 'GET', length) => {
  const body = http.request(`${leaseway.url()}${path}`, {
    method,
    agent: false,
    headers: length === undefined ? {} : { 'content-length': length },
  });
  const answer = once(body, 'response').then(([response]) => ({ headers: response.headers, body: response }));
  if (method === 'GET') body.end();
  return { body, answer };
};

const overHttp2: Caller = (path, method = 'GET', length) => {
  const body = session.request(
    {
      ':method': method,
      ':path': path,
      'x-to': 'h2',
      ...(length !== undefined && { 'content-length': length }),
    },
    { endStream: method === 'GET' },
  );
  const answer = once(body, 'response').then(([headers]) => ({ headers, body }));
  return { body, answer };
};

async function upload(
  call: Caller,
  size: number,
  length: boolean,
): Promise<{ framing: string; got: unknown }> {
  const { body, answer } = call('/up', 'POST', length ? size : undefined);
  const [{ headers, body: told }] = await Promise.all([answer, pour(body, size)]);
  return {
    framing: String(headers['x-framing']),
    got: JSON.parse(Buffer.concat(await told.toArray()).toString()),
  };
}

async function download(
  call: Caller,
  size: number,
  length: boolean,
): Promise<{ framing: string; got: unknown }> {
  const { headers, body } = await call(`/down?bytes=${size}${length ? '&length' : ''}`).answer;
  const framing = String(headers['transfer-encoding'] ?? headers['content-length']);
  return { framing, got: await digest(body) };
}

/** The transfer is whole, and the proxy no larger than it was. */
async function flat(
  t: Test,
  what: string,
  size: number,
  framing: string,
  work: () => Promise<{ framing: string; got: unknown }>,
): Promise<void> {
  const before = residentMiB(leaseway.pid);
  const since = performance.now();
  let result: unknown;
  const peak = await peakMiB(leaseway.pid, async () => {
    result = await work();
  });
  const seconds = (performance.now() - since) / 1000;
  t.same(result, { framing, got: { bytes: size, hash: HASHES.get(size) } }, `${what}: whole`);
  const figures = `${size / MIB} MiB in ${seconds.toFixed(1)} s, ${before} MiB before, ${peak} MiB at most`;
  t.comment(`${what}: ${figures}`);
  t.ok(peak - before <= GROWTH_MIB, `${what}: ${figures}`);
}

let warmMiB = 0;
t.test('warm-up: every path once', async t => {
  for (const call of [overHttp1, overHttp2]) {
    t.match((await upload(call, WARM, false)).got, { hash: HASHES.get(WARM) });
    t.match((await download(call, WARM, false)).got, { hash: HASHES.get(WARM) });
  }
  warmMiB = residentMiB(leaseway.pid);
});

t.test('HTTP/1.1: 1 GiB up in chunks and down with a length, and the other way round', async t => {
  await flat(t, 'up, chunked', HUGE, 'chunked', () => upload(overHttp1, HUGE, false));
  await flat(t, 'down, with length', HUGE, String(HUGE), () => download(overHttp1, HUGE, true));
  await flat(t, 'up, with length', LARGE, String(LARGE), () => upload(overHttp1, LARGE, true));
  await flat(t, 'down, chunked', LARGE, 'chunked', () => download(overHttp1, LARGE, false));
});

t.test('HTTP/2: 256 MiB up and down, with a length and without', async t => {
  await flat(t, 'up', LARGE, 'undefined', () => upload(overHttp2, LARGE, false));
  await flat(t, 'down', LARGE, 'undefined', () => download(overHttp2, LARGE, false));
  await flat(t, 'up, with length', WARM, String(WARM), () => upload(overHttp2, WARM, true));
  await flat(t, 'down, with length', WARM, String(WARM), () => download(overHttp2, WARM, true));
});

/** Resolves with the bytes that had gone when no more went for a while. */
async function stopped(progress: () => number): Promise<number> {
  let last = -1;
  let quietSince = performance.now();
  return leaseway.until(() => {
    const bytes = progress();
    if (bytes !== last) {
      last = bytes;
      quietSince = performance.now();
    }
    return bytes > 0 && performance.now() - quietSince > 500 && bytes;
  });
}

for (const [name, call] of [
  ['HTTP/1.1', overHttp1],
  ['HTTP/2', overHttp2],
] as const) {
  t.test(`${name}: a client that does not read stops the backend, and gets all when it does`, async t => {
    const key = `slow-reader-${name}`;
    const before = residentMiB(leaseway.pid);
    const { body } = await call(`/down?bytes=${LARGE}&name=${key}`).answer;
    body.pause();
    const bytes = await stopped(() => written.get(key)?.bytes ?? 0);
    t.ok(bytes < UNDER_WAY, `stopped after ${bytes >> 10} KiB of ${LARGE >> 10}`);
    t.comment(`${name}: the backend stopped after ${bytes >> 10} KiB`);
    t.ok(residentMiB(leaseway.pid) - before <= GROWTH_MIB);
    t.same(await digest(body), { bytes: LARGE, hash: HASHES.get(LARGE) });
  });

  t.test(`${name}: a backend that does not read stops the client, and gets all when it does`, async t => {
    const key = `deaf-${name}`;
    const before = residentMiB(leaseway.pid);
    const { body, answer } = call(`/deaf?name=${key}`, 'POST');
    const progress = { bytes: 0 };
    const poured = pour(body, LARGE, progress);
    const bytes = await stopped(() => progress.bytes);
    t.ok(bytes < UNDER_WAY, `stopped after ${bytes >> 10} KiB of ${LARGE >> 10}`);
    t.comment(`${name}: the client stopped after ${bytes >> 10} KiB`);
    t.ok(residentMiB(leaseway.pid) - before <= GROWTH_MIB);
    deaf.get(key)!();
    await poured;
    const told = Buffer.concat(await (await answer).body.toArray()).toString();
    t.same(JSON.parse(told), { bytes: LARGE, hash: HASHES.get(LARGE) });
  });
}

t.test('HTTP/2: uploads that wait for their backend do not hold up another on their connection', async t => {
  const waiting = Array.from({ length: 8 }, (_, i) => {
    const name = `waiting-${i}`;
    const { body, answer } = overHttp2(`/deaf?name=${name}`, 'POST');
    const progress = { bytes: 0 };
    return { name, answer, progress, poured: pour(body, 4 * MIB, progress) };
  });
  await stopped(() => waiting.reduce((sum, { progress }) => sum + progress.bytes, 0));
  t.match((await upload(overHttp2, WARM, false)).got, { bytes: WARM, hash: HASHES.get(WARM) });
  for (const { name, answer, poured, progress } of waiting) {
    t.ok(progress.bytes < 4 * MIB, 'it still waits');
    deaf.get(name)!();
    await poured;
    const told = Buffer.concat(await (await answer).body.toArray()).toString();
    t.match(JSON.parse(told), { bytes: 4 * MIB });
  }
});

t.test('all of it together left no more behind than one of it', async t => {
  const { backends } = await leaseway.status();
  t.ok(backends.every((backend: { inFlight: number }) => backend.inFlight === 0));
  const now = residentMiB(leaseway.pid);
  t.ok(now - warmMiB <= GROWTH_MIB, `${warmMiB} MiB after the warm-up, ${now} MiB now`);
});
