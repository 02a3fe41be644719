// The rule of retries, and the memory it needs.

import t from 'tap';
import { ERRORS, type ErrorCode } from '../../../lib/core/errors.ts';
import { Replay } from '../../../lib/data/exchange/replay.ts';
import { avoidsBackend, type Failure, isUnprocessed, mayRetry } from '../../../lib/data/exchange/retry.ts';

const failure = (change: Partial<Failure>): Failure => ({
  code: 'CONNECT_FAILED',
  sent: false,
  method: 'GET',
  perTry: false,
  replayable: true,
  made: 1,
  unprocessed: 0,
  attempts: 2,
  ...change,
});

t.test('what was certainly not processed may be sent again, whatever the method', async t => {
  for (const method of ['GET', 'POST', 'DELETE', 'PATCH'])
    t.ok(mayRetry(failure({ method, code: 'REFUSED_STREAM' })), method);
});

t.test('what may have been processed is sent again only when asking twice changes nothing', async t => {
  for (const method of ['GET', 'HEAD', 'OPTIONS'])
    t.ok(mayRetry(failure({ method, sent: true, code: 'STALE_CONNECTION' })), method);
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'PROPFIND'])
    t.notOk(mayRetry(failure({ method, sent: true, code: 'STALE_CONNECTION' })), method);
});

t.test('a body that is gone is the end of it, and so are the attempts', async t => {
  t.notOk(mayRetry(failure({ replayable: false })));
  t.notOk(mayRetry(failure({ made: 2 })));
  t.ok(mayRetry(failure({ made: 2, attempts: 3 })));
});

t.test('tries that nobody worked on do not count, up to three', async t => {
  const refused = { code: 'REFUSED_STREAM', method: 'POST' } as const;
  for (const tries of [1, 2, 3, 4])
    t.ok(mayRetry(failure({ ...refused, made: tries, unprocessed: tries })), `${tries} refused`);
  t.notOk(mayRetry(failure({ ...refused, made: 5, unprocessed: 5 })), 'a backend that refuses for ever');
  t.ok(mayRetry(failure({ made: 2, unprocessed: 1 })), 'one refused, then one failed');
  t.notOk(mayRetry(failure({ made: 3, unprocessed: 1 })));
  t.notOk(mayRetry(failure({ ...refused, unprocessed: 1, attempts: 1 })), 'one attempt means one');
  t.ok(isUnprocessed('REFUSED_STREAM', false));
  t.notOk(isUnprocessed('REFUSED_STREAM', true));
  t.notOk(isUnprocessed('CONNECT_FAILED', false));
});

t.test(
  'nonsense is not asked for again, and slowness only when the operator gave each try its time',
  async t => {
    t.notOk(mayRetry(failure({ code: 'BAD_ANSWER' })));
    t.notOk(mayRetry(failure({ code: 'HEAD_TIMEOUT', sent: true })));
    t.ok(mayRetry(failure({ code: 'HEAD_TIMEOUT', sent: true, perTry: true })));
    t.notOk(mayRetry(failure({ code: 'HEAD_TIMEOUT', sent: true, perTry: true, method: 'POST' })));
  },
);

t.test('nothing the client did is ever tried again', async t => {
  const clients = (Object.keys(ERRORS) as ErrorCode[]).filter(code => ERRORS[code].status < 500);
  t.ok(clients.length > 10);
  for (const code of clients) t.notOk(mayRetry(failure({ code })), code);
});

t.test('a stale connection or a refused stream says nothing against its backend', async t => {
  t.notOk(avoidsBackend('STALE_CONNECTION'));
  t.notOk(avoidsBackend('REFUSED_STREAM'));
  t.ok(avoidsBackend('CONNECT_FAILED'));
});

t.test('a body is kept while it fits, then forgotten for good', async t => {
  const replay = new Replay(10);
  replay.keep(Buffer.from('12345'));
  replay.keep(Buffer.from('67890'));
  t.ok(replay.whole);
  t.equal(Buffer.concat(replay.chunks).toString(), '1234567890');
  replay.keep(Buffer.from('x'));
  t.notOk(replay.whole);
  t.same(replay.chunks, [], 'nothing is held on to');
  replay.keep(Buffer.from('y'));
  t.notOk(replay.whole);
});
