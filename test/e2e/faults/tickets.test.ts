// leaseway.v1 against clients that cheat: forged, lapsed, foreign and used leases and tickets, tickets without end, streams that push each other out.

import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node';
import t from 'tap';
import { WebSocket, WebSocketServer } from 'ws';
import { LeaseService } from '../../../lib/control/api/gen/leaseway/v1/lease_pb.ts';
import { LeaseTokens } from '../../../lib/plan/lease/token.ts';
import { goodBackend } from '../../support/backends.ts';
import { rawConnect, statusOf } from '../../support/raw-client.ts';
import { producedHere } from './codes.ts';
import { Stage } from './stage.ts';

const SECRET = 'a secret for these tests that is long enough';

const backend = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
  response.end(`the application at ${request.url}`);
});
const websockets = new WebSocketServer({ noServer: true });
backend.server.on('upgrade', (request, socket, head) => {
  asked.push(request.url!);
  websockets.handleUpgrade(request, socket, head, () => {});
});
const asked: string[] = [];
const sdk = { migrate: 'sdk' };
const stage = await Stage.open({
  config: { leases: { keys: [SECRET] } },
  clusters: {
    chat: { backends: [{ id: 'b', url: backend.url }], websocket: sdk, sticky: { by: 'cookie' } },
    games: { backends: [{ id: 'b', url: backend.url }], websocket: sdk },
    plain: { backends: [{ id: 'b', url: backend.url }] },
  },
  routes: [
    { name: 'chat', match: { path: '/chat' }, cluster: 'chat' },
    { name: 'rooms', match: { path: '/rooms' }, cluster: 'chat' },
    { name: 'games', match: { path: '/games' }, cluster: 'games' },
    { name: 'closed', match: { path: '/closed' }, cluster: 'chat', clients: { deny: ['0.0.0.0/0'] } },
    { name: 'plain', match: { path: '/plain' }, cluster: 'plain' },
  ],
});
stage.keep(backend);
t.teardown(async () => {
  await stage[Symbol.asyncDispose]();
  websockets.close();
});

const baseUrl = `http://127.0.0.1:${stage.port}`;
const client = createClient(LeaseService, createConnectTransport({ baseUrl, httpVersion: '1.1' }));

/** Connect's code of what the call was refused with. */
async function codeOf(call: Promise<unknown>): Promise<Code | 'taken'> {
  try {
    await call;
    return 'taken';
  } catch (error) {
    return ConnectError.from(error).code;
  }
}

/** Status of the handshake; 101 when it was accepted. */
function handshake(path: string, ticket: string): Promise<number> {
  const socket = new WebSocket(`ws://127.0.0.1:${stage.port}${path}?leaseway_ticket=${ticket}&a=1`);
  return new Promise(resolve => {
    socket.on('error', () => {});
    socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode!));
    socket.on('open', () => {
      resolve(101);
      socket.close();
    });
  });
}

const signed = (lease: object): string =>
  new LeaseTokens([{ id: keyId, secret: Buffer.from(SECRET) }]).sign({
    ...{ id: '0011223344556677', cluster: 'chat', route: '', backend: 'b', generation: 1, type: 'dynamic' },
    ...{ expiresMs: Date.now() + 60_000, ...lease },
  });

const first = await client.register({ path: '/chat?room=1' });
const keyId = Buffer.from(first.lease!.token, 'base64url').subarray(1, 5).toString('hex');

for (const [name, transport] of [
  ['Connect', createConnectTransport({ baseUrl, httpVersion: '1.1' })],
  [
    'Connect over HTTP/2, binary',
    createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: true }),
  ],
  ['gRPC', createGrpcTransport({ baseUrl })],
  ['gRPC-Web', createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
] satisfies [string, Transport][])
  t.test(`${name}: registers, watches, extends, is told what is wrong`, async t => {
    const client = createClient(LeaseService, transport);
    const { lease, ticket } = await client.register({ path: '/chat' });
    t.match(lease, { session: /^[0-9a-f]{16}$/, termMs: 60_000 });
    t.equal(await handshake('/chat', ticket), 101);
    t.equal(asked.at(-1), '/chat?a=1', 'the ticket never reaches a backend');
    const end = new AbortController();
    for await (const { event } of client.watch({ lease: lease!.token }, { signal: end.signal })) {
      t.equal(event.case, 'heartbeat');
      break;
    }
    end.abort();
    const extended = await client.extend({ lease: lease!.token });
    t.equal(extended.lease!.session, lease!.session);
    t.equal(await codeOf(client.extend({ lease: 'forged' })), Code.Unauthenticated);
    const answer = { lease: lease!.token, answer: { case: 'accepted', value: {} } } as const;
    t.equal(await codeOf(client.answer({ ...answer, migration: '0-999' })), Code.NotFound);
    t.equal(await codeOf(client.answer({ ...answer, migration: '1-999' })), Code.NotFound);
    t.equal(await codeOf(client.answer({ ...answer, migration: 'nonsense' })), Code.NotFound);
  });

const watched = async (lease: string): Promise<Code | 'taken'> =>
  codeOf(client.watch({ lease })[Symbol.asyncIterator]().next());

for (const [what, lease, path] of [
  ['forged', first.lease!.token.replace(/.$/, end => (end === 'A' ? 'B' : 'A')), '/chat'],
  ['signed with a key that nobody has', signedElsewhere(), '/chat'],
  ['of a cluster that is not here', signed({ cluster: 'elsewhere' }), '/chat'],
  ['of another cluster', signed({ cluster: 'games' }), '/chat'],
  ['of another route', first.lease!.token, '/rooms'],
] as const)
  t.test(`a lease ${what} is refused and counted`, async t => {
    const before = await stage.count('leaseTokensRejected');
    t.equal(await codeOf(client.register({ path, lease })), Code.Unauthenticated);
    await stage.leaseway.until(async () => (await stage.count('leaseTokensRejected')) === before + 1);
    if (what.startsWith('of another')) return;
    t.equal(await watched(lease), Code.Unauthenticated);
    t.equal(await codeOf(client.extend({ lease })), Code.Unauthenticated);
  });

function signedElsewhere(): string {
  return new LeaseTokens([{ id: keyId, secret: Buffer.from('another') }]).sign({
    ...{ id: '0011223344556677', cluster: 'chat', route: '', backend: 'b', generation: 1, type: 'dynamic' },
    expiresMs: Date.now() + 60_000,
  });
}

t.test('a lease that has lapsed watches nothing, and is taken up again', async t => {
  const lease = signed({ expiresMs: Date.now() - 1_000 });
  t.equal(await watched(lease), Code.Unauthenticated);
  t.equal((await client.register({ path: '/chat', lease })).lease!.session, '0011223344556677');
});

t.test('a lease that lapses ends its stream', async t => {
  const stream = client.watch({ lease: signed({ id: '1111111111111111', expiresMs: Date.now() + 800 }) });
  const heard: unknown[] = [];
  const code = await codeOf(
    (async () => {
      for await (const { event } of stream) heard.push(event.case);
    })(),
  );
  t.same(heard, ['heartbeat', 'extension']);
  t.equal(code, Code.Unauthenticated);
});

t.test('paths that give no lease', async t => {
  for (const [path, code] of [
    ['/plain', Code.InvalidArgument],
    ['/nowhere', Code.InvalidArgument],
    ['', Code.InvalidArgument],
    ['http://a/chat', Code.InvalidArgument],
    ['/chat\r\nX: y', Code.InvalidArgument],
    [`/${'x'.repeat(9_000)}`, Code.InvalidArgument],
    ['/closed', Code.PermissionDenied],
  ] as const)
    t.equal(await codeOf(client.register({ path })), code, path.slice(0, 20));
});

t.test('tickets that are forged, foreign or used open nothing', async t => {
  const { ticket } = await client.register({ path: '/chat' });
  const before = await stage.count('leaseTokensRejected');
  t.equal(await handshake('/rooms', ticket), 403, 'of another route');
  t.equal(await handshake('/games', ticket), 403, 'of another cluster');
  t.equal(await handshake('/chat', ticket.replace(/^../, 'AA')), 403, 'forged');
  t.equal(await handshake('/chat', ''), 403, 'empty');
  t.equal(await handshake('/chat', ticket), 101);
  t.equal(await handshake('/chat', ticket), 403, 'once');
  t.equal(await handshake('/plain', 'anything'), 101, 'the application’s own, where there are no tickets');
  t.equal(asked.at(-1), '/plain?leaseway_ticket=anything&a=1');
  await stage.leaseway.until(async () => (await stage.count('leaseTokensRejected')) === before + 5);
});

t.test('a client that opens tickets without end is refused', async t => {
  const { lease } = await client.register({ path: '/chat' });
  const codes = new Map<unknown, number>();
  for (let i = 0; i < 40; i++) {
    const code = await codeOf(client.register({ path: '/chat', lease: lease!.token }));
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.ok(codes.get('taken')! < 20, `${codes.get('taken')} tickets`);
  t.ok(codes.get(Code.ResourceExhausted)! >= 20);
});

t.test('a second stream of a lease ends the first, on whichever workers they are', async t => {
  const { lease } = await client.register({ path: '/chat' });
  const ends: Code[] = [];
  const end = new AbortController();
  const streams = Array.from({ length: 6 }, async () => {
    const own = createClient(LeaseService, createConnectTransport({ baseUrl, httpVersion: '1.1' }));
    try {
      for await (const _ of own.watch({ lease: lease!.token }, { signal: end.signal }));
    } catch (error) {
      ends.push(ConnectError.from(error).code);
    }
  });
  await stage.leaseway.until(() => ends.length === 5);
  t.same(ends, [Code.Aborted, Code.Aborted, Code.Aborted, Code.Aborted, Code.Aborted]);
  end.abort();
  await Promise.all(streams);
});

t.test('what is no call of the service', async t => {
  const url = `${baseUrl}/leaseway.v1.LeaseService/Register`;
  const status = async (path: string, init: RequestInit): Promise<number> => (await fetch(path, init)).status;
  const json = { 'content-type': 'application/json' };
  t.equal(await status(`${baseUrl}/leaseway.v1.LeaseService/Other`, { method: 'POST' }), 404);
  t.equal(await status(url, {}), 405);
  t.equal(await status(url, { method: 'POST', body: '{}', headers: { 'content-type': 'text/csv' } }), 415);
  t.equal(await status(url, { method: 'POST', body: '{', headers: json }), 400);
  t.equal(
    await status(url, { method: 'POST', body: `{"path":"${'x'.repeat(20_000)}"}`, headers: json }),
    413,
  );
  const asks = {
    method: 'OPTIONS',
    headers: { origin: 'http://page', 'access-control-request-method': 'POST' },
  };
  const preflight = await fetch(url, asks);
  t.equal(preflight.status, 204);
  t.equal(preflight.headers.get('access-control-allow-origin'), '*');
  t.match(preflight.headers.get('access-control-allow-headers')?.toLowerCase(), /connect-protocol-version/);
});

t.test('a call that comes in pieces, with those of others in between', async t => {
  const body = JSON.stringify({ path: `/chat?${'room=1&'.repeat(300)}` });
  const raw = await rawConnect(stage.port);
  raw.send(
    'POST /leaseway.v1.LeaseService/Register HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n' +
      `Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`,
  );
  await raw.until(text => text.endsWith('\r\n\r\n'));
  for (let from = 0; from < body.length; from += 1_000) {
    raw.received = Buffer.alloc(0);
    raw.send(body.slice(from, from + 1_000));
    for (let other = 0; other < 4; other++)
      await fetch(`${baseUrl}/plain`, { headers: { connection: 'close' } });
  }
  t.equal(statusOf(await raw.until(text => text.includes('ticket') || raw.ended)), 200);
  raw.socket.destroy();
});

t.test('nothing of it is left under way, and others noticed nothing', async t => {
  await stage.quiet('chat', 'games', 'plain');
  stage.steady.unharmed(t);
  await stage.line(({ error }) => error === 'TICKET_REFUSED');
  producedHere(t, import.meta.filename, stage.lines());
});
