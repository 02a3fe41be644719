// What is written and told of real traffic: a line in the access log, and spans at an OpenTelemetry collector.

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import WebSocket, { WebSocketServer } from 'ws';
import { type Backend, deadPort, goodBackend } from '../../support/backends.ts';
import { metadata, say, TalkServer, talkClient } from '../../support/grpc-talk.ts';
import { Leaseway, type LeasewayOptions } from '../../support/leaseway.ts';
import { OtlpReceiver, type OtlpSpan, plain } from '../../support/otlp-receiver.ts';

const SERVER = 2;
const CLIENT = 3;
const ERROR = 2;

const collector = await OtlpReceiver.listen();
/** /status/N answers so; /hang begins and stops; anything else is answered with the fields it came with. */
const backend: Backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  request.resume();
  const [, first, second] = request.url!.split('/');
  if (first === 'status') response.writeHead(Number(second)).end('as asked');
  else if (first === 'hang') response.write('begun');
  else request.on('end', () => response.end(JSON.stringify(request.headers)));
});
const sockets = new WebSocketServer({ server: backend.server as http.Server });
sockets.on('connection', socket => socket.on('message', data => socket.send(data)));
const talk = await TalkServer.start();
const good = { id: 'good', url: backend.url };
const dead = { id: 'dead', url: `http://127.0.0.1:${await deadPort()}` };

const options = (sample: string): LeasewayOptions => ({
  config: {
    workers: 2,
    routes: [
      { name: 'retried', match: { path: '/retried' }, cluster: 'retried' },
      { name: 'broken', match: { path: '/broken' }, cluster: 'broken' },
      { name: 'talk', match: { path: '/leaseway.test.Talk' }, cluster: 'talk' },
      { name: 'app', cluster: 'app' },
    ],
    log: { access: 'access.log' },
    telemetry: { service_name: 'edge', otlp: { endpoint: collector.endpoint, interval: '100ms' }, sample },
  },
  clusters: {
    app: { backends: [good], sticky: { by: 'cookie' } },
    retried: {
      backends: [dead, good],
      balance: { policy: 'round_robin' },
      outlier: { consecutive_failures: 0 },
    },
    broken: { backends: [dead], outlier: { consecutive_failures: 0 } },
    talk: { protocol: 'h2', backends: [{ id: 'talk', url: `http://127.0.0.1:${talk.port}` }] },
  },
  env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
});
// Nothing that begins here is kept: whatever the collector gets, a caller asked for.
const leaseway = await Leaseway.start(options('0%'));
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await talk[Symbol.asyncDispose]();
  await backend.close();
  await collector[Symbol.asyncDispose]();
});

interface Caller {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceparent: string;
}

function caller(flags = '01'): Caller {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

async function get(path: string, headers: http.OutgoingHttpHeaders, body?: Buffer) {
  const request = http.request(`${leaseway.url()}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers,
    agent: false,
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return { status: response.statusCode, text: Buffer.concat(await response.toArray()).toString() };
}

interface Spans {
  readonly server: OtlpSpan;
  /** In the order of the attempts. */
  readonly clients: readonly OtlpSpan[];
}

/** The spans of a trace, once its server span and so many client spans have come. */
async function spansOf(traceId: string, attempts: number): Promise<Spans> {
  const ours = (): OtlpSpan[] => collector.spans.filter(span => span.traceId === traceId);
  await collector.until(() => ours().length > attempts);
  const [server, ...others] = ours().filter(({ kind }) => kind === SERVER);
  const clients = ours()
    .filter(({ kind }) => kind === CLIENT)
    .sort((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
  if (others.length > 0 || clients.length !== attempts)
    throw new Error(`${others.length + 1} server and ${clients.length} client spans`);
  return { server: server!, clients };
}

/** As far as more than its content is asked about. */
interface Line {
  readonly attempts: readonly string[];
  readonly request_id: string;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly duration_ms: number;
  readonly first_byte_ms: number;
}

/** The access log's line of a trace. */
function lineOf(traceId: string): Promise<Line> {
  const path = join(leaseway.folder, 'access.log');
  return leaseway.until(() => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    const found = text.split('\n').filter(line => line.includes(traceId));
    if (found.length > 1) throw new Error(`${found.length} lines of one request`);
    return found.length === 1 && (JSON.parse(found[0]!) as Line);
  });
}

function family(t: Test, { server, clients }: Spans, by: Caller): void {
  t.equal(server.parentSpanId, by.spanId, 'the server span is a child of the caller’s');
  for (const client of clients) {
    t.equal(client.parentSpanId, server.spanId, 'an attempt is a child of the server span');
    t.ok(BigInt(client.startTimeUnixNano) >= BigInt(server.startTimeUnixNano), 'begins within it');
    t.ok(BigInt(client.endTimeUnixNano) <= BigInt(server.endTimeUnixNano), 'and ends within it');
  }
}

t.test('a request: server span, client span, the backend told of the latter, and a line', async t => {
  const by = caller();
  const body = randomBytes(100_000);
  const headers = { traceparent: by.traceparent, tracestate: 'vendor=value', 'user-agent': 'a test/1' };
  const { text } = await get('/upload?token=secret', headers, body);
  const spans = await spansOf(by.traceId, 1);
  const [client] = spans.clients;
  family(t, spans, by);
  const told = JSON.parse(text);
  t.equal(told.traceparent, `00-${by.traceId}-${client!.spanId}-01`);
  t.equal(told.tracestate, 'vendor=value');
  t.equal(spans.server.name, 'POST app');
  t.match(plain(spans.server.attributes), {
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'http.route': 'app',
    'url.scheme': 'http',
    'url.path': '/upload',
    'url.query': 'token=*',
    'client.address': '127.0.0.1',
    'server.address': '127.0.0.1',
    'server.port': leaseway.port(),
    'network.protocol.version': '1.1',
    'user_agent.original': 'a test/1',
    'leaseway.cluster': 'app',
    'leaseway.backend': 'good',
    'leaseway.lease': 'grant',
  });
  t.match(plain(client!.attributes), {
    'http.request.method': 'POST',
    'http.response.status_code': 200,
    'server.address': '127.0.0.1',
    'server.port': backend.port,
  });
  t.equal(plain(client!.attributes)['http.request.resend_count'], undefined);
  t.not(spans.server.status.code, ERROR);
  t.match(collector.resources[0], { 'service.name': 'edge' });
  const line = await lineOf(by.traceId);
  t.match(line, {
    client: '127.0.0.1',
    method: 'POST',
    path: '/upload',
    query: /token=\*/,
    version: '1.1',
    status: 200,
    bytes_in: body.length,
    bytes_out: Buffer.byteLength(text),
    route: 'app',
    cluster: 'app',
    backend: 'good',
    attempts: [/^good:200:\d+$/],
    lease: 'grant',
    error: '',
    user_agent: 'a test/1',
    trace_id: by.traceId,
  });
  t.ok(line.duration_ms >= line.first_byte_ms && line.first_byte_ms > 0, JSON.stringify(line));
  t.equal(told['x-request-id'], line.request_id, 'the backend knows the request by the same id');
  t.notMatch(JSON.stringify([line, spans]), 'secret');
});

t.test('a retried request shows both attempts', async t => {
  let line: Line | null = null;
  let by = caller();
  let told = '';
  // Every other request begins at the backend that is not there.
  for (let tries = 0; tries < 4 && line?.attempts.length !== 2; tries++) {
    by = caller();
    const { status, text } = await get('/retried', { traceparent: by.traceparent });
    t.equal(status, 200);
    told = JSON.parse(text).traceparent;
    line = await lineOf(by.traceId);
  }
  t.match(line, {
    status: 200,
    backend: 'good',
    attempts: [/^dead:CONNECT_FAILED:\d+$/, /^good:200:\d+$/],
    error: '',
  });
  const spans = await spansOf(by.traceId, 2);
  family(t, spans, by);
  const [first, second] = spans.clients;
  t.not(first!.spanId, second!.spanId);
  t.equal(first!.status.code, ERROR);
  t.match(plain(first!.attributes), { 'error.type': 'CONNECT_FAILED', 'leaseway.backend': 'dead' });
  t.match(plain(second!.attributes), {
    'http.request.resend_count': 1,
    'http.response.status_code': 200,
    'leaseway.backend': 'good',
  });
  t.equal(told, `00-${by.traceId}-${second!.spanId}-01`);
  t.not(spans.server.status.code, ERROR, 'all went well in the end');
  t.equal(plain(spans.server.attributes)['leaseway.attempts'], 2);
});

t.test('failures: the backend’s own, and the proxy’s', async t => {
  for (const [path, status, attemptFails, serverFails] of [
    ['/status/404', 404, true, false],
    ['/status/500', 500, true, true],
    ['/broken', 502, true, true],
  ] as const) {
    const by = caller();
    t.equal((await get(path, { traceparent: by.traceparent })).status, status);
    const spans = await spansOf(by.traceId, 1);
    family(t, spans, by);
    t.equal(spans.clients[0]!.status.code === ERROR, attemptFails, `${path}: client span`);
    t.equal(spans.server.status.code === ERROR, serverFails, `${path}: server span`);
    const line = await lineOf(by.traceId);
    t.match(line, { status, error: path === '/broken' ? 'CONNECT_FAILED' : '' });
  }
});

t.test('a client that leaves in mid-answer is no error of the server', async t => {
  const by = caller();
  const request = http.get(`${leaseway.url()}/hang`, {
    headers: { traceparent: by.traceparent },
    agent: false,
  });
  request.on('error', () => {});
  const [response] = await once(request, 'response');
  await once(response, 'data');
  request.destroy();
  t.match(await lineOf(by.traceId), { status: 200, error: 'CLIENT_GONE', bytes_out: 5, backend: 'good' });
  const spans = await spansOf(by.traceId, 1);
  family(t, spans, by);
  t.not(spans.server.status.code, ERROR);
});

t.test('gRPC over HTTP/2', async t => {
  const client = talkClient(`127.0.0.1:${leaseway.port()}`);
  t.teardown(() => client.close());
  const by = caller();
  await say(client, { text: 'hello' }, metadata({ traceparent: by.traceparent, 'x-call': 'traced' }));
  const spans = await spansOf(by.traceId, 1);
  family(t, spans, by);
  t.equal(spans.server.name, 'POST talk');
  t.same(talk.calls.get('traced')!.metadata.get('traceparent'), [
    `00-${by.traceId}-${spans.clients[0]!.spanId}-01`,
  ]);
  t.match(await lineOf(by.traceId), {
    method: 'POST',
    path: '/leaseway.test.Talk/Say',
    version: '2',
    status: 200,
    backend: 'talk',
    attempts: [/^talk:200:\d+$/],
  });
});

t.test('a WebSocket is one line and one trace, when it ends', async t => {
  const by = caller();
  const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/socket`, {
    headers: { traceparent: by.traceparent },
  });
  await once(socket, 'open');
  socket.send(Buffer.alloc(50_000));
  await once(socket, 'message');
  t.notOk(
    collector.spans.some(({ traceId }) => traceId === by.traceId),
    'not before',
  );
  socket.close();
  const line = await lineOf(by.traceId);
  t.match(line, { method: 'GET', path: '/socket', status: 101, error: '', attempts: [/^good:101:\d+$/] });
  t.ok(line.bytes_in >= 50_000 && line.bytes_out >= 50_000, `${line.bytes_in} in, ${line.bytes_out} out`);
  const spans = await spansOf(by.traceId, 1);
  t.equal(spans.server.parentSpanId, by.spanId);
  t.equal(spans.clients[0]!.parentSpanId, spans.server.spanId);
  t.equal(plain(spans.server.attributes)['http.response.status_code'], 101);
});

t.test('unsampled: the context reaches the backend, nothing reaches the collector', async t => {
  const by = caller('00');
  const { text } = await get('/', { traceparent: by.traceparent, tracestate: 'vendor=value' });
  t.match(JSON.parse(text), { traceparent: by.traceparent, tracestate: 'vendor=value' });
  const rootless = JSON.parse((await get('/', {})).text).traceparent;
  t.match(rootless, /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[02]$/);
  const own = rootless.split('-')[1];
  await lineOf(by.traceId);
  await lineOf(own);
  // One that is recorded and comes later shows that those before would have come.
  const later = caller();
  await get('/', { traceparent: later.traceparent });
  await spansOf(later.traceId, 1);
  t.same(
    collector.spans.filter(({ traceId }) => traceId === own || traceId === by.traceId),
    [],
  );
});

t.test('a request that was refused before it became one has a line, too', async t => {
  const agent = `broken-${randomBytes(4).toString('hex')}`;
  const socket = connect(leaseway.port(), '127.0.0.1', () =>
    socket.write(`GET /${agent} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`),
  );
  socket.resume();
  await once(socket, 'close');
  const line = await leaseway.until(() =>
    readFileSync(join(leaseway.folder, 'access.log'), 'utf8')
      .split('\n')
      .find(line => line.includes('Host')),
  );
  t.match(JSON.parse(line), { status: 400, error: 'BAD_REQUEST', attempts: [], backend: '' });
});

t.test('after a reload that keeps every trace, one that begins here is recorded', async t => {
  leaseway.rewrite(options('100%'));
  t.equal((await leaseway.reload()).status, 200);
  const told = await leaseway.until(async () => {
    const { traceparent } = JSON.parse((await get('/', {})).text);
    return traceparent.endsWith('-03') && traceparent;
  });
  const [, traceId, spanId] = told.split('-');
  const { server, clients } = await spansOf(traceId, 1);
  t.notOk(server.parentSpanId, 'it has no parent');
  t.equal(clients[0]!.spanId, spanId);
});
