// Overload of a backend that can do only so much: the limit is found, what is served is in time, who matters is served first.

import http from 'node:http';
import http2 from 'node:http2';
import t from 'tap';
import { type AnyResponse, goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { producedHere } from './codes.ts';
import { type Caller, Stage } from './stage.ts';

const PLACES = 8;
const SERVICE_MS = 40;
const CAPACITY = (PLACES * 1000) / SERVICE_MS;
/** When the clients of these tests have lost interest. */
const IN_TIME_MS = 400;
const LIMIT = 4;

/** Serves so many at once, in order of arrival, as a server with a pool of threads does; `hold` paths until they are let go. */
class Pooled {
  most = 0;
  present = 0;
  readonly held = new Map<string, AnyResponse>();
  readonly #waiting = new Set<AnyResponse>();
  #running = 0;

  serve(path: string, response: AnyResponse): void {
    this.present += 1;
    this.most = Math.max(this.most, this.present);
    response.on('close', () => {
      this.present -= 1;
      this.held.delete(path);
      this.#waiting.delete(response);
    });
    if (path.includes('/hold')) this.held.set(path, response);
    else {
      this.#waiting.add(response);
      this.#next();
    }
  }

  #next(): void {
    const first = this.#waiting.values().next().value;
    if (first === undefined || this.#running >= PLACES) return;
    this.#waiting.delete(first);
    this.#running += 1;
    setTimeout(() => {
      this.#running -= 1;
      first.end('ok');
      this.#next();
    }, SERVICE_MS);
  }
}

const pools = {
  auto: new Pooled(),
  known: new Pooled(),
  open: new Pooled(),
  ranked: new Pooled(),
  app: new Pooled(),
};
const serving = (pool: Pooled) =>
  goodBackend({ protocol: 'http1', secure: false }, (request, response) =>
    pool.serve(request.url!, response),
  );
const backends = {
  auto: await serving(pools.auto),
  known: await serving(pools.known),
  open: await serving(pools.open),
  ranked: await serving(pools.ranked),
  app: await serving(pools.app),
};
const to = (id: keyof typeof backends) => ({ backends: [{ id, url: backends[id].url }] });

const MOST = 40;
const stage = await Stage.open({
  hooked: true,
  clusters: {
    auto: { ...to('auto'), limits: { concurrency: { adaptive: { max: MOST } }, queue: 64 } },
    known: { ...to('known'), limits: { concurrency: PLACES * 1.5, queue: 64 } },
    open: to('open'),
    ranked: { ...to('ranked'), limits: { concurrency: PLACES, queue: 64 } },
    shed: { ...to('app'), limits: { concurrency: 1 }, overload: { on_none: 'shed' } },
    app: { ...to('app'), limits: { concurrency: LIMIT, queue: 32, queue_timeout: '10s' } },
  },
  routes: [
    { match: { path: '/auto' }, cluster: 'auto' },
    { match: { path: '/known' }, cluster: 'known' },
    { match: { path: '/open' }, cluster: 'open' },
    { match: { path: '/ranked/high' }, cluster: 'ranked', priority: 'high' },
    { match: { path: '/ranked' }, cluster: 'ranked', priority: 'low' },
    { match: { path: '/shed' }, cluster: 'shed' },
    { match: { path: '/rated' }, cluster: 'app', rate_limit: { rate: 0.001, burst: 3, by: 'route' } },
    { cluster: 'app' },
  ],
});
stage.keep(...Object.values(backends));
t.teardown(() => stage[Symbol.asyncDispose]());

interface Answer {
  readonly status: number;
  readonly ms: number;
  readonly retryAfter: number;
}

/** So many a second, whether or not earlier ones were answered. */
async function offer(path: string, perSecond: number, seconds: number): Promise<Answer[]> {
  const agent = new http.Agent({ keepAlive: true });
  const open: Promise<Answer>[] = [];
  const begunMs = performance.now();
  await new Promise<void>(resolve => {
    const timer = setInterval(() => {
      const passed = (performance.now() - begunMs) / 1000;
      while (open.length < Math.min(passed, seconds) * perSecond) open.push(ask(agent, path));
      if (passed < seconds) return;
      clearInterval(timer);
      resolve();
    }, 5);
  });
  const answers = await Promise.all(open);
  agent.destroy();
  return answers;
}

function ask(agent: http.Agent, path: string): Promise<Answer> {
  const begunMs = performance.now();
  return new Promise(resolve => {
    const answered = (status: number, retryAfter: number): void =>
      resolve({ status, retryAfter, ms: performance.now() - begunMs });
    http
      .get({ port: stage.port, host: '127.0.0.1', path, agent }, response => {
        response.resume();
        response.on('close', () =>
          answered(response.statusCode!, Number(response.headers['retry-after'] ?? 0)),
        );
      })
      .on('error', () => answered(0, 0));
  });
}

const good = (answers: readonly Answer[]): number =>
  answers.filter(({ status, ms }) => status === 200 && ms <= IN_TIME_MS).length;
const limitOf = async (id: string): Promise<number> => (await stage.backend(id, id)).limit;

async function send(path: string): Promise<Caller> {
  const caller = await stage.connect();
  caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  return caller;
}

t.test('at twice the capacity, with a limit found by latency, nearly all of the work is in time', async t => {
  const SECONDS = 4;
  // What it is like without a queue is learnt before, as in life.
  await offer('/auto', CAPACITY * 0.7, 2);
  const limits: number[] = [];
  const looking = setInterval(() => void limitOf('auto').then(limit => limits.push(limit)), 100);
  const limited = await offer('/auto', CAPACITY * 2, SECONDS);
  clearInterval(looking);
  // A probe halves it for a moment.
  const limit = limits.slice(limits.length / 2).sort((a, b) => a - b)[Math.floor(limits.length / 4)]!;
  const known = await offer('/known', CAPACITY * 2, SECONDS);
  const unlimited = await offer('/open', CAPACITY * 2, SECONDS);
  const [share, best, without] = [limited, known, unlimited].map(
    answers => good(answers) / SECONDS / CAPACITY,
  );
  t.comment(
    `in time, of a capacity of ${CAPACITY}/s: ${share!.toFixed(2)}; ${best!.toFixed(2)} with the best limit known, ${without!.toFixed(2)} without; limits ${limits}`,
  );
  // What a busy machine takes away it takes from the one whose limit is known too.
  t.ok(share! >= best! * 0.7, `${share} of ${best}`);
  t.ok(share! >= without! * 1.5, 'a limit is what makes it so');
  t.ok(limit >= PLACES / 2 && limit <= PLACES * 4, `found ${limit} for a pool of ${PLACES}`);
  t.ok(pools.auto.most <= MOST, `over both workers never more than the ceiling: ${pools.auto.most}`);
  const refused = limited.filter(({ status }) => status !== 200);
  t.same(new Set(refused.map(({ status }) => status)), new Set([503]));
  t.ok(refused.every(({ retryAfter }) => retryAfter >= 1 && retryAfter <= 60));
  t.ok(new Set(refused.map(({ retryAfter }) => retryAfter)).size > 1, 'not all are told the same time');
  const late = await stage.line(({ cluster, error }) => cluster === 'auto' && error === 'OVERLOADED');
  t.match(late, { status: 503, attempts: [], detail: /waited longer than the target/ });
  t.ok(late.queued_ms >= 20 && late.queued_ms < 1000, `${late.queued_ms} ms`);
  await stage.quiet('auto', 'known', 'open');
  stage.steady.unharmed(t);
});

t.test('in overload high priority is served, low is refused, and neither altogether', async t => {
  const SECONDS = 3;
  const [high, low] = await Promise.all([
    offer('/ranked/high', CAPACITY * 0.7, SECONDS),
    offer('/ranked/low', CAPACITY * 1.3, SECONDS),
  ]);
  const [served, servedLow] = [good(high) / high.length, good(low) / low.length];
  t.comment(`in time: high ${served.toFixed(2)}, low ${servedLow.toFixed(2)}`);
  // By itself over 0.9; a busy machine serves less of both.
  t.ok(served >= 0.6, `high ${served}`);
  t.ok(servedLow <= served - 0.3, `low ${servedLow}`);
  t.ok(servedLow > 0.02, 'low does not starve');
  t.equal(pools.ranked.most, PLACES, 'the limit is one for both workers');
  const { text } = await stage.leaseway.admin('/metrics');
  t.match(text, /leaseway_shed_total\{reason="(late|displaced|full)",priority="low"\} [1-9]/);
  t.match(text, /leaseway_queue_wait_seconds_count\{priority="high"\} [1-9]/);
  t.match(
    text,
    new RegExp(`leaseway_backend_concurrency_limit\\{cluster="ranked",backend="ranked"\\} ${PLACES}`),
  );
  await stage.quiet('ranked');
});

t.test('a cluster that does not queue refuses at once, in the words of each protocol', async t => {
  const held = await send('/shed/hold/0');
  await until('it is there', () => pools.app.held.has('/shed/hold/0'));
  t.match(
    await (await send('/shed/more')).whole(),
    /^HTTP\/1.1 503 [\s\S]*Retry-After: [12]\r\n[\s\S]*OVERLOADED/,
  );
  const session = http2.connect(stage.leaseway.url());
  const call = session.request({
    ':method': 'POST',
    ':path': '/shed/Call',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const headers = await new Promise<http2.IncomingHttpHeaders>(resolve => {
    call.on('response', resolve);
    call.end();
  });
  t.match(headers, { 'grpc-status': '14', 'grpc-retry-pushback-ms': /^[12]000$/ });
  session.destroy();
  pools.app.held.get('/shed/hold/0')!.end('ok');
  t.equal(statusOf(await held.whole()), 200);
});

t.test('a rate of the route is one for all clients', async t => {
  const statuses: number[] = [];
  for (let i = 0; i < 5; i++) statuses.push(statusOf(await (await send('/rated')).whole())!);
  t.same(statuses, [200, 200, 200, 429, 429], 'each from an address of its own');
});

t.test('a worker that dies with places and waiters gives its places to those of the other', async t => {
  const rows = async (): Promise<number[]> =>
    (await stage.status()).workers.map(({ counters }) => counters.requestsActive!);
  const held: Caller[] = [];
  // The kernel deals connections: until each worker holds a place and has somebody waiting.
  const pathOf = (i: number): string => (i < LIMIT ? `/death/hold/${i}` : `/death/wait/${i}`);
  for (let i = 0; i < LIMIT; i++) held.push(await send(pathOf(i)));
  await until('the backend is full', () => pools.app.held.size === LIMIT);
  const busy = await rows();
  const waiting: Caller[] = [];
  while ((await rows()).some((count, row) => count <= busy[row]!))
    waiting.push(await send(pathOf(LIMIT + waiting.length)));
  const victim = busy.indexOf(Math.max(...busy));
  stage.leaseway.hook(`worker-${victim}`, 'exit');
  await stage.leaseway.until(() => stage.leaseway.log.some(line => line.includes('a worker died')));
  const texts = await Promise.all(waiting.map(caller => caller.whole().catch(() => '')));
  const served = texts.filter(text => statusOf(text) === 200).length;
  t.ok(served > 0, `${served} of ${waiting.length} waiters were served with the places of the dead`);
  t.ok(
    texts.every(text => text === '' || statusOf(text) === 200),
    'the others went with their worker',
  );
  for (const response of pools.app.held.values()) response.end('ok');
  await Promise.all(held.map(caller => caller.whole().catch(() => '')));
  await stage.quiet('app');
  const again = await offer('/again', 50, 1);
  t.ok(again.filter(({ status }) => status === 200).length >= 40, 'every place can be taken');
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
