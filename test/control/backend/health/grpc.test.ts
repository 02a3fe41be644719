// The gRPC check against a health service on @grpc/grpc-js, and its two hand-coded messages.

import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import fc from 'fast-check';
import t from 'tap';
import { Cluster } from '../../../../lib/config/cluster.ts';
import { checkOf } from '../../../../lib/control/backend/health/check.ts';
import { decodeCheckAnswer, encodeCheckRequest } from '../../../../lib/control/backend/health/grpc-wire.ts';
import { CheckTls } from '../../../../lib/control/backend/health/tls.ts';
import { systemClock } from '../../../../lib/core/clock.ts';
import { silentLog } from '../../../../lib/core/log.ts';
import { CERTIFICATE, PRIVATE_KEY } from '../../../support/backend-certificate.ts';

interface Answer {
  readonly code?: number;
  readonly body: Buffer;
}

/** A server whose health service answers by service name. */
async function healthServer(
  answers: ReadonlyMap<string, Answer>,
  credentials: ServerCredentials,
): Promise<{ server: Server; port: number }> {
  const server = new Server();
  const check: handleUnaryCall<Buffer, Buffer> = (call, done) => {
    // Field 1 with a one-byte length, or nothing.
    const answer = answers.get(call.request.subarray(2).toString());
    if (answer === undefined) done({ code: status.NOT_FOUND, details: 'unknown service' });
    else if (answer.code !== undefined) done({ code: answer.code });
    else done(null, answer.body);
  };
  const pass = (value: Buffer): Buffer => value;
  server.addService(
    {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: pass,
        requestDeserialize: pass,
        responseSerialize: pass,
        responseDeserialize: pass,
      },
    },
    { check } as unknown as UntypedServiceImplementation,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error ? reject(error) : resolve(bound))),
  );
  return { server, port };
}

const ANSWERS = new Map<string, Answer>([
  ['', { body: Buffer.from([0x08, 1]) }],
  ['stopping', { body: Buffer.from([0x08, 2]) }],
  ['unsure', { body: Buffer.alloc(0) }],
  ['broken', { body: Buffer.from([0xff]) }],
  ['busy', { code: status.UNAVAILABLE, body: Buffer.alloc(0) }],
]);

const checkService = (url: string, service: string) => {
  const cluster = Cluster.parse({ health: { grpc: { service } }, protocol: 'h2', tls: { verify: false } });
  return checkOf(
    url,
    cluster.health!,
    cluster,
    new CheckTls(cluster.tls, systemClock, silentLog),
    systemClock,
  )();
};

t.test('only SERVING is healthy; everything else says what it is', async t => {
  const { server, port } = await healthServer(ANSWERS, ServerCredentials.createInsecure());
  t.teardown(() => server.forceShutdown());
  const url = `http://127.0.0.1:${port}`;
  for (const [service, ok, detail] of [
    ['', true, 'SERVING'],
    ['stopping', false, 'gRPC NOT_SERVING'],
    ['unsure', false, 'gRPC UNKNOWN'],
    ['broken', false, 'not a health answer'],
    ['busy', false, 'gRPC UNAVAILABLE'],
    ['nobody', false, 'gRPC NOT_FOUND (no such service)'],
  ] as const)
    t.same(await checkService(url, service), { ok, detail }, service);
});

t.test('a server without the service says so', async t => {
  const server = new Server();
  const port = await new Promise<number>(resolve =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound)),
  );
  t.teardown(() => server.forceShutdown());
  t.same(await checkService(`http://127.0.0.1:${port}`, ''), {
    ok: false,
    detail: 'gRPC UNIMPLEMENTED (no health service)',
  });
});

t.test('it works over TLS', async t => {
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(CERTIFICATE), private_key: Buffer.from(PRIVATE_KEY) },
  ]);
  const { server, port } = await healthServer(ANSWERS, credentials);
  t.teardown(() => server.forceShutdown());
  t.same(await checkService(`https://127.0.0.1:${port}`, ''), { ok: true, detail: 'SERVING' });
});

t.test('requests are framed as protobuf has it', async t => {
  t.same(encodeCheckRequest(''), Buffer.from([0, 0, 0, 0, 0]));
  t.same(encodeCheckRequest('ab'), Buffer.from([0, 0, 0, 0, 4, 0x0a, 2, 0x61, 0x62]));
  const long = encodeCheckRequest('x'.repeat(300));
  t.same(long.subarray(0, 8), Buffer.from([0, 0, 0, 1, 47, 0x0a, 0xac, 0x02]));
});

t.test('answers: unknown fields are skipped, damaged ones refused, and no bytes make it fail', async t => {
  const frame = (...message: number[]): Buffer => Buffer.from([0, 0, 0, 0, message.length, ...message]);
  t.equal(decodeCheckAnswer(frame(0x12, 2, 9, 9, 0x08, 1)), 'SERVING', 'a text field before it');
  t.equal(decodeCheckAnswer(frame(0x1d, 1, 2, 3, 4, 0x08, 2)), 'NOT_SERVING', 'a fixed32 before it');
  t.equal(decodeCheckAnswer(frame(0x08, 9)), 'status 9');
  t.equal(decodeCheckAnswer(frame(0x12, 200)), undefined);
  t.equal(decodeCheckAnswer(Buffer.from([1, 0, 0, 0, 0])), undefined, 'compressed');
  t.equal(decodeCheckAnswer(Buffer.from([0, 0, 0, 0, 9, 8])), undefined, 'cut short');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), bytes => {
      decodeCheckAnswer(Buffer.from(bytes));
      decodeCheckAnswer(frame(...bytes));
    }),
  );
});
