// More than the backends can take: the shared limit holds, the line is bounded and fair, goodput stays, retries stay within budget.

import http from 'node:http';
import http2 from 'node:http2';
import t from 'tap';
import { type AnyResponse, goodBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { until } from '../../support/until.ts';
import { producedHere } from './codes.ts';
import { type Caller, Stage } from './stage.ts';

const LIMIT = 4;
const QUEUE = 8;
const QUEUE_MS = 600;
const SERVICE_MS = 20;
const SLACK_MS = 2000;

/** A backend that counts what it has at once; `hold` paths wait to be let go, the others take their time. */
class Counting {
  now = 0;
  most = 0;
  done = 0;
  readonly order: string[] = [];
  readonly held = new Map<string, AnyResponse>();

  serve(path: string, response: AnyResponse): void {
    this.now += 1;
    this.most = Math.max(this.most, this.now);
    this.order.push(path);
    response.on('close', () => {
      this.now -= 1;
      this.held.delete(path);
    });
    if (path.includes('/hold')) this.held.set(path, response);
    else
      setTimeout(() => {
        this.done += 1;
        response.end('ok');
      }, SERVICE_MS);
  }

  letGo(path: string): void {
    this.held.get(path)!.end('ok');
  }

  letAllGo(): void {
    for (const response of this.held.values()) response.end('ok');
  }
}

const counters = { app: new Counting(), one: new Counting(), two: new Counting() };
const serving = (counting: Counting) =>
  goodBackend({ protocol: 'http1', secure: false }, (request, response) =>
    counting.serve(request.url!, response),
  );
const app = await serving(counters.app);
const one = await serving(counters.one);
const two = await serving(counters.two);
let outageAttempts = 0;
const outage = await goodBackend({ protocol: 'http1', secure: false }, (_request, response) => {
  outageAttempts += 1;
  response.socket!.destroy();
});

const limits = { concurrency: LIMIT, queue: QUEUE, queue_timeout: `${QUEUE_MS}ms` };
const RETRY_FLOOR = 3;
const stage = await Stage.open({
  clusters: {
    app: { backends: [{ id: 'app', url: app.url }], limits },
    sticky: {
      backends: [
        { id: 'one', url: one.url },
        { id: 'two', url: two.url },
      ],
      sticky: { by: 'header' },
      balance: { policy: 'round_robin' },
      limits: { concurrency: 1, queue: QUEUE, queue_timeout: '5s' },
    },
    strict: { backends: [{ id: 'strict', url: app.url }], limits: { concurrency: 1, queue: 0 } },
    outage: {
      backends: [
        { id: 'a', url: outage.url },
        { id: 'b', url: outage.url.replace('127.0.0.1', 'localhost') },
      ],
      outlier: { consecutive_failures: 0 },
      timeouts: { keep_alive: '0s' },
      retry: { attempts: 3, min_per_second: RETRY_FLOOR },
    },
  },
  routes: [
    { match: { path: '/sticky' }, cluster: 'sticky' },
    { match: { path: '/strict' }, cluster: 'strict' },
    { match: { path: '/outage' }, cluster: 'outage' },
    { cluster: 'app' },
  ],
});
stage.keep(app, one, two, outage);
t.teardown(() => stage[Symbol.asyncDispose]());

async function send(path: string, more = ''): Promise<Caller> {
  const caller = await stage.connect();
  caller.send(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${more}\r\n`);
  return caller;
}

/** So many requests at the backend, each held there until it is let go. */
async function fill(prefix: string, count = LIMIT, counting = counters.app): Promise<Caller[]> {
  const callers = await Promise.all(Array.from({ length: count }, (_, i) => send(`${prefix}/hold/${i}`)));
  await until('the backend is full', () => counting.now === count);
  return callers;
}

t.test('the limit holds over both workers, whatever comes', async t => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 24 });
  const outcomes: number[] = [];
  await Promise.all(
    Array.from({ length: 24 }, async () => {
      for (let i = 0; i < 20; i++) outcomes.push(await status(agent, '/limit'));
    }),
  );
  agent.destroy();
  t.equal(counters.app.most, LIMIT, 'as many as the limit at once, never one more');
  t.ok(outcomes.includes(200));
  t.same(
    outcomes.filter(one => one !== 200 && one !== 503),
    [],
    'who was not served was told so',
  );
  const perWorker = (await stage.status()).workers.map(({ counters }) => counters.connectionsAccepted!);
  t.ok(
    perWorker.every(count => count > 0),
    `both workers took part: ${perWorker}`,
  );
  await stage.quiet('app');
  stage.steady.unharmed(t);
});

t.test('the line: full at once 503, late in its time 503, both with Retry-After', async t => {
  const held = await fill('/line');
  const waiting: Caller[] = [];
  // Each worker has its half of the line: one half is full when the first is refused, both when all that come are.
  const refused: Caller[] = [];
  const since = performance.now();
  for (let i = 0; i < QUEUE * 3; i++) {
    const caller = await send(`/line/wait/${i}`);
    waiting.push(caller);
  }
  await until('some are refused', () => waiting.some(({ ended }) => ended));
  t.ok(performance.now() - since < QUEUE_MS + SLACK_MS);
  t.ok((await stage.count('queued')) <= QUEUE, 'the line is bounded');
  for (const caller of waiting) {
    await caller.whole();
    if (caller.text.includes('QUEUE_FULL')) refused.push(caller);
  }
  const late = waiting.filter(({ text }) => text.includes('QUEUE_TIMEOUT'));
  t.equal(
    late.length + refused.length,
    waiting.length,
    `${late.length} waited in vain, ${refused.length} found no room`,
  );
  t.ok(refused.length >= QUEUE * 2, 'no more than the line holds waited');
  for (const caller of waiting) {
    t.equal(statusOf(caller.text), 503);
    t.match(caller.text, /\r\nRetry-After: [1-9]\d*\r\n/);
  }
  const lineLate = await stage.lineFrom(late[0]!.address);
  t.match(lineLate, { status: 503, error: 'QUEUE_TIMEOUT', attempts: [] });
  t.ok(
    lineLate.queued_ms >= QUEUE_MS * 0.9 && lineLate.queued_ms < QUEUE_MS + SLACK_MS,
    `${lineLate.queued_ms} ms`,
  );
  const lineFull = await stage.lineFrom(refused[0]!.address);
  t.match(lineFull, { status: 503, error: 'QUEUE_FULL', queued_ms: 0 });
  t.ok(lineFull.duration_ms < QUEUE_MS / 2, 'told at once');
  counters.app.letAllGo();
  for (const caller of held) t.equal(statusOf(await caller.whole()), 200);
  await stage.quiet('app');
  stage.steady.unharmed(t);
});

t.test('a place freed by one worker wakes who waits at the other', async t => {
  // Streams of one connection meet in one worker: only that one has places to free.
  const session = http2.connect(stage.leaseway.url());
  const held = Array.from({ length: LIMIT }, (_, i) => stream(session, `/other/hold/${i}`));
  await until('the backend is full', () => counters.app.now === LIMIT);
  const waiting: Caller[] = [];
  const both = async (): Promise<boolean> =>
    (await stage.status()).workers.every(({ counters }) => counters.queued! > 0);
  while (!(await both())) {
    waiting.push(await send(`/other/wait/${waiting.length}`));
    await stage.leaseway.until(async () => (await stage.count('queued')) === waiting.length);
  }
  counters.app.letAllGo();
  t.same(new Set(await Promise.all(held)), new Set([200]));
  for (const caller of waiting) t.equal(statusOf(await caller.whole()), 200, 'woken');
  for (const { address } of waiting) t.ok((await stage.lineFrom(address)).queued_ms > 0);
  session.destroy();
  stage.steady.unharmed(t);
});

t.test('in the line of one worker the first is served first', async t => {
  const session = http2.connect(stage.leaseway.url());
  const held = await fill('/order');
  const statuses = Array.from({ length: QUEUE / 2 }, (_, i) => stream(session, `/order/wait/${i}`));
  await stage.leaseway.until(async () => (await stage.count('queued')) === QUEUE / 2);
  counters.app.letGo('/order/hold/0');
  // Asks for the very place that becomes free.
  void stream(session, '/order/late');
  t.same(new Set(await Promise.all(statuses)), new Set([200]));
  const served = counters.app.order.filter(path => path.startsWith('/order/wait'));
  t.same(served, [...served].sort(), `served in the order of arrival: ${served}`);
  const late = counters.app.order.indexOf('/order/late');
  t.ok(late === -1 || late > counters.app.order.indexOf('/order/wait/0'), 'a newcomer comes behind');
  counters.app.letAllGo();
  await Promise.all(held.map(caller => caller.whole()));
  session.destroy();
  await stage.quiet('app');
});

t.test('a client that leaves while it waits frees its place in the line and is never sent on', async t => {
  const held = await fill('/leaver');
  const callers: Caller[] = [];
  for (let i = 0; i < 3; i++) callers.push(await send(`/leaver/wait/${i}`));
  await stage.leaseway.until(async () => (await stage.count('queued')) === 3);
  for (const caller of callers) caller.socket.destroy();
  await stage.leaseway.until(async () => (await stage.count('queued')) === 0, QUEUE_MS);
  counters.app.letAllGo();
  await Promise.all(held.map(caller => caller.whole()));
  t.match(await stage.lineFrom(callers[0]!.address), { status: 499, error: 'CLIENT_GONE', attempts: [] });
  t.notOk(counters.app.order.some(path => path.startsWith('/leaver/wait')));
  stage.steady.unharmed(t);
});

t.test('without a line: 503 at once when the limit is reached', async t => {
  const held = await send('/strict/hold/0');
  await until('it is there', () => counters.app.held.has('/strict/hold/0'));
  const caller = await send('/strict/more');
  t.match(await caller.whole(), /^HTTP\/1.1 503 [\s\S]*QUEUE_FULL/);
  counters.app.letGo('/strict/hold/0');
  t.equal(statusOf(await held.whole()), 200);
});

t.test('a leased session waits for its own backend although another is idle', async t => {
  const first = await (await send('/sticky/first')).whole();
  const lease = /^Leaseway-Lease: (.+)\r$/im.exec(first)![1]!;
  const own = counters.one.order.includes('/sticky/first') ? counters.one : counters.two;
  const other = own === counters.one ? counters.two : counters.one;
  const held = await send('/sticky/hold/own', `Leaseway-Lease: ${lease}\r\n`);
  await until('its backend is busy', () => own.now === 1);
  const waiting = await send('/sticky/waits', `Leaseway-Lease: ${lease}\r\n`);
  await stage.leaseway.until(async () => (await stage.count('queued')) === 1);
  const free = await (await send('/sticky/free')).whole();
  t.equal(statusOf(free), 200, 'one without a lease goes to the idle one meanwhile');
  t.ok(other.order.includes('/sticky/free'));
  own.letGo('/sticky/hold/own');
  t.equal(statusOf(await held.whole()), 200);
  t.equal(statusOf(await waiting.whole()), 200);
  t.ok(own.order.includes('/sticky/waits'), 'served by its own');
  t.match(await stage.lineFrom(waiting.address), { lease: 'keep' });
  stage.steady.unharmed(t);
});

t.test('goodput at twice the capacity stays near capacity', async t => {
  const SECONDS = 3;
  const capacity = (LIMIT * 1000) / SERVICE_MS;
  const agent = new http.Agent({ keepAlive: true });
  counters.app.most = 0;
  const goodput = async (factor: number): Promise<number> => {
    let served = 0;
    let sent = 0;
    const begun = performance.now();
    const open: Promise<void>[] = [];
    await new Promise<void>(resolve => {
      const timer = setInterval(() => {
        const passedMs = performance.now() - begun;
        if (passedMs >= SECONDS * 1000) {
          clearInterval(timer);
          return resolve();
        }
        for (; sent < (passedMs / 1000) * capacity * factor; sent++) {
          open.push(
            status(agent, '/goodput').then(code => {
              if (code === 200) served += 1;
            }),
          );
        }
      }, 5);
    });
    await Promise.all(open);
    return served / SECONDS;
  };
  const below = await goodput(0.8);
  const above = await goodput(2);
  agent.destroy();
  t.comment(
    `capacity ${capacity}/s by limit and service time; served ${below.toFixed(0)}/s of ${(capacity * 0.8).toFixed(0)}/s offered, ${above.toFixed(0)}/s of ${capacity * 2}/s offered`,
  );
  // A busy machine serves below the computed capacity; overload must not cost more than a fifth of what it serves else.
  t.ok(above >= below * 0.8, `${above.toFixed(0)}/s at twice the load, ${below.toFixed(0)}/s at 0.8`);
  t.equal(counters.app.most, LIMIT, 'and the limit held');
  stage.steady.unharmed(t);
});

t.test('retries stay within their budget during an outage', async t => {
  const REQUESTS = 500;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  const since = performance.now();
  const statuses = await Promise.all(Array.from({ length: REQUESTS }, () => status(agent, '/outage')));
  const seconds = (performance.now() - since) / 1000;
  agent.destroy();
  t.same(new Set(statuses), new Set([502]));
  const most = REQUESTS * 1.2 + (seconds + 2) * RETRY_FLOOR;
  t.ok(outageAttempts > REQUESTS, 'some were tried again');
  t.ok(
    outageAttempts <= most,
    `${outageAttempts} attempts for ${REQUESTS} requests, ${most.toFixed(0)} allowed`,
  );
  t.ok((await stage.count('retriesRefusedByBudget')) > 0, 'the budget said no');
  t.comment(`${outageAttempts} attempts for ${REQUESTS} requests, each of which might have had 3`);
  stage.steady.unharmed(t, 50);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});

function stream(session: http2.ClientHttp2Session, path: string): Promise<unknown> {
  const request = session.request({ ':path': path });
  request.resume();
  return new Promise(resolve => {
    request.on('response', headers => resolve(headers[':status']));
    request.on('error', () => resolve(0));
  });
}

function status(agent: http.Agent, path: string): Promise<number> {
  return new Promise(resolve => {
    http
      .get({ port: stage.port, host: '127.0.0.1', path, agent }, response => {
        response.resume();
        response.on('close', () => resolve(response.statusCode!));
      })
      .on('error', () => resolve(0));
  });
}
