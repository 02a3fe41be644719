// Connections to backends that end just as they are reused, streams that are refused, and connections by the thousand.

import http from 'node:http';
import http2 from 'node:http2';
import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { eachHead, goodBackend, rawBackend, streamBackend } from '../../support/backends.ts';
import { statusOf } from '../../support/raw-client.ts';
import { producedHere } from './codes.ts';
import { type Line, Stage } from './stage.ts';

const GETS = 4000;
const AT_ONCE = 16;
const MOST_ANSWERS = 20;
const random = seededRandom(7);
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** How often a backend did the work of a request, by target. */
const worked = new Map<string, number>();
const work = (target: string): void => void worked.set(target, (worked.get(target) ?? 0) + 1);
let closedOnReuse = 0;

/** Closes behind its last answer: the FIN meets the next request on the way, or comes just before it. */
const closing = await rawBackend(false, socket => {
  const life = 1 + Math.floor(random.next() * MOST_ANSWERS);
  eachHead(socket, (head, number) => {
    if (number > life) return;
    work(head.split(' ')[1]!);
    socket.write(OK);
    if (number === life) socket.end();
  });
});
/** The worst case of the same: closes as the first bytes of one request too many arrive, having done nothing. */
const dropping = await rawBackend(false, socket => {
  const life = 1 + Math.floor(random.next() * MOST_ANSWERS);
  eachHead(socket, (head, number) => {
    if (number > life) {
      closedOnReuse += 1;
      return void socket.destroy();
    }
    work(head.split(' ')[1]!);
    socket.write(OK);
  });
});
/** Refuses the first stream of each path, the first three of `/h2/thrice`, and `/h2/never` always. */
const refusals = new Map<string, number>();
const refusing = await streamBackend(false, (stream, headers) => {
  const path = String(headers[':path']);
  const before = refusals.get(path) ?? 0;
  if (path === '/h2/never' || before < (path.startsWith('/h2/thrice') ? 3 : 1)) {
    refusals.set(path, before + 1);
    return stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  }
  work(path);
  stream.resume();
  stream.respond({ ':status': 200 });
  stream.end('ok');
});
/** Says GOAWAY after some streams, as a server does that is being restarted. */
const leaving = await streamBackend(
  false,
  (stream, headers) => {
    work(String(headers[':path']));
    stream.resume();
    stream.respond({ ':status': 200 });
    stream.end('ok');
  },
  session => {
    // Few enough that what is sent again on the next connection may be behind its GOAWAY too.
    let left = AT_ONCE / 2 + 1 + Math.floor(random.next() * MOST_ANSWERS);
    session.on('stream', () => {
      left -= 1;
      if (left === 0) session.close();
    });
  },
);
const good = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  work(request.url!);
  response.end('ok');
});

const alone = (id: string, url: string, more: object = {}): object => ({
  backends: [{ id, url }],
  outlier: { consecutive_failures: 0 },
  ...more,
});
const stage = await Stage.open({
  clusters: {
    closing: alone('closing', closing.url),
    dropping: alone('dropping', dropping.url),
    refusing: alone('refusing', refusing.url, { protocol: 'h2', retry: { min_per_second: 1000 } }),
    leaving: alone('leaving', leaving.url, { protocol: 'h2', retry: { min_per_second: 1000 } }),
    good: alone('good', good.url),
  },
  routes: [
    { match: { path: '/closing' }, cluster: 'closing' },
    { match: { path: '/dropping' }, cluster: 'dropping' },
    { match: { path: '/h2' }, cluster: 'refusing' },
    { match: { path: '/goaway' }, cluster: 'leaving' },
    { cluster: 'good' },
  ],
});
stage.keep(closing, dropping, refusing, leaving, good);
t.teardown(() => stage[Symbol.asyncDispose]());

interface Outcome {
  readonly target: string;
  readonly status: number;
  readonly body: string;
}

/** So many requests, so many at once, each answered before its lane sends the next. */
async function hammer(method: string, prefix: string, count: number, body = ''): Promise<Outcome[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const outcomes: Outcome[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < count; i = next++)
      outcomes.push(await once(agent, method, `${prefix}/${i}`, body));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  agent.destroy();
  return outcomes;
}

function once(agent: http.Agent, method: string, target: string, body: string): Promise<Outcome> {
  return new Promise(resolve => {
    const headers = body === '' ? {} : { 'content-length': body.length };
    const request = http.request(
      { port: stage.port, host: '127.0.0.1', method, path: target, agent, headers },
      response => {
        let text = '';
        response.on('data', chunk => {
          text += chunk;
        });
        response.on('close', () => resolve({ target, status: response.statusCode!, body: text }));
      },
    );
    request.on('error', error => resolve({ target, status: 0, body: error.message }));
    request.end(body);
  });
}

const failed = (outcomes: readonly Outcome[]): Outcome[] =>
  outcomes.filter(({ status, body }) => status !== 200 || body !== 'ok');
const retried = (prefix: string): Line[] =>
  stage.lines().filter(({ path, attempts }) => path.startsWith(prefix) && attempts.length > 1);

t.test('a backend that closes after each N answers: no GET fails in thousands', async t => {
  for (const prefix of ['/closing', '/dropping']) {
    const outcomes = await hammer('GET', prefix, GETS);
    t.same(failed(outcomes), [], `${prefix}: none of ${GETS} failed`);
    t.equal(outcomes.length, GETS);
  }
  await stage.leaseway.until(
    () => stage.lines().filter(({ path }) => path.startsWith('/dropping')).length === GETS,
  );
  t.ok(closedOnReuse > GETS / 100, `${closedOnReuse} connections ended as they were reused`);
  t.ok(retried('/dropping').length > GETS / 100, `${retried('/dropping').length} requests were tried again`);
  t.match(retried('/dropping')[0]!.attempts, [/^dropping:STALE_CONNECTION:/, /^dropping:200:/]);
  t.comment(
    `retried: ${retried('/closing').length} of ${GETS} behind a FIN, ${retried('/dropping').length} dropped`,
  );
  const { failures } = await stage.backend('dropping', 'dropping');
  t.equal(failures, 0, 'a connection that ends says nothing about the backend');
  stage.steady.unharmed(t);
});

t.test('an unsafe request on such a connection is answered 502, and never done twice', async t => {
  const outcomes = await hammer('POST', '/dropping/post', 600, 'order one book');
  const bad = failed(outcomes);
  t.ok(bad.length > 0, `${bad.length} of 600 met a connection that ended`);
  for (const { target, status } of bad) {
    t.equal(status, 502, target);
    t.notOk(worked.has(target), 'that one was not done');
  }
  for (const { target } of outcomes) t.ok((worked.get(target) ?? 0) <= 1, `${target}: at most once`);
  t.match(await stage.lineOf(bad[0]!.target), {
    status: 502,
    error: 'STALE_CONNECTION',
    attempts: [/^dropping:STALE_CONNECTION:/],
  });
  stage.steady.unharmed(t);
});

t.test('HTTP/2: streams refused or behind a GOAWAY are provably unprocessed, POST is sent again', async t => {
  const refusedOutcomes = await hammer('POST', '/h2/post', 200, 'order one book');
  t.same(failed(refusedOutcomes), [], 'REFUSED_STREAM: none failed');
  const thriceOutcomes = await hammer('POST', '/h2/thrice', 50, 'order one book');
  t.same(failed(thriceOutcomes), [], 'three refusals in a row use up none of the two attempts');
  const goneOutcomes = await hammer('POST', '/goaway', 1000, 'order one book');
  t.same(failed(goneOutcomes), [], 'GOAWAY: none failed');
  for (const { target } of [...refusedOutcomes, ...thriceOutcomes, ...goneOutcomes])
    t.equal(worked.get(target), 1, `${target}: done once`);
  await stage.leaseway.until(() => retried('/h2/post').length === 200);
  t.ok(retried('/goaway').length > 0, `${retried('/goaway').length} of 1000 were behind a GOAWAY`);
  const { status } = await once(new http.Agent(), 'POST', '/h2/never', 'x');
  t.equal(status, 502, 'a backend that refuses all: 502');
  t.match(await stage.lineOf('/h2/never'), { status: 502, error: 'REFUSED_STREAM' });
  t.equal(refusals.get('/h2/never'), 5, 'asked two times and three for free');
  stage.steady.unharmed(t);
});

t.test('thousands of connections come and go', async t => {
  const CHURN = 3000;
  let done = 0;
  const bad: string[] = [];
  const lane = async (): Promise<void> => {
    while (done < CHURN) {
      done += 1;
      const { answer } = await stage.say('GET /churn HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      if (statusOf(answer) !== 200 || !answer.endsWith('ok')) bad.push(answer);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  t.same(bad, [], `none of ${CHURN} failed`);
  await stage.leaseway.until(async () => (await stage.count('connections')) <= 6);
  t.pass('and none is left');
  stage.steady.unharmed(t, 50);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
