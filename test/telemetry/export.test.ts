import t from 'tap';
import type { TelemetryConfig } from '../../lib/config/proxy.ts';
import { systemClock } from '../../lib/core/clock.ts';
import { IdSource } from '../../lib/core/ids.ts';
import type { Log, LogFields } from '../../lib/core/log.ts';
import type { SpanRecord } from '../../lib/orders/messages.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { BackendState, NO_FORECAST, Outcome, PLAIN_LEASES } from '../../lib/scoreboard/ports.ts';
import { type ExporterOptions, silentExporter, startExporter } from '../../lib/telemetry/exporter.ts';
import { SamplingTracer } from '../../lib/telemetry/tracer.ts';
import { OtlpReceiver, plain } from '../support/otlp-receiver.ts';
import { attemptRecord, requestRecord } from '../support/records.ts';

const said: { level: string; message: string; fields: LogFields }[] = [];
const at =
  (level: string) =>
  (message: string, fields: LogFields = {}) =>
    void said.push({ level, message, fields });
const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
t.beforeEach(() => void said.splice(0));

function scoreboard() {
  const board = createScoreboard({ workers: 2, slots: 4, routes: 4, tokenBuckets: 64, clientCells: 64 });
  const workers = [0, 1].map(row => attachWorker(board, row, systemClock).ledger);
  const control = attachControl(board, systemClock);
  const source: ExporterOptions['source'] = {
    board: control,
    routes: () => new Map([['items', 0]]),
    backends: () => [{ cluster: 'web', id: 'web-1', url: 'http://10.0.0.1:9001', slot: 2 }],
    signals: (cluster, backend) =>
      cluster === 'web' && backend === 'web-1'
        ? {
            signals: [{ signal: 'cpu', value: 0.4, ageMs: 1_500, source: 'orca' }],
            sources: [{ source: 'orca', name: '', ok: true, failures: 2, refused: 3 }],
          }
        : { signals: [], sources: [] },
    forecasts: () => [
      {
        cluster: 'web',
        backends: [{ id: 'web-1', load: 0.25, predicted: null }],
        outlook: {
          horizons: [{ horizonMs: 300_000, p50: 0.4, p90: Number.NaN, quality: { mase: 0.9 } }],
        },
        quality: [
          {
            ...{ horizonMs: 5_000, mase: 0.75, pinballP50: 0.1, pinballP90: 0.05 },
            ...{ precision: Number.NaN, recall: Number.NaN },
          },
        ],
      },
    ],
    workerRows: () => [0, 1],
  };
  return { workers, control, source };
}

const options = (endpoint: string, changes: Partial<ExporterOptions> = {}): ExporterOptions => ({
  config: {
    service_name: 'edge',
    otlp: { endpoint, headers: { 'X-Api-Key': 'k' }, interval: 100 },
    sample: 1,
  } satisfies TelemetryConfig,
  source: scoreboard().source,
  clock: systemClock,
  log,
  version: '9.9.9',
  startMs: 1_700_000_000_000,
  protocol: 'http/json',
  exportTimeoutMs: 1_500,
  ...changes,
});

function spans(count: number): SpanRecord[] {
  const all: SpanRecord[] = [];
  const tracer = new SamplingTracer(new IdSource(), span => all.push(span), { recording: true, sample: 1 });
  for (let i = 0; i < count; i += 1) tracer.begin([]).requestEnded(requestRecord());
  return all;
}

t.test('traces arrive with the ids, parents, times and attributes the worker gave them', async t => {
  await using receiver = await OtlpReceiver.listen();
  await using exporter = await startExporter(options(`${receiver.endpoint}/`));
  const records: SpanRecord[] = [];
  const tracer = new SamplingTracer(new IdSource(), span => records.push(span), {
    recording: true,
    sample: 0,
  });
  const context = tracer.begin([
    'traceparent',
    '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'tracestate',
    'congo=1',
  ]);
  const attempt = context.inject([]);
  context.attemptEnded(attemptRecord({ spanId: attempt }));
  context.requestEnded(requestRecord({ status: 503, error: 'NO_BACKEND' }));
  exporter.spans(records);
  await receiver.until(({ spans }) => spans.length === 2);

  const [client, server] = receiver.spans;
  t.match(server, {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: context.spanId,
    parentSpanId: 'b7ad6b7169203331',
    traceState: 'congo=1',
    name: 'GET items',
    kind: 2,
    startTimeUnixNano: '1700000000000250000',
    endTimeUnixNano: '1700000000012750000',
    status: { code: 2 },
  });
  t.match(client, {
    traceId: server!.traceId,
    spanId: attempt,
    parentSpanId: server!.spanId,
    kind: 3,
    name: 'GET',
  });
  t.match(plain(server!.attributes), {
    'http.request.method': 'GET',
    'http.response.status_code': 503,
    'error.type': 'NO_BACKEND',
    'leaseway.cluster': 'web',
  });
  t.match(receiver.resources[0], { 'service.name': 'edge', 'service.version': '9.9.9' });
  t.match(receiver.resources[0]!['service.instance.id'], /^[0-9a-f-]{36}$/);
  t.equal(receiver.posts[0]!.headers['x-api-key'], 'k');
  t.same(said, []);
});

t.test('metrics arrive and are what the workers counted', async t => {
  await using receiver = await OtlpReceiver.listen();
  const { workers, control, source } = scoreboard();
  control.publish(
    new Map([
      [
        2,
        {
          state: BackendState.up,
          milliWeight: 1000,
          concurrency: 0,
          slotGeneration: 1,
          ...NO_FORECAST,
          ...PLAIN_LEASES,
        },
      ],
    ]),
  );
  workers[0]!.request(0, 200, 0.003, 10, 100);
  workers[1]!.request(0, 204, 0.2, 20, 200);
  workers[1]!.request(0, 502, 99, 1, 2);
  for (const worker of workers) {
    worker.begin(2);
    worker.settle(2, Outcome.success, 40);
    worker.add('requestsActive', 3);
    worker.add('retries', 5);
  }
  workers[0]!.begin(2);
  await using _exporter = await startExporter(options(receiver.endpoint, { source }));
  await receiver.until(({ metrics }) => metrics.size > 10);

  const points = (name: string) => {
    const metric = receiver.metrics.get(name)!;
    return (metric.histogram ?? metric.gauge ?? metric.sum)!.dataPoints.map(point => ({
      ...point,
      attributes: plain(point.attributes),
    }));
  };
  const durations = points('http.server.request.duration');
  t.equal(durations.length, 2, 'one stream per status class that occurred');
  t.match(durations[0], {
    attributes: { 'http.route': 'items', 'leaseway.status_class': '2xx' },
    startTimeUnixNano: '1700000000000000000',
    explicitBounds: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
  });
  t.equal(Number(durations[0]!.count), 2);
  t.ok(Math.abs(durations[0]!.sum! - 0.203) < 1e-9);
  t.same(durations[0]!.bucketCounts!.map(Number), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  t.match(durations[1], { attributes: { 'leaseway.status_class': '5xx', 'error.type': '5xx' } });
  t.same(durations[1]!.bucketCounts!.map(Number).at(-1), 1);
  t.equal(receiver.metrics.get('http.server.request.duration')!.unit, 's');
  t.equal(receiver.metrics.get('http.server.request.duration')!.histogram!.aggregationTemporality, 2);

  const values = (name: string) => points(name).map(({ asInt }) => Number(asInt));
  t.same(values('leaseway.server.sent'), [300, 2]);
  t.same(values('leaseway.retries'), [10]);
  t.same(values('leaseway.requests_active'), [6]);
  t.equal(receiver.metrics.get('leaseway.requests_active')!.sum!.isMonotonic, false);
  t.equal(receiver.metrics.get('leaseway.retries')!.sum!.isMonotonic, true);
  t.same(values('leaseway.backend.in_flight'), [1]);
  t.match(points('leaseway.backend.load'), [{ asDouble: 0.25, attributes: { 'leaseway.backend': 'web-1' } }]);
  t.match(points('leaseway.outlook.load'), [
    { asDouble: 0.4, attributes: { 'leaseway.horizon': 300, 'leaseway.quantile': 0.5 } },
  ]);
  t.match(points('leaseway.outlook.mase'), [{ asDouble: 0.9 }]);
  t.match(points('leaseway.forecast.mase'), [{ asDouble: 0.75, attributes: { 'leaseway.horizon': 5 } }]);
  const said = { 'leaseway.cluster': 'web', 'leaseway.backend': 'web-1', 'leaseway.source': 'orca' };
  t.match(points('leaseway.signal.value'), [
    { asDouble: 0.4, attributes: { ...said, 'leaseway.signal': 'cpu' } },
  ]);
  t.match(points('leaseway.signal.age'), [{ asDouble: 1.5 }]);
  t.match(points('leaseway.signal.source_up'), [{ asDouble: 1, attributes: said }]);
  t.same(values('leaseway.signal.failures'), [2]);
  t.same(values('leaseway.signal.values_refused'), [3]);
  for (const unknown of ['leaseway.forecast.recall', 'leaseway.backend.predicted_load'])
    t.equal(receiver.metrics.has(unknown), false, `${unknown} is not known yet`);
  const attempts = points('leaseway.backend.attempts');
  t.match(
    attempts.find(point => point.attributes['leaseway.outcome'] === 'success'),
    {
      attributes: {
        'leaseway.cluster': 'web',
        'leaseway.backend': 'web-1',
        'server.address': '10.0.0.1',
        'server.port': 9001,
      },
    },
  );
  t.equal(
    attempts.reduce((sum, { asInt }) => sum + Number(asInt), 0),
    2,
  );
  t.equal(Number(points('leaseway.backend.latency')[0]!.count), 2);
});

t.test('warnings and errors arrive as logs, the rest stays here', async t => {
  await using receiver = await OtlpReceiver.listen();
  await using exporter = await startExporter(options(receiver.endpoint));
  const timeMs = 1_700_000_000_000;
  exporter.log({ timeMs, level: 'info', message: 'not this', fields: {} });
  exporter.log({
    timeMs,
    level: 'warn',
    message: 'a backend is down',
    fields: { backend: 'web-1', code: 7 },
  });
  exporter.log({ timeMs, level: 'error', message: 'worse', fields: { gone: undefined, none: null } });
  await receiver.until(({ logs }) => logs.length === 2);
  t.match(receiver.logs[0], {
    severityText: 'WARN',
    severityNumber: 13,
    body: { stringValue: 'a backend is down' },
  });
  t.same(plain(receiver.logs[0]!.attributes), { 'leaseway.backend': 'web-1', 'leaseway.code': 7 });
  t.match(receiver.logs[1], { severityText: 'ERROR', severityNumber: 17 });
});

t.test(
  'a collector that is down does no harm, is told of once, and is used again when it is back',
  async t => {
    const gone = await OtlpReceiver.listen();
    const { port, endpoint } = gone;
    await gone[Symbol.asyncDispose]();
    await using exporter = await startExporter(options(endpoint));
    exporter.spans(spans(40_000));
    t.ok(exporter.dropped.traces >= 40_000 - 16_384 - 512, 'what does not fit is dropped at once');

    await using receiver = await OtlpReceiver.listen(port);
    receiver.failure = 400;
    await receiver.until(({ posts }) => posts.filter(({ path }) => path === '/v1/traces').length >= 2);
    receiver.failure = null;
    await receiver.until(({ spans, metrics }) => spans.length > 0 && metrics.size > 0);
    await receiver.until(() => said.filter(({ level }) => level === 'info').length >= 2);
    const counts = new Map<string, number>();
    for (const { level, message, fields } of said) {
      const key = `${level} ${message.slice(0, 23)} ${fields.signal}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    t.equal(counts.get('warn the telemetry collector traces'), 1, JSON.stringify(said));
    t.equal(counts.get('info the telemetry collector traces'), 1);
    t.match(said.find(({ fields }) => fields.signal === 'traces')!.fields.reason, /./);
  },
);

t.test('a collector that never answers delays the end by no more than its deadline', async t => {
  await using receiver = await OtlpReceiver.listen();
  receiver.failure = 'hang';
  const exporter = await startExporter(options(receiver.endpoint, { exportTimeoutMs: 3_000 }));
  exporter.spans(spans(10));
  const before = performance.now();
  await exporter[Symbol.asyncDispose]();
  const took = performance.now() - before;
  t.ok(took > 1_900 && took < 2_900, `${took} ms`);
});

t.test('ending sends what waits', async t => {
  await using receiver = await OtlpReceiver.listen();
  const exporter = await startExporter(options(receiver.endpoint));
  exporter.spans(spans(700));
  exporter.log({ timeMs: 1, level: 'error', message: 'last words', fields: {} });
  await exporter[Symbol.asyncDispose]();
  t.equal(receiver.spans.length, 700);
  t.equal(receiver.logs.length, 1);
  t.ok(receiver.metrics.size > 0);
  t.equal(exporter.dropped.traces, 0);
  exporter.spans(spans(1));
  t.equal(exporter.dropped.traces, 1, 'after the end everything is dropped');
});

t.test('protobuf is spoken by default, to whatever path the endpoint has', async t => {
  await using receiver = await OtlpReceiver.listen();
  const base = options(`${receiver.endpoint}/otlp`);
  const { protocol: _, ...rest } = base;
  const exporter = await startExporter(rest);
  const [span] = spans(1);
  exporter.spans([span!]);
  await exporter[Symbol.asyncDispose]();
  const post = receiver.posts.find(({ path }) => path === '/otlp/v1/traces')!;
  t.equal(post.headers['content-type'], 'application/x-protobuf');
  t.ok(post.body.includes(Buffer.from(span!.traceId, 'hex')));
  t.ok(post.body.includes(Buffer.from(span!.spanId, 'hex')));
});

t.test('without a collector in the configuration nothing is loaded', async t => {
  const { config, ...rest } = options('http://unused.invalid');
  const { otlp: _, ...without } = config;
  t.equal(await startExporter({ ...rest, config: without }), silentExporter);
  silentExporter.spans(spans(1));
  silentExporter.log({ timeMs: 1, level: 'error', message: '', fields: {} });
  await silentExporter[Symbol.asyncDispose]();
  t.same(silentExporter.dropped, { traces: 0, logs: 0 });
});
