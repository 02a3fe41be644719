// Bounds on clients, over both workers: connections, request rate, and the hosts of a TLS connection.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { goodBackend } from '../../support/backends.ts';
import { makeAuthority } from '../../support/certs.ts';
import { statusOf } from '../../support/raw-client.ts';
import { producedHere } from './codes.ts';
import { type Caller, connectFrom, Stage } from './stage.ts';

const PER_CLIENT = 4;
const IN_ALL = 10;
const RATE = 2;
const BURST = 10;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

const folder = mkdtempSync(join(tmpdir(), 'leaseway-bounds-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const authority = makeAuthority();
const { cert, key } = authority.issue(['localhost', 'www.example.org']);
writeFileSync(join(folder, 'cert.pem'), cert);
writeFileSync(join(folder, 'key.pem'), key);

const backend = await goodBackend({ protocol: 'http1', secure: false }, (_request, response) => {
  response.end('ok');
});
const stage = await Stage.open({
  config: {
    listeners: [
      { address: '127.0.0.1:0' },
      {
        address: '127.0.0.1:0',
        tls: { certificates: [{ cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }] },
      },
      { address: '127.0.0.1:0', max_connections: IN_ALL, max_connections_per_client: PER_CLIENT },
    ],
  },
  clusters: { app: { backends: [{ id: 'app', url: backend.url }] } },
  routes: [
    { name: 'rated', match: { path: '/rated' }, cluster: 'app', rate_limit: { rate: RATE, burst: BURST } },
    { name: 'app', cluster: 'app' },
  ],
});
stage.keep(backend);
t.teardown(() => stage[Symbol.asyncDispose]());
const SECURE = 1;
const NARROW = 2;

/** Holds a connection that was served once. */
async function hold(address: string): Promise<Caller> {
  const caller = await connectFrom(address, { port: stage.leaseway.port(NARROW) });
  caller.send(GET);
  await caller.until(text => text.endsWith('ok'));
  return caller;
}

/** One that must be told that there is no room. */
async function refused(t: Test, address: string, why: string): Promise<void> {
  const caller = await connectFrom(address, { port: stage.leaseway.port(NARROW) });
  const answer = await caller.whole();
  t.equal(statusOf(answer), 503, why);
  t.match(answer, /Retry-After: \d+[\s\S]*TOO_MANY_CONNECTIONS/, why);
}

t.test('connections per client and per listener, counted over both workers', async t => {
  const greedy = stage.nextAddress();
  const held = [];
  for (let i = 0; i < PER_CLIENT; i++) held.push(await hold(greedy));
  for (let i = 0; i < 4; i++) await refused(t, greedy, 'the client’s own bound');
  t.match(await stage.line(({ client, error }) => client === greedy && error !== ''), {
    status: 503,
    error: 'TOO_MANY_CONNECTIONS',
  });
  const others = [];
  for (let i = held.length; i < IN_ALL; i++) others.push(await hold(stage.nextAddress()));
  t.pass('others still come in, up to the listener’s bound');
  for (let i = 0; i < 4; i++) await refused(t, stage.nextAddress(), 'the listener’s bound');
  for (const caller of [...held, ...others]) {
    caller.received = Buffer.alloc(0);
    caller.send(GET);
    t.match(await caller.until(text => text.endsWith('ok')), /^HTTP\/1.1 200/, 'who is in stays served');
  }
  for (const caller of held) caller.socket.destroy();
  await stage.leaseway.until(async () => (await stage.count('connections')) < IN_ALL + 4);
  const again = await hold(greedy);
  t.pass('places come back');
  for (const caller of [again, ...others]) caller.socket.destroy();
  stage.steady.unharmed(t);
});

t.test('the request rate of a client, shared by the workers: 429 with Retry-After', async t => {
  const hurried = stage.nextAddress();
  const since = performance.now();
  const statuses: number[] = [];
  for (let i = 0; i < BURST * 4; i++) {
    // A connection each, so that both workers see the client.
    const caller = await connectFrom(hurried, { port: stage.port });
    caller.send('GET /rated HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    const answer = await caller.whole();
    statuses.push(statusOf(answer));
    if (statusOf(answer) === 429) t.match(answer, /\r\nRetry-After: [1-9]\d*\r\n/);
  }
  const passed = statuses.filter(status => status === 200).length;
  const earned = ((performance.now() - since) / 1000) * RATE;
  t.ok(
    passed >= BURST && passed <= BURST + earned + 1,
    `${passed} passed, ${earned.toFixed(1)} earned meanwhile`,
  );
  t.equal(statuses.filter(status => status === 429).length, statuses.length - passed, 'all others got 429');
  t.match(await stage.line(({ client, error }) => client === hurried && error !== ''), {
    status: 429,
    error: 'TOO_MANY_REQUESTS',
    attempts: [],
  });
  const calm = await stage.say('GET /rated HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.equal(statusOf(calm.answer), 200, 'another client has its own bucket');
  await stage.leaseway.until(async () => {
    const caller = await connectFrom(hurried, { port: stage.port });
    caller.send('GET /rated HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    return statusOf(await caller.whole()) === 200;
  });
  t.pass('a token comes back');
  stage.steady.unharmed(t);
});

t.test('a Host outside the certificate: 421, and the connection may go on', async t => {
  const secure = { ca: authority.ca, servername: 'localhost' };
  const caller = await stage.connect(secure, stage.leaseway.port(SECURE));
  caller.send('GET / HTTP/1.1\r\nHost: other.example.org\r\n\r\n');
  t.match(await caller.until(text => text.includes('MISDIRECTED')), /^HTTP\/1.1 421 /);
  t.match(await stage.lineFrom(caller.address), {
    status: 421,
    error: 'MISDIRECTED',
    detail: 'other.example.org',
  });
  caller.received = Buffer.alloc(0);
  caller.send('GET / HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n');
  t.match(
    await caller.whole(),
    /^HTTP\/1.1 200 /,
    'another name of the same certificate is served (RFC 9110, 7.4)',
  );
  const session = http2.connect(`https://localhost:${stage.leaseway.port(SECURE)}`, {
    ca: authority.ca,
    lookup: (_name, _options, found) => found(null, [{ address: '127.0.0.1', family: 4 }]),
  });
  const status = (host: string): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':path': '/', ':authority': host });
      stream.on('response', headers => resolve(headers[':status']));
      stream.on('error', reject);
      stream.resume();
    });
  t.equal(await status('other.example.org'), 421);
  t.equal(await status('www.example.org'), 200);
  session.destroy();
  stage.steady.unharmed(t);
});

t.test('the codes of this file were all seen', async t => {
  producedHere(t, import.meta.filename, stage.lines());
});
