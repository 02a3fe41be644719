// What a stream has still to tell while nobody reads it.

import t from 'tap';
import type { BackendStatusNews, LeaseNews } from '../../lib/orders/leases.ts';
import { NewsQueue } from '../../lib/rpc/news-queue.ts';

const migration = (id: string): LeaseNews => ({
  ...{ kind: 'migration', id, connection: 'a', ticket: 'b', reason: 'drain', deadlineMs: 1 },
});
const status = (status: BackendStatusNews['status']): LeaseNews => ({
  kind: 'status',
  status: { backend: 'b1', status, load: null, forecast: null },
});
const { signal } = new AbortController();

t.test('migrations first, of all else the latest', async t => {
  const queue = new NewsQueue();
  for (const one of [status('draining'), { kind: 'heartbeat' } as const, migration('1'), status('down')])
    queue.heard(one);
  t.same(await queue.next(signal), migration('1'));
  t.same(await queue.next(signal), status('down'));
  t.same(await queue.next(signal), { kind: 'heartbeat' });
});

t.test('a stream that is not read does not grow: it ends, told what it has', async t => {
  const queue = new NewsQueue();
  for (let i = 0; i < 1_000; i++) queue.heard(migration(String(i)));
  for (let i = 0; i < 16; i++) t.same(await queue.next(signal), migration(String(i)));
  t.equal(await queue.next(signal), 'slow');
});

t.test('waits for news, for the end, and for the client to leave', async t => {
  const queue = new NewsQueue();
  const next = queue.next(signal);
  queue.heard(migration('1'));
  t.same(await next, migration('1'));
  const gone = new AbortController();
  const never = queue.next(gone.signal);
  gone.abort();
  t.equal(await never, null);
  queue.over('superseded');
  queue.over('lapsed');
  t.equal(await queue.next(signal), 'superseded', 'the first word counts');
});
