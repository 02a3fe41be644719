import t from 'tap';
import {
  formatGrpcTimeout,
  isGrpc,
  MAX_GRPC_TIMEOUT_MS,
  parseGrpcTimeoutMs,
} from '../../../lib/data/hygiene/grpc.ts';
import { forwardTrailers } from '../../../lib/data/hygiene/trailers.ts';

t.test('gRPC is known by its content type', async t => {
  for (const type of [
    'application/grpc',
    'application/grpc+proto',
    'Application/gRPC; x=y',
    'application/grpc-web+proto',
  ])
    t.ok(isGrpc(['content-type', type]), type);
  for (const type of ['application/json', 'application/grpcx', 'text/application/grpc', ''])
    t.notOk(isGrpc(['Content-Type', type]), type);
  t.notOk(isGrpc([]));
});

t.test('grpc-timeout in every unit, bounded', async t => {
  for (const [text, ms] of [
    ['1H', 3_600_000],
    ['2M', 120_000],
    ['3S', 3000],
    ['4m', 4],
    ['5u', 0.005],
    ['1000000n', 1],
    ['99999999H', MAX_GRPC_TIMEOUT_MS],
    ['123456789S', undefined],
    ['1', undefined],
    ['S', undefined],
    ['-1S', undefined],
    ['1.5S', undefined],
    [undefined, undefined],
  ] as const)
    t.equal(parseGrpcTimeoutMs(text), ms, String(text));
  t.equal(formatGrpcTimeout(1500.9), '1500m');
  t.equal(formatGrpcTimeout(0.2), '1m');
  t.equal(parseGrpcTimeoutMs(formatGrpcTimeout(Number.MAX_SAFE_INTEGER)), MAX_GRPC_TIMEOUT_MS);
});

t.test('trailers cannot change what came before them', async t => {
  const fine = ['grpc-status', '0', 'grpc-message', '', 'x-checksum', 'abc'];
  t.equal(forwardTrailers(fine), fine);
  const bad = [
    'Content-Length',
    '5',
    'transfer-encoding',
    'chunked',
    'Host',
    'x',
    'Leaseway-Epoch',
    '1',
    'X-Forwarded-For',
    '1',
    'Set-Cookie',
    'a',
    'If-Match',
    'x',
  ];
  t.same(forwardTrailers([...bad, ...fine]), fine);
});
