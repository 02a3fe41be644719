// Ordinary records for telemetry tests, to be varied by the field that matters.

import type { AttemptRecord, RequestRecord } from '../../lib/telemetry/emit.ts';

export const requestRecord = (changes: Partial<RequestRecord> = {}): RequestRecord => ({
  startMs: 1_700_000_000_000.25,
  endMs: 1_700_000_000_012.75,
  client: '192.0.2.10',
  method: 'GET',
  scheme: 'https',
  authority: 'example.org',
  path: '/items/7',
  query: '?token=secret&page=2',
  version: '1.1',
  userAgent: 'test/1.0',
  requestId: 'request-1',
  listener: ':8443',
  route: 'items',
  cluster: 'web',
  backend: 'web-1',
  status: 200,
  bytesIn: 0,
  bytesOut: 512,
  attempts: ['web-1:200:12.1'],
  queuedMs: 0,
  firstByteMs: 11.5,
  lease: 'keep',
  error: '',
  detail: '',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  ...changes,
});

export const attemptRecord = (changes: Partial<AttemptRecord> = {}): AttemptRecord => ({
  spanId: '00f067aa0ba902b7',
  backend: 'web-1',
  address: '10.0.0.1',
  port: 9001,
  version: '1.1',
  number: 1,
  startMs: 1_700_000_000_001,
  endMs: 1_700_000_000_012,
  status: 200,
  error: '',
  ...changes,
});
