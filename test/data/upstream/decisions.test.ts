// The pure parts: which fields pass, what an error means, when a connection is asked whether it lives, what a pool's key holds.

import t from 'tap';
import { siftAnswerFields } from '../../../lib/data/upstream/answer-fields.ts';
import { upstreamKey } from '../../../lib/data/upstream/create.ts';
import { failureOf } from '../../../lib/data/upstream/failure.ts';
import { isGrpc, lackOf, promisedBytes, resetFailure } from '../../../lib/data/upstream/http2-finish.ts';
import { Pulse } from '../../../lib/data/upstream/http2-pulse.ts';
import { acceptOf, withAccept, withKey, withoutAccept } from '../../../lib/data/upstream/websocket-key.ts';
import { backendEntry, clusterEntry } from '../../support/upstreams.ts';

t.test(
  'answer fields: named by Connection and connection-specific ones go, pseudo-fields too',
  async test => {
    const { fields, problem } = siftAnswerFields([
      ...[':status', '200', 'A', '1', 'CONNECTION', ' a , Close', 'connection', 'B', 'b', '2', 'te', 'x'],
      ...['C', '3', 'Transfer-Encoding', ' Chunked ', 'upgrade', 'h2c', 'Close', 'kept'],
    ]);
    test.same(fields, ['C', '3', 'Close', 'kept']);
    test.equal(problem, '');
    test.match(siftAnswerFields(['transfer-encoding', 'gzip']).problem, /gzip/);
  },
);

t.test('an error of a connection is judged by how far the request had come', async test => {
  const reset = Object.assign(new Error('read'), { code: 'ECONNRESET' });
  const judge = (started: boolean, answerBegun: boolean, reused: boolean): string => {
    const { reason, sent } = failureOf(reset, { started, answerBegun, headSeen: answerBegun, reused });
    return `${reason.code} ${sent}`;
  };
  test.equal(judge(false, false, false), 'CONNECT_FAILED false');
  test.equal(judge(true, false, true), 'STALE_CONNECTION true');
  test.equal(judge(true, false, false), 'ANSWER_CUT true');
  test.equal(judge(true, true, true), 'ANSWER_CUT true');
  const alert = Object.assign(new Error('alert'), { code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
  const late = failureOf(alert, { started: true, answerBegun: false, headSeen: false, reused: false });
  test.equal(late.reason.code, 'TLS_FAILED');
  const bug = failureOf(new TypeError('x is not a function'), {
    ...{ started: true, answerBegun: true, headSeen: true, reused: false },
  });
  test.equal(bug.reason.code, 'INTERNAL');
});

t.test('an HTTP/2 answer lacks what it promised', async test => {
  const whole = { status: 200, fields: [], trailers: [], promised: -1, received: 0, endStream: true };
  test.equal(lackOf(whole), '');
  test.match(lackOf({ ...whole, endStream: false }), /END_STREAM/);
  test.match(lackOf({ ...whole, promised: 2, received: 1 }), /1 bytes came of 2/);
  const grpc = { ...whole, fields: ['Content-Type', 'application/grpc+proto'] };
  test.match(lackOf(grpc), /grpc-status/);
  test.equal(lackOf({ ...grpc, trailers: ['grpc-status', '0'] }), '');
  test.notOk(isGrpc(503, grpc.fields), 'an error page may carry any type');
  test.equal(promisedBytes('HEAD', 200, ['content-length', '5']), -1);
  test.equal(promisedBytes('GET', 304, ['content-length', '5']), -1);
  test.equal(promisedBytes('GET', 200, ['content-length', '5']), 5);
});

t.test('a stream that ended early is judged by what is certain', async test => {
  const facts = { rstCode: 8, headSeen: false, neverProcessed: false, stale: false, connection: null };
  const judge = (changes: Partial<Parameters<typeof resetFailure>[0]>): string => {
    const { reason, sent } = resetFailure({ ...facts, ...changes });
    return `${reason.code} ${sent}`;
  };
  test.equal(judge({}), 'ANSWER_CUT true');
  test.equal(judge({ rstCode: 7 }), 'REFUSED_STREAM false');
  test.equal(judge({ rstCode: 7, headSeen: true }), 'ANSWER_CUT true');
  test.equal(judge({ neverProcessed: true }), 'REFUSED_STREAM false');
  test.equal(judge({ stale: true }), 'STALE_CONNECTION true');
  test.equal(judge({ rstCode: 1 }), 'BAD_ANSWER true');
  test.equal(judge({ rstCode: 0 }), 'ANSWER_CUT true');
  test.equal(judge({ connection: { code: 'BAD_ANSWER', detail: 'flood' } }), 'BAD_ANSWER true');
});

t.test('a connection is pinged once per doubt, and seldom while it proves alive', async test => {
  const pulse = new Pulse();
  const pings: number[] = [];
  let bytes = 100;
  const run = (fromS: number, toS: number, streams: number): void => {
    for (let s = fromS; s < toS; s += 5) {
      if (!pulse.needsPing(bytes, streams, 5000)) continue;
      pings.push(s);
      bytes += 17;
      pulse.proved(bytes);
    }
  };
  run(0, 100, 0);
  test.same(pings, [], 'an idle one is left alone');
  pulse.doubt();
  run(100, 1000, 1);
  test.same(pings, [105, 405, 705]);
  // New requests keep coming while nothing is heard: the doubt does not begin anew with each.
  pings.length = 0;
  for (let s = 1000; s < 1030; s += 5) {
    pulse.doubt();
    run(s, s + 5, 1);
  }
  test.same(pings, [1005, 1015, 1025]);
});

t.test('a pool is kept exactly as long as nothing of it changes', async test => {
  const backend = backendEntry('http://127.0.0.1:1');
  const key = upstreamKey(clusterEntry(), backend);
  test.equal(upstreamKey(clusterEntry({ limits: { concurrency: 5 } }), { ...backend, weight: 9 }), key);
  test.equal(upstreamKey(clusterEntry(), backendEntry('http://127.0.0.1:1/')), key);
  const others = [
    upstreamKey(clusterEntry(), backendEntry('http://127.0.0.1:2')),
    upstreamKey(clusterEntry({ protocol: 'h2' }), backend),
    upstreamKey(clusterEntry({ timeouts: { keep_alive: '9s' } }), backend),
    upstreamKey(clusterEntry({ timeouts: { connect: '9s' } }), backend),
    upstreamKey(clusterEntry({ limits: { connections: 3 } }), backend),
    upstreamKey(clusterEntry({ tls: { server_name: 'x' } }), backend),
    upstreamKey(clusterEntry({ tls: { verify: false } }), backend),
    upstreamKey({ ...clusterEntry(), tls: { key: 'SECRET' } }, backend),
  ];
  test.equal(new Set([key, ...others]).size, others.length + 1);
  test.notMatch(others.at(-1)!, /SECRET/);
});

t.test(
  'WebSocket keys: made where they lack, checked where they were made, answered where they were sent',
  async test => {
    test.equal(acceptOf('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    test.equal(withKey(['sec-websocket-key', 'a']).ownKey, null);
    const made = withKey(['A', '1']);
    test.equal(Buffer.from(made.ownKey!, 'base64').length, 16);
    test.same(withoutAccept(['sec-websocket-accept', acceptOf(made.ownKey!), 'B', '2'], made.ownKey!), [
      'B',
      '2',
    ]);
    test.equal(withoutAccept([], made.ownKey!), null);
    test.same(withAccept(['B', '2'], ['A', '1']), ['B', '2']);
    test.same(withAccept([], ['Sec-WebSocket-Key', 'x']), ['Sec-WebSocket-Accept', acceptOf('x')]);
  },
);
