// gRPC by @grpc/grpc-js on both sides, through h2c and through TLS: all four kinds of call, and every way they end badly.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import t, { type Test } from 'tap';
import { deadPort } from '../../support/backends.ts';
import { makeAuthority } from '../../support/certs.ts';
import {
  metadata,
  type Noticed,
  say,
  type TalkClient,
  TalkServer,
  talkClient,
} from '../../support/grpc-talk.ts';
import { Leaseway } from '../../support/leaseway.ts';

const AT_ONCE = 1_000;
const { status } = grpc;

const folder = mkdtempSync(join(tmpdir(), 'leaseway-grpc-'));
const at = (name: string): string => join(folder, name);
const authority = makeAuthority();
const { cert, key } = authority.issue(['localhost', '127.0.0.1']);
writeFileSync(at('cert.pem'), cert);
writeFileSync(at('key.pem'), key);
writeFileSync(at('ca.pem'), authority.ca);
const pair = { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) };

const plain = await TalkServer.start();
const secure = await TalkServer.start(grpc.ServerCredentials.createSsl(null, [pair]));
const mortal = await startMortal();
const dead = await deadPort();
// A stream may be silent for as long as it likes; deadlines are the client's business.
const timeouts = { idle: 0 };
const leaseway = await Leaseway.start({
  config: {
    workers: 2,
    listeners: [
      { address: '127.0.0.1:0' },
      { address: '127.0.0.1:0', tls: { certificates: [{ cert: at('cert.pem'), key: at('key.pem') }] } },
    ],
    routes: [
      { name: 'dead', match: { headers: [{ name: 'x-to', exact: 'dead' }] }, cluster: 'dead' },
      { name: 'away', match: { headers: [{ name: 'x-to', exact: 'away' }] }, cluster: 'away' },
      { name: 'narrow', match: { headers: [{ name: 'x-to', exact: 'narrow' }] }, cluster: 'narrow' },
      { name: 'mortal', match: { headers: [{ name: 'x-to', exact: 'mortal' }] }, cluster: 'mortal' },
      { name: 'secure', match: { headers: [{ name: 'x-to', exact: 'secure' }] }, cluster: 'secure' },
      { name: 'plain', cluster: 'plain' },
    ],
  },
  clusters: {
    plain: { protocol: 'h2', backends: [`http://127.0.0.1:${plain.port}`], timeouts },
    secure: {
      protocol: 'auto',
      backends: [`https://127.0.0.1:${secure.port}`],
      tls: { ca: at('ca.pem'), server_name: 'localhost' },
      timeouts,
    },
    mortal: { protocol: 'h2', backends: [`http://127.0.0.1:${mortal.port}`], timeouts },
    narrow: {
      protocol: 'h2',
      backends: [`http://127.0.0.1:${plain.port}`],
      limits: { concurrency: 1, queue_timeout: '10s' },
    },
    dead: { protocol: 'h2', backends: [`http://127.0.0.1:${dead}`] },
    away: { protocol: 'h2', backends: [{ id: 'away', url: `http://127.0.0.1:${plain.port}` }] },
  },
});
t.teardown(async () => {
  await leaseway[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
  mortal.child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

async function startMortal(): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/grpc-talk-process.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout!, 'data');
  return { child, port: Number(line) };
}

interface Path {
  readonly name: string;
  readonly server: TalkServer;
  readonly to: string;
  client(t: Test): TalkClient;
}

function closing(t: Test, client: TalkClient): TalkClient {
  t.teardown(() => client.close());
  return client;
}

const PATHS: readonly Path[] = [
  {
    name: 'h2c to h2c',
    server: plain,
    to: 'plain',
    client: t => closing(t, talkClient(`127.0.0.1:${leaseway.port()}`)),
  },
  {
    name: 'TLS to TLS',
    server: secure,
    to: 'secure',
    client: t =>
      closing(
        t,
        talkClient(`localhost:${leaseway.port(1)}`, grpc.credentials.createSsl(Buffer.from(authority.ca))),
      ),
  },
];

let calls = 0;
/** Metadata that leads to the path's backend, and an id by which its server knows the call. */
function addressed(path: Pick<Path, 'to'>): { id: string; sent: grpc.Metadata } {
  const id = `call-${++calls}`;
  return { id, sent: metadata({ 'x-to': path.to, 'x-call': id }) };
}

const noticed = (path: Path, id: string, isSo: (call: Noticed) => boolean): Promise<Noticed> =>
  leaseway.until(() => {
    const call = path.server.calls.get(id);
    return call !== undefined && isSo(call) && call;
  });

for (const path of PATHS) {
  t.test(`${path.name}: unary, with metadata both ways and trailers`, async t => {
    const { sent } = addressed(path);
    const bytes = Buffer.from([0, 1, 254, 255]);
    sent.set('x-text', 'as sent');
    sent.set('x-bytes-bin', bytes);
    const payload = Buffer.alloc(3 << 20, 7);
    const { error, words, head, status } = await say(path.client(t), { text: 'hello', payload }, sent);
    t.equal(error, null);
    t.equal(words?.text, 'HELLO');
    t.ok(words?.payload.equals(payload), '3 MiB there and back');
    t.same(head?.get('x-text'), ['as sent']);
    t.same(head?.get('x-bytes-bin'), [bytes]);
    t.equal(status.code, 0);
    t.same(status.metadata.get('x-trailer'), ['of the answer']);
  });

  t.test(`${path.name}: client streaming`, async t => {
    const { sent } = addressed(path);
    const client = path.client(t);
    const [error, words] = await new Promise<[grpc.ServiceError | null, unknown]>(resolve => {
      const call = client.Gather(sent, {}, (error, words) => resolve([error, words]));
      for (let i = 0; i < 100; i++) call.write({ text: `${i % 10}`, payload: Buffer.alloc(10_000) });
      call.end();
    });
    t.equal(error, null);
    t.match(words, { text: `${'0123456789'.repeat(10)}:1000000`, count: 100 });
  });

  t.test(`${path.name}: server streaming`, async t => {
    const { sent } = addressed(path);
    const call = path.client(t).Scatter({ text: 'x', payload: Buffer.alloc(10_000), count: 500 }, sent);
    const counts: number[] = [];
    for await (const words of call) counts.push(words.count);
    t.same(
      counts,
      Array.from({ length: 500 }, (_, i) => i),
    );
  });

  t.test(
    `${path.name}: a conversation, each word answered before the next, half-closed at its end`,
    async t => {
      const { id, sent } = addressed(path);
      const call = path.client(t).Converse(sent);
      const answers = call[Symbol.asyncIterator]();
      for (const text of ['one', 'two', 'three']) {
        call.write({ text });
        t.equal((await answers.next()).value.text, text.toUpperCase());
      }
      t.equal(path.server.calls.get(id)?.ended, false);
      call.end();
      t.equal((await answers.next()).value.text, 'goodbye', 'said after our own end');
      t.equal((await answers.next()).done, true);
    },
  );

  t.test(
    `${path.name}: a failure with code, message, details and metadata, without and after an answer`,
    async t => {
      const { error } = await say(path.client(t), { text: 'fail' }, addressed(path).sent);
      const call = path.client(t).Scatter({ text: 'fail', count: 3 }, addressed(path).sent);
      let answers = 0;
      call.on('data', () => {
        answers += 1;
      });
      const [late] = (await once(call, 'error')) as [grpc.ServiceError];
      t.equal(answers, 3, 'what came before is kept');
      for (const failure of [error!, late]) {
        t.equal(failure.code, status.FAILED_PRECONDITION);
        t.equal(failure.details, 'no € left, 100 %');
        t.same(failure.metadata.get('grpc-status-details-bin'), [
          Buffer.from([8, 9, 18, 3, 0xe2, 0x82, 0xac]),
        ]);
        t.same(failure.metadata.get('x-reason'), ['for the test']);
      }
      const unknown = await new Promise<grpc.ServiceError | null>(resolve =>
        path.client(t).makeUnaryRequest(
          '/leaseway.test.Talk/Nothing',
          () => Buffer.alloc(0),
          () => null,
          {},
          addressed(path).sent,
          error => resolve(error),
        ),
      );
      t.equal(unknown?.code, status.UNIMPLEMENTED);
    },
  );

  t.test(`${path.name}: a client that cancels is heard by the server`, async t => {
    for (const kind of ['Say', 'Scatter', 'Converse'] as const) {
      const { id, sent } = addressed(path);
      const client = path.client(t);
      const call =
        kind === 'Say'
          ? client.Say({ text: 'hang' }, sent, {}, () => {})
          : kind === 'Scatter'
            ? client.Scatter({ text: 'x', count: -3 }, sent)
            : client.Converse(sent);
      const ended = new Promise<grpc.StatusObject>(resolve => call.on('status', resolve));
      call.on('error', () => {});
      if (kind === 'Scatter') await once(call, 'data');
      await noticed(path, id, () => true);
      call.cancel();
      t.equal((await ended).code, status.CANCELLED);
      t.ok(await noticed(path, id, ({ cancelled }) => cancelled), kind);
    }
  });

  t.test(`${path.name}: a deadline reaches the server and ends the call there`, async t => {
    const { id, sent } = addressed(path);
    const since = Date.now();
    const { error } = await say(path.client(t), { text: 'hang' }, sent, { deadline: since + 700 });
    t.equal(error?.code, status.DEADLINE_EXCEEDED);
    const { deadlineMs } = await noticed(path, id, ({ cancelled }) => cancelled);
    t.ok(deadlineMs > since && deadlineMs <= since + 1000, `${deadlineMs - since} ms`);
  });

  t.test(`${path.name}: ${AT_ONCE} calls at once`, async t => {
    const client = path.client(t);
    const all = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, i) => say(client, { text: `n${i}` }, addressed(path).sent)),
    );
    const wrong = all.filter(({ error, words }, i) => error !== null || words?.text !== `N${i}`);
    t.same(wrong.slice(0, 3), [], `${all.length - wrong.length} answered, each with its own words`);
  });
}

/** What a call without grpc-js's own judgement gets: head and trailers as they came. */
async function raw(t: Test, path: string, fields: http2.OutgoingHttpHeaders) {
  const session = http2.connect(leaseway.url());
  t.teardown(() => session.destroy());
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...fields,
  });
  // One empty message; the request stays open, as that of a stream would.
  stream.write(Buffer.alloc(5));
  let trailers: http2.IncomingHttpHeaders | null = null;
  stream.on('trailers', received => {
    trailers = received;
  });
  const [head, flags] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders, number];
  stream.resume();
  await once(stream, 'close');
  return { head, trailers, endStream: (flags & http2.constants.NGHTTP2_FLAG_END_STREAM) !== 0 };
}

t.test('the proxy keeps the deadline itself, whatever client and server do', async t => {
  const id = 'deadline';
  const since = performance.now();
  const { head, trailers, endStream } = await raw(t, '/leaseway.test.Talk/Gather', {
    'x-call': id,
    'grpc-timeout': '400m',
  });
  const took = performance.now() - since;
  t.match(head, { ':status': 200, 'grpc-status': String(status.DEADLINE_EXCEEDED) });
  t.ok(endStream && trailers === null, 'trailers-only');
  t.ok(took >= 390 && took < 5_000, `${Math.round(took)} ms`);
  t.ok(await noticed(PATHS[0]!, id, ({ cancelled }) => cancelled), 'and the server is told');
});

t.test('who had to wait for a place has that much less time at the server', async t => {
  const client = PATHS[0]!.client(t);
  const first = addressed({ to: 'narrow' });
  const second = addressed({ to: 'narrow' });
  const since = Date.now();
  const before = say(client, { text: 'hang' }, first.sent, { deadline: since + 600 });
  await noticed(PATHS[0]!, first.id, () => true);
  const { words } = await say(client, { text: 'hello' }, second.sent, { deadline: since + 10_000 });
  t.equal(words?.text, 'HELLO');
  t.equal((await before).error?.code, status.DEADLINE_EXCEEDED);
  const { deadlineMs } = await noticed(PATHS[0]!, second.id, () => true);
  t.ok(Date.now() - since >= 500, 'it did wait');
  t.ok(deadlineMs <= since + 10_200, `until ${deadlineMs - since} ms`);
});

t.test('no backend: UNAVAILABLE from the proxy, trailers-only', async t => {
  t.equal((await leaseway.admin('/v1/backends/away/away/maintenance', 'POST')).status, 200);
  await leaseway.until(async () => (await raw(t, '/x', { 'x-to': 'away' })).head['grpc-status'] === '14');
  for (const to of ['dead', 'away']) {
    const { head, trailers, endStream } = await raw(t, '/leaseway.test.Talk/Say', { 'x-to': to });
    t.match(head, {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(status.UNAVAILABLE),
      'grpc-message': to === 'dead' ? /CONNECT_FAILED|NO_BACKEND/ : /NO_BACKEND/,
    });
    t.ok(endStream && trailers === null, 'trailers-only');
    const { error } = await say(PATHS[0]!.client(t), { text: 'hello' }, metadata({ 'x-to': to }));
    t.equal(error?.code, status.UNAVAILABLE);
  }
});

t.test('a backend that is killed in mid-stream: UNAVAILABLE, after what it had said', async t => {
  const client = PATHS[0]!.client(t);
  const { sent } = addressed({ to: 'mortal' });
  const stream = client.Scatter({ text: 'x', count: -3 }, sent);
  const conversation = client.Converse(sent);
  const unary = say(client, { text: 'hang' }, sent);
  let answers = 0;
  await new Promise<void>(resolve => {
    stream.on('data', () => {
      if (++answers === 3) resolve();
    });
  });
  conversation.write({ text: 'hello' });
  await once(conversation, 'data');
  const failures = [once(stream, 'error'), once(conversation, 'error')] as Promise<[grpc.ServiceError]>[];
  mortal.child.kill('SIGKILL');
  for (const failure of failures) t.equal((await failure)[0].code, status.UNAVAILABLE);
  t.equal((await unary).error?.code, status.UNAVAILABLE);
  t.equal((await say(client, { text: 'hello' })).words?.text, 'HELLO', 'other calls of that channel go on');
});

t.test('nothing is left behind', async t => {
  await leaseway.until(async () => {
    const { backends } = await leaseway.status();
    return backends.every((backend: { inFlight: number }) => backend.inFlight === 0);
  });
  t.pass('no call is in flight any more');
});
