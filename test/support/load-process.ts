// The load itself, in a process of its own: clients of several kinds that check every answer, retry nothing and count every failure.

import { randomBytes } from 'node:crypto';
import http from 'node:http';
import { type ClientHttp2Session, connect, constants } from 'node:http2';
import https from 'node:https';
import { connect as dial, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { TappedSocket } from './h2-wire.ts';
import type { LoadReport, LoadSpec } from './load.ts';

const ANSWER_WITHIN_MS = 15_000;
/** The client library held it back and then heard of a GOAWAY: no byte of it left, so no server has failed it. Not asked again. */
const UNSENT = 'unsent';
const BODIES = [17, 1_000, 20_000].map(size => randomBytes(size));

const spec = JSON.parse(process.argv[2]!) as LoadSpec;
const startedMs = performance.now();
let stopping = false;
let sequence = 0;
let unsent = 0;
let lastDoneMs = startedMs;
let longestPauseMs = 0;
const kinds: Record<string, { requests: number; longestMs: number }> = {};
const failures: Record<string, number> = {};
const latencies: number[] = [];
const running = new Set<Promise<void>>();

interface Ask {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body: Buffer | null;
}

function nextAsk(): Ask {
  const n = sequence++;
  return n % 3 === 0
    ? { method: 'POST', path: `/echo/${n}`, body: BODIES[n % BODIES.length]! }
    : { method: 'GET', path: `/get/${n}`, body: null };
}

/** What the backend must have answered. */
const isRight = (ask: Ask, status: number, body: Buffer): string => {
  if (status !== 200) return `status ${status}: ${body.toString('latin1').slice(0, 80)}`;
  const wanted = ask.body ?? Buffer.from(ask.path);
  return body.equals(wanted) ? '' : `wrong body: ${body.length} bytes for ${wanted.length}`;
};

/** Counts one request, from the moment at which it was due. */
async function count(
  kind: string,
  run: (ask: Ask) => Promise<string>,
  dueMs = performance.now(),
): Promise<void> {
  const ask = nextAsk();
  const failure = await run(ask);
  if (failure === UNSENT) {
    unsent += 1;
    return;
  }
  const now = performance.now();
  kinds[kind] ??= { requests: 0, longestMs: 0 };
  kinds[kind].requests += 1;
  kinds[kind].longestMs = Math.max(kinds[kind].longestMs, now - dueMs);
  if (failure === '') {
    latencies.push(now - dueMs);
    longestPauseMs = Math.max(longestPauseMs, now - lastDoneMs);
    lastDoneMs = now;
  } else {
    const reason = `${kind} ${ask.method}: ${failure}`;
    failures[reason] = (failures[reason] ?? 0) + 1;
  }
}

function overHttp1(agent: http.Agent | false, tls: boolean): (ask: Ask) => Promise<string> {
  return ask =>
    new Promise(resolve => {
      let used = false;
      const options = {
        ...{
          host: '127.0.0.1',
          port: tls ? spec.tlsPort! : spec.port,
          agent,
          method: ask.method,
          path: ask.path,
        },
        headers: ask.body === null ? {} : { 'content-length': ask.body.length },
        ...(tls ? { ca: spec.ca!, servername: spec.serverName! } : {}),
      };
      const request = (tls ? https : http).request(options, response => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', error => resolve(`answer cut: ${codeOf(error)}`));
        response.on('end', () => resolve(isRight(ask, response.statusCode!, Buffer.concat(chunks))));
      });
      request.on('socket', socket => {
        used = request.reusedSocket;
        socket.setNoDelay(true);
      });
      request.setTimeout(ANSWER_WITHIN_MS, () => request.destroy(new Error('no answer in time')));
      request.on('error', error => resolve(`${used ? 'reused' : 'new'} connection: ${codeOf(error)}`));
      request.end(ask.body ?? undefined);
    });
}

const codeOf = (error: Error & { code?: string }): string => `${error.code ?? ''} ${error.message}`.trim();

const dialTls = (): Socket =>
  connectTls({
    ...{ port: spec.tlsPort!, host: '127.0.0.1', ca: spec.ca!, servername: spec.serverName! },
    ALPNProtocols: ['h2'],
  });

/** A session is replaced as soon as it says that it is going. */
class Http2Client {
  #session: ClientHttp2Session | null = null;
  #wire: TappedSocket | null = null;
  readonly #tls: boolean;

  constructor(tls: boolean) {
    this.#tls = tls;
  }

  readonly ask = (ask: Ask): Promise<string> =>
    new Promise(resolve => {
      const session = this.#current();
      const wire = this.#wire!;
      const stream = session.request(
        { ':method': ask.method, ':path': ask.path, ':authority': `127.0.0.1:${spec.port}` },
        { endStream: ask.body === null },
      );
      const chunks: Buffer[] = [];
      let status = 0;
      let failed = '';
      stream.setTimeout(ANSWER_WITHIN_MS, () => {
        failed = 'no answer in time';
        stream.close(constants.NGHTTP2_CANCEL);
      });
      stream.on('response', headers => {
        status = Number(headers[':status']);
      });
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('error', error => {
        failed ||= codeOf(error);
      });
      stream.on('close', () => {
        const { rstCode, id } = stream;
        if (rstCode === constants.NGHTTP2_REFUSED_STREAM && (id === undefined || !wire.sent.has(id)))
          return resolve(UNSENT);
        if (rstCode !== 0) failed ||= `RST ${rstCode}`;
        resolve(failed || isRight(ask, status, Buffer.concat(chunks)));
      });
      if (ask.body !== null) stream.end(ask.body);
    });

  close(): void {
    this.#session?.close();
  }

  #current(): ClientHttp2Session {
    const before = this.#session;
    if (before !== null && !before.closed && !before.destroyed) return before;
    const wire = new TappedSocket(this.#tls ? dialTls() : dial({ port: spec.port, host: '127.0.0.1' }));
    const scheme = this.#tls ? 'https' : 'http';
    const session = connect(`${scheme}://127.0.0.1:${spec.port}`, { createConnection: () => wire });
    // Told to the streams, which count it.
    session.on('error', () => {});
    this.#session = session;
    this.#wire = wire;
    return session;
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** Closed loop: the next request when the one before is answered. */
function loop(kind: string, run: (ask: Ask) => Promise<string>, thinkMs: () => number): void {
  const going = (async () => {
    while (!stopping) {
      await count(kind, run);
      await pause(thinkMs());
    }
  })();
  track(going);
}

/** Open loop: a request each time one is due, however many are under way. */
function arrivals(kind: string, perSecond: number, run: (ask: Ask) => Promise<string>): void {
  let dueMs = performance.now();
  const tick = (): void => {
    if (stopping) return;
    for (; dueMs <= performance.now(); dueMs += 1000 / perSecond) track(count(kind, run, dueMs));
    setTimeout(tick, 2);
  };
  tick();
}

function track(work: Promise<void>): void {
  running.add(work);
  void work.finally(() => running.delete(work));
}

const closers: (() => void)[] = [];
const { keepAlive, http2: h2, http2Tls, idle, fresh, open, tls } = spec;
if (keepAlive !== undefined) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: keepAlive.connections });
  closers.push(() => agent.destroy());
  for (let i = 0; i < keepAlive.connections; i++)
    loop('http1 keep-alive', overHttp1(agent, false), () => keepAlive.thinkMs);
}
for (const [kind, group] of [
  ['http2', h2],
  ['http2 over TLS', http2Tls],
] as const) {
  for (let i = 0; i < (group?.connections ?? 0); i++) {
    const client = new Http2Client(group === http2Tls);
    closers.push(() => client.close());
    for (let j = 0; j < group!.streams; j++) loop(kind, client.ask, () => group!.thinkMs);
  }
}
if (idle !== undefined) {
  for (let i = 0; i < idle.connections; i++) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    closers.push(() => agent.destroy());
    loop('http1 mostly idle', overHttp1(agent, false), () => Math.random() * idle.maxIdleMs);
  }
}
if (fresh !== undefined) arrivals('new connection', fresh.perSecond, overHttp1(false, false));
if (tls !== undefined) arrivals('new TLS connection', tls.perSecond, overHttp1(false, true));
if (open !== undefined) {
  const agent = new http.Agent({ keepAlive: true });
  closers.push(() => agent.destroy());
  arrivals('http1 open loop', open.perSecond, overHttp1(agent, false));
}

function report(): LoadReport {
  const seconds = (performance.now() - startedMs) / 1000;
  const requests = Object.values(kinds).reduce((sum, kind) => sum + kind.requests, 0);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
  return {
    ...{ seconds, requests, perSecond: requests / seconds, failures, kinds, unsent },
    failed: Object.values(failures).reduce((sum, n) => sum + n, 0),
    // A pause that still lasts counts too.
    longestPauseMs: Math.max(longestPauseMs, performance.now() - lastDoneMs),
    latencyMs: { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: sorted.at(-1) ?? 0 },
  };
}

process.on('message', async (asked: 'report' | 'stop') => {
  if (asked === 'report') return void process.send!(report());
  const last = report();
  stopping = true;
  await Promise.all(running);
  for (const close of closers) close();
  process.send!({ ...report(), longestPauseMs: last.longestPauseMs }, () => process.exit(0));
});
process.on('disconnect', () => process.exit(1));
