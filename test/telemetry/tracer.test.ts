import t from 'tap';
import { IdSource } from '../../lib/core/ids.ts';
import type { SpanRecord } from '../../lib/orders/messages.ts';
import { SamplingTracer, type TracerSettings } from '../../lib/telemetry/tracer.ts';
import { attemptRecord, requestRecord } from '../support/records.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

function setUp(settings: Partial<TracerSettings> = {}) {
  const spans: SpanRecord[] = [];
  const tracer = new SamplingTracer(new IdSource(), span => spans.push(span), {
    recording: true,
    sample: 1,
    ...settings,
  });
  return { spans, tracer };
}
const value = (fields: readonly string[], name: string) => {
  const at = fields.findIndex((field, i) => i % 2 === 0 && field.toLowerCase() === name);
  return at === -1 ? undefined : fields[at + 1];
};

t.test('a sampled request leaves a server span and a client span per attempt, rightly nested', async t => {
  const { spans, tracer } = setUp();
  const fields = ['TraceParent', `00-${TRACE}-${PARENT}-01`, 'tracestate', 'congo=1'];
  const context = tracer.begin(fields);
  t.ok(context.sampled);
  t.equal(context.traceId, TRACE);

  const first = context.inject(fields);
  t.equal(value(fields, 'traceparent'), `00-${TRACE}-${first}-01`);
  t.equal(value(fields, 'tracestate'), 'congo=1');
  t.equal(fields.filter(field => field.toLowerCase() === 'traceparent').length, 1);
  context.attemptEnded(attemptRecord({ spanId: first, status: 0, error: 'CONNECT_FAILED' }));
  const second = context.inject(fields);
  t.not(second, first);
  context.attemptEnded(attemptRecord({ spanId: second, number: 2, backend: 'web-2' }));
  t.equal(spans.length, 0, 'nothing before the request is over');
  context.requestEnded(requestRecord({ attempts: ['a', 'b'] }));
  context.requestEnded(requestRecord());

  t.equal(spans.length, 3);
  const [one, two, server] = spans;
  t.match(server, {
    kind: 'server',
    name: 'GET items',
    traceId: TRACE,
    spanId: context.spanId,
    parentSpanId: PARENT,
    traceState: 'congo=1',
    startMs: 1_700_000_000_000.25,
    endMs: 1_700_000_000_012.75,
    error: false,
  });
  t.strictSame(server!.attributes, {
    'http.request.method': 'GET',
    'url.scheme': 'https',
    'url.path': '/items/7',
    'url.query': 'token=*&page=*',
    'server.address': 'example.org',
    'server.port': 443,
    'client.address': '192.0.2.10',
    'network.peer.address': '198.51.100.4',
    'network.peer.port': 51_234,
    'network.protocol.version': '1.1',
    'user_agent.original': 'test/1.0',
    'http.route': 'items',
    'http.response.status_code': 200,
    'leaseway.listener': ':8443',
    'leaseway.cluster': 'web',
    'leaseway.backend': 'web-1',
    'leaseway.lease': 'keep',
    'leaseway.request_id': 'request-1',
    'leaseway.attempts': 2,
  });
  t.match(one, { kind: 'client', name: 'GET', spanId: first, parentSpanId: context.spanId, error: true });
  t.strictSame(one!.attributes, {
    'http.request.method': 'GET',
    'url.full': 'http://10.0.0.1:9001/v2/items/7?token=*',
    'server.address': '10.0.0.1',
    'server.port': 9001,
    'network.peer.address': '10.0.0.1',
    'network.peer.port': 9001,
    'network.protocol.version': '1.1',
    'error.type': 'CONNECT_FAILED',
    'leaseway.cluster': 'web',
    'leaseway.backend': 'web-1',
  });
  t.match(two, { spanId: second, parentSpanId: context.spanId, error: false });
  t.match(two!.attributes, { 'http.request.resend_count': 1, 'http.response.status_code': 200 });
});

t.test('an attempt that ends after its request still leaves its span', async t => {
  const { spans, tracer } = setUp();
  const context = tracer.begin([]);
  context.requestEnded(requestRecord());
  context.attemptEnded(attemptRecord({ spanId: context.inject([]) }));
  t.same(
    spans.map(span => span.kind),
    ['server', 'client'],
  );
});

t.test('an unsampled context is passed on untouched and records nothing', async t => {
  for (const settings of [{}, { sample: 1, recording: false }]) {
    const { spans, tracer } = setUp(settings);
    const flags = settings.recording === false ? '03' : '00';
    const fields = ['traceparent', `00-${TRACE}-${PARENT}-${flags}`, 'tracestate', 'a=1'];
    const context = tracer.begin(fields);
    t.notOk(context.sampled);
    t.equal(context.inject(fields), PARENT);
    t.equal(value(fields, 'traceparent'), `00-${TRACE}-${PARENT}-${flags}`, 'the caller’s decision stays');
    t.equal(value(fields, 'tracestate'), 'a=1');
    context.attemptEnded(attemptRecord());
    context.requestEnded(requestRecord());
    t.equal(spans.length, 0);
  }
});

t.test('a root has a context too when it is not sampled, marked random', async t => {
  const { tracer } = setUp({ sample: 0 });
  const fields = ['traceparent', 'garbage', 'tracestate', 'left=over'];
  const context = tracer.begin(fields);
  t.notOk(context.sampled);
  t.match(context.traceId, /^[0-9a-f]{32}$/);
  context.inject(fields);
  t.equal(value(fields, 'traceparent'), `00-${context.traceId}-${context.spanId}-02`);
  t.equal(value(fields, 'tracestate'), undefined, 'which belonged to no trace');
});

t.test('roots are sampled by the ratio of their trace ids', async t => {
  const { tracer } = setUp({ sample: 0.1 });
  let sampled = 0;
  for (let i = 0; i < 10_000; i += 1) if (tracer.begin([]).sampled) sampled += 1;
  t.ok(sampled > 850 && sampled < 1150, String(sampled));
  tracer.configure({ recording: true, sample: 0 });
  t.notOk(Array.from({ length: 1_000 }, () => tracer.begin([]).sampled).includes(true));
  tracer.configure({ recording: true, sample: 1 });
  t.notOk(Array.from({ length: 1_000 }, () => tracer.begin([]).sampled).includes(false));
});

t.test('a sampled root says that its id is random', async t => {
  const fields: string[] = [];
  setUp().tracer.begin([]).inject(fields);
  t.match(fields[1], /-03$/);
});

t.test('errors are those of the conventions', async t => {
  const { spans, tracer } = setUp();
  const of = (changes: Parameters<typeof requestRecord>[0]) => {
    tracer.begin([]).requestEnded(requestRecord(changes));
    const { error, attributes } = spans.pop()!;
    return [error, attributes['error.type'], attributes['leaseway.error']];
  };
  t.same(of({ status: 404, error: 'NO_ROUTE' }), [false, undefined, 'NO_ROUTE'], 'a client’s mistake');
  t.same(of({ status: 499, error: 'CLIENT_GONE' }), [false, undefined, 'CLIENT_GONE']);
  t.same(of({ status: 200, error: 'CLIENT_GONE' }), [false, undefined, 'CLIENT_GONE']);
  t.same(of({ status: 200, error: 'ANSWER_CUT' }), [true, 'ANSWER_CUT', 'ANSWER_CUT']);
  t.same(of({ status: 500 }), [true, '500', undefined], 'the backend’s own');
  t.same(of({ status: 504, error: 'HEAD_TIMEOUT' }), [true, 'HEAD_TIMEOUT', 'HEAD_TIMEOUT']);

  const context = tracer.begin([]);
  context.attemptEnded(attemptRecord({ status: 404 }));
  context.requestEnded(requestRecord({ status: 404 }));
  t.match(spans[0], { error: true, attributes: { 'error.type': '404' } }, 'a client span fails from 400');
});

t.test('a client cannot invent span names, nor make spans large', async t => {
  const { spans, tracer } = setUp();
  const context = tracer.begin([]);
  context.attemptEnded(attemptRecord());
  context.requestEnded(
    requestRecord({ method: 'BREW', path: `/${'p'.repeat(9_000)}`, userAgent: 'u'.repeat(9_000), route: '' }),
  );
  const [client, server] = spans;
  t.equal(client!.name, 'HTTP');
  t.equal(server!.name, 'HTTP');
  t.match(server!.attributes, { 'http.request.method': '_OTHER', 'http.request.method_original': 'BREW' });
  t.ok(JSON.stringify(server).length < 4_000);
});

t.test('server.address and port come from the authority', async t => {
  const { spans, tracer } = setUp();
  const of = (authority: string, scheme = 'http') => {
    tracer.begin([]).requestEnded(requestRecord({ authority, scheme }));
    const { attributes } = spans.pop()!;
    return [attributes['server.address'], attributes['server.port']];
  };
  t.same(of('a.example:8080'), ['a.example', 8080]);
  t.same(of('a.example'), ['a.example', 80]);
  t.same(of('[::1]:8443', 'https'), ['::1', 8443]);
  t.same(of(''), [undefined, undefined]);
});
