// Load reports that come with answers (SPEC P8): asked for, counted, kept from clients, and harmless when they are nonsense.

import t, { type Test } from 'tap';
import { type Backend, goodBackend, streamBackend } from '../../support/backends.ts';
import { http1Client } from '../../support/http1-client.ts';
import { http2Client } from '../../support/http2-client.ts';
import { Leaseway } from '../../support/leaseway.ts';
import { parsePrometheus } from '../../support/prometheus.ts';

const FORMAT = 'endpoint-load-metrics-format';
const REPORT = 'endpoint-load-metrics';

/** Of the last request; the path says what the answer brings. */
let asked: string | undefined;
const backends: Backend[] = [];

const http1 = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  asked = request.headers[FORMAT] as string | undefined;
  const report = decodeURIComponent(new URL(request.url, 'http://x').searchParams.get('report') ?? '');
  if (request.url.includes('trailer')) {
    response.writeHead(200, { trailer: REPORT });
    response.write('body');
    response.addTrailers({ [REPORT]: report, 'x-other': 'stays' });
    response.end();
  } else {
    response.setHeader(REPORT, report);
    response.end('body');
  }
});
const h2 = await streamBackend(false, (stream, headers) => {
  asked = headers[FORMAT] as string | undefined;
  const url = new URL(headers[':path'] as string, 'http://x');
  const report = url.searchParams.get('report') ?? '';
  if (url.pathname.includes('trailer')) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ [REPORT]: report, 'grpc-status': '0' }));
    stream.end('body');
  } else {
    stream.respond({ ':status': 200, [REPORT]: report });
    stream.end('body');
  }
});
backends.push(http1, h2);

const cluster = (backend: Backend, signals: unknown, rest: object = {}) => ({
  backends: [{ id: 'one', url: backend.url }],
  signals,
  ...rest,
});
const clusters = {
  plain: cluster(http1, []),
  http1: cluster(http1, ['orca']),
  h2: cluster(h2, [{ orca: { format: 'JSON' } }], { protocol: 'h2' }),
  open: cluster(http1, [{ orca: { format: 'off', pass_on: true } }]),
};
const leaseway = await Leaseway.start({
  config: {
    routes: Object.keys(clusters).map(name => ({ name, match: { path: `/${name}` }, cluster: name })),
  },
  clusters,
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  for (const backend of backends) await backend.close();
});
const clients = { http1: http1Client(leaseway.port()), h2: await http2Client(leaseway.port()) };
t.teardown(() => {
  for (const client of Object.values(clients)) client.close();
});

const has = (fields: readonly string[], name: string): boolean =>
  fields.some((field, i) => i % 2 === 0 && field.toLowerCase() === name);

async function counts(name: string): Promise<readonly [reports: number, refused: number]> {
  const families = parsePrometheus((await leaseway.admin('/metrics')).text);
  const of = (family: string): number =>
    families.get(family)!.samples.find(({ labels }) => labels.cluster === name)?.value ?? 0;
  return [of('leaseway_backend_load_reports_total'), of('leaseway_signal_values_refused_total')];
}

/** Asks once, and says what the report came to and what the client saw of it. */
async function ask(
  t: Test,
  name: string,
  how: 'header' | 'trailer',
  report: string,
  client: keyof typeof clients = 'http1',
  fields: string[] = [],
) {
  const before = await counts(name);
  const path = `/${name}/${how}?report=${encodeURIComponent(report)}`;
  const te = how === 'trailer' ? ['te', 'trailers'] : [];
  const answer = await clients[client].request({ path, fields: [...fields, ...te] });
  t.equal(answer.status, 200);
  t.equal(answer.body.toString(), 'body');
  t.ok(answer.complete);
  const after = await counts(name);
  return {
    reports: after[0] - before[0],
    refused: after[1] - before[1],
    client: has(answer.fields, REPORT) || has(answer.trailers, REPORT),
    trailers: answer.trailers,
  };
}

for (const name of ['http1', 'h2'] as const)
  for (const how of ['header', 'trailer'] as const)
    for (const client of ['http1', 'h2'] as const)
      t.test(`${name} backend, ${how}, ${client} client: heard, and not passed on`, async t => {
        const report = name === 'h2' ? 'JSON {"cpu_utilization":0.5}' : 'TEXT cpu_utilization=0.5';
        t.match(await ask(t, name, how, report, client), { reports: 1, refused: 0, client: false });
        t.equal(asked, name === 'h2' ? 'JSON' : 'TEXT', 'and asked for');
      });

t.test('the other trailers stay', async t => {
  const { trailers } = await ask(t, 'http1', 'trailer', 'TEXT eps=1', 'h2');
  t.same(trailers, ['x-other', 'stays']);
});

t.test('nonsense is counted, and the answer is what it is', async t => {
  for (const report of [
    'TEXT cpu_utilization=NaN',
    'JSON {',
    'TEXT cpu_utilization=-1',
    'utter nonsense',
    '',
  ])
    for (const how of ['header', 'trailer'] as const)
      t.match(await ask(t, 'http1', how, report), { reports: 1, refused: 1, client: false }, report);
  t.match(await ask(t, 'http1', 'header', `TEXT ${'x=1,'.repeat(1_000)}eps=1`), {
    reports: 1,
    refused: 1_000,
  });
});

t.test('a client cannot say in which form the backend reports', async t => {
  await ask(t, 'http1', 'header', 'TEXT eps=1', 'http1', [FORMAT, 'JSON']);
  t.equal(asked, 'TEXT');
});

t.test('passed on where the operator wants it, and not asked for', async t => {
  t.match(await ask(t, 'open', 'header', 'TEXT cpu_utilization=0.5'), { reports: 1, client: true });
  t.equal(asked, undefined);
  t.match(await ask(t, 'open', 'trailer', 'TEXT cpu_utilization=0.5', 'h2'), { reports: 1, client: true });
});

t.test('a cluster that does not use them leaves everything as it is', async t => {
  const result = await ask(t, 'plain', 'header', 'TEXT cpu_utilization=0.5', 'http1', [FORMAT, 'JSON']);
  t.match(result, { reports: 0, refused: 0, client: true });
  t.equal(asked, 'JSON', 'the client’s wish goes on like any field');
});
