// What every store must do, whatever is underneath: run for each adapter.

import type { Test } from 'tap';
import {
  type LeaseStore,
  MAX_KEY_LENGTH,
  MAX_OPERATIONS,
  MAX_VALUE_BYTES,
  type StoreEvent,
} from '../../lib/control/store/store.ts';
import { seededRandom } from '../../lib/core/random.ts';

export interface StoreSetting {
  /** Another client of the same data: a second process, or the next life of the first. */
  open(): Promise<LeaseStore>;
  /** Makes the store forget the history before `revision`. */
  compact(store: LeaseStore, revision: number): Promise<void>;
}

const never = new AbortController().signal;

export function storeContract(t: Test, setting: (t: Test) => Promise<StoreSetting>): void {
  const opened = async (t: Test): Promise<{ store: LeaseStore; setting: StoreSetting }> => {
    const made = await setting(t);
    const store = await made.open();
    t.teardown(() => store[Symbol.asyncDispose]());
    return { store, setting: made };
  };
  const put = async (store: LeaseStore, key: string, value: unknown): Promise<number> => {
    const result = await store.commit([], [{ key, value }]);
    return result.revision;
  };

  t.test('lists what was written, by prefix, in the order of the keys', async t => {
    const { store } = await opened(t);
    const empty = await store.list('');
    t.same(empty.records, []);
    await put(store, 'b/2', { n: 2 });
    await put(store, 'a~', 'tilde');
    const last = await put(store, 'b/1', [1, null, 'ü']);
    const { records, revision } = await store.list('b/');
    t.equal(revision, last);
    t.same(
      records.map(({ key, value }) => [key, value]),
      [
        ['b/1', [1, null, 'ü']],
        ['b/2', { n: 2 }],
      ],
    );
    t.equal(records[0]!.revision, last);
    t.ok(records[1]!.revision < last);
    t.same(
      (await store.list('')).records.map(({ key }) => key),
      ['a~', 'b/1', 'b/2'],
    );
    t.same((await store.list('c')).records, []);
  });

  t.test('a prefix is no pattern', async t => {
    const { store } = await opened(t);
    for (const key of ['a%b', 'a_b', 'a*b', "a'b", 'axb', 'A%b', 'a/~~']) await put(store, key, 1);
    for (const prefix of ['a%', 'a_', 'a*', "a'", 'A', 'a/~'])
      t.equal((await store.list(prefix)).records.length, 1, prefix);
  });

  t.test('checks hold a commit back as a whole, and say what is there', async t => {
    const { store } = await opened(t);
    const first = await put(store, 'k', 'one');
    const refused = await store.commit(
      [
        { key: 'k', revision: first - 1 },
        { key: 'gone', revision: 4 },
        { key: 'free', revision: 0 },
      ],
      [
        { key: 'k', value: 'two' },
        { key: 'other', value: 'x' },
      ],
    );
    t.same(refused, {
      ok: false,
      revision: first,
      found: [
        { key: 'k', record: { key: 'k', value: 'one', revision: first } },
        { key: 'gone', record: null },
      ],
    });
    t.equal((await store.list('')).records.length, 1, 'nothing was written');
    const taken = await store.commit([{ key: 'k', revision: first }], [{ key: 'k', value: 'two' }]);
    t.equal(taken.ok, true);
    t.ok(taken.revision > first);
    const late = await store.commit([{ key: 'k', revision: first }], [{ key: 'k', value: 'three' }]);
    t.equal(late.ok, false, 'the second who read the same revision loses');
  });

  t.test('a check of 0 is won by one of many', async t => {
    const { store, setting } = await opened(t);
    const other = await setting.open();
    t.teardown(() => other[Symbol.asyncDispose]());
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        (i % 2 === 0 ? store : other).commit([{ key: 'lock', revision: 0 }], [{ key: 'lock', value: i }]),
      ),
    );
    t.equal(results.filter(({ ok }) => ok).length, 1);
    const winner = results.findIndex(({ ok }) => ok);
    t.equal((await other.list('lock')).records[0]!.value, winner);
  });

  t.test('a commit without writes asks; deleting what is not there changes nothing', async t => {
    const { store } = await opened(t);
    const at = await put(store, 'k', 1);
    t.same(await store.commit([{ key: 'k', revision: at }], []), { ok: true, revision: at });
    t.equal((await store.commit([{ key: 'k', revision: at + 7 }], [])).ok, false);
    t.same(await store.commit([], [{ key: 'absent', value: undefined }]), { ok: true, revision: at });
  });

  t.test('a record made again has a higher revision than it ever had', async t => {
    const { store, setting } = await opened(t);
    let highest = 0;
    for (let i = 0; i < 5; i++) {
      highest = await put(store, 'epoch', i);
      await store.commit([], [{ key: 'epoch', value: undefined }]);
    }
    await store[Symbol.asyncDispose]();
    const next = await setting.open();
    t.teardown(() => next[Symbol.asyncDispose]());
    t.same((await next.list('epoch')).records, []);
    t.ok((await put(next, 'epoch', 9)) > highest);
  });

  t.test('a value is what it was when it was committed', async t => {
    const { store } = await opened(t);
    const value = { list: [1] };
    const committing = store.commit([], [{ key: 'k', value }]);
    value.list.push(2);
    await committing;
    t.same((await store.list('k')).records[0]!.value, { list: [1] });
  });

  t.test('what no store takes is refused by name', async t => {
    const { store } = await opened(t);
    const long = 'k'.repeat(MAX_KEY_LENGTH);
    const many = Array.from({ length: MAX_OPERATIONS + 1 }, (_, i) => ({ key: `k${i}`, value: 1 }));
    await t.rejects(store.commit([], many), { code: 'CONFLICT', message: /at most 128/ });
    await t.rejects(store.commit([], [{ key: `${long}k`, value: 1 }]), { code: 'CONFLICT' });
    for (const key of ['', 'a b', 'ä', 'a\n', '\u007f'])
      await t.rejects(store.commit([], [{ key, value: 1 }]), { code: 'CONFLICT' }, JSON.stringify(key));
    await t.rejects(
      store.commit(
        [],
        [
          { key: 'k', value: 1 },
          { key: 'k', value: 2 },
        ],
      ),
      { code: 'CONFLICT', message: /twice/ },
    );
    await t.rejects(store.commit([], [{ key: 'k', value: 'x'.repeat(MAX_VALUE_BYTES) }]), {
      code: 'CONFLICT',
      message: /larger/,
    });
    await t.rejects(store.commit([], [{ key: 'k', value: () => 1 }]), { code: 'CONFLICT', message: /JSON/ });
    t.same((await store.list('')).records, []);
    const most = many.slice(1);
    t.equal((await store.commit([], most)).ok, true, 'as many as are allowed');
    await store.commit([], [{ key: long, value: 'x'.repeat(MAX_VALUE_BYTES - 2) }]);
    t.equal((await store.list(long)).records.length, 1, 'as large as is allowed');
  });

  t.test('a watch sees each change after its revision once, in order, commits whole', async t => {
    const { store, setting } = await opened(t);
    const other = await setting.open();
    t.teardown(() => other[Symbol.asyncDispose]());
    await put(store, 'w/old', 0);
    const { revision } = await store.list('w/');
    await put(store, 'w/a', 1);
    const watching = collect(store.watch('w/', revision, never), 5);
    await put(store, 'elsewhere', 1);
    await other.commit(
      [],
      [
        { key: 'w/b', value: 2 },
        { key: 'w/a', value: undefined },
        { key: 'x', value: 1 },
      ],
    );
    await put(store, 'w/b', 3);
    await other.commit([], [{ key: 'w/old', value: undefined }]);
    const { events, batches } = await watching;
    t.same(events.map(brief), ['w/a=1', 'w/a gone', 'w/b=2', 'w/b=3', 'w/old gone']);
    t.ok(
      batches.some(batch => batch.includes('w/a gone') && batch.includes('w/b=2')),
      'both changes of a commit come together',
    );
    const revisions = events.map(event =>
      event.kind === 'put' ? event.record.revision : event.kind === 'delete' ? event.revision : 0,
    );
    t.same(
      revisions,
      revisions.toSorted((a, b) => a - b),
    );
  });

  t.test('a watch that is left ends', async t => {
    const { store } = await opened(t);
    const { revision } = await store.list('');
    const leave = new AbortController();
    const watching = collect(store.watch('', revision, leave.signal), 99);
    await put(store, 'k', 1);
    leave.abort();
    t.ok((await watching).events.length <= 1);
    const gone = AbortSignal.abort();
    t.same((await collect(store.watch('', revision, gone), 9)).events, []);
  });

  t.test('a watch from before the known history says so and ends', async t => {
    const { store, setting } = await opened(t);
    const from = await put(store, 'k', 0);
    for (let i = 0; i < 40; i++) await put(store, `k${i % 4}`, i);
    await setting.compact(store, (await store.list('')).revision);
    const { revision } = await store.list('');
    const { events } = await collect(store.watch('', from, never), 99);
    t.same(events, [{ kind: 'reset' }]);
    const after = await put(store, 'k', 1);
    const onward = await collect(store.watch('', revision, never), 1);
    t.same(onward.events, [{ kind: 'put', record: { key: 'k', value: 1, revision: after } }]);
  });

  t.test('a watcher that starts from a listing always ends with what is stored', async t => {
    const { store, setting } = await opened(t);
    const seed = Date.now() % 100_000;
    t.comment(`seed ${seed}`);
    const random = seededRandom(seed);
    const writer = await setting.open();
    t.teardown(() => writer[Symbol.asyncDispose]());
    const leave = new AbortController();
    const seen = new Map<string, unknown>();
    const listing = await store.list('m/');
    for (const { key, value } of listing.records) seen.set(key, value);
    const following = (async () => {
      for await (const batch of store.watch('m/', listing.revision, leave.signal))
        for (const event of batch) {
          if (event.kind === 'put') seen.set(event.record.key, event.record.value);
          else if (event.kind === 'delete') seen.delete(event.key);
          if (event.kind === 'put' && event.record.key === 'm/end') return;
        }
    })();
    const commits: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) {
      const key = `m/${Math.floor(random.next() * 20)}`;
      const value = random.next() < 0.3 ? undefined : i;
      commits.push((random.next() < 0.5 ? store : writer).commit([], [{ key, value }]));
      if (i % 50 === 0) await Promise.all(commits);
    }
    await Promise.all(commits);
    await put(writer, 'm/end', true);
    await following;
    const final = await store.list('m/');
    t.same([...seen].sort(), final.records.map(({ key, value }) => [key, value]).sort());
  });

  t.test('after closing, it says so', async t => {
    const { store } = await opened(t);
    const committing = store.commit([], [{ key: 'k', value: 1 }]);
    await store[Symbol.asyncDispose]();
    t.equal((await committing).ok, true, 'what was asked for before is written');
    await t.rejects(store.commit([], [{ key: 'k', value: 2 }]), { code: 'STORE_UNAVAILABLE' });
    await t.rejects(store.list(''), { code: 'STORE_UNAVAILABLE' });
    await store[Symbol.asyncDispose]();
  });
}

const brief = (event: StoreEvent): string =>
  event.kind === 'put'
    ? `${event.record.key}=${JSON.stringify(event.record.value)}`
    : event.kind === 'delete'
      ? `${event.key} gone`
      : event.kind;

/** The first `count` events, or all until the watch ends. */
async function collect(
  watch: AsyncIterable<readonly StoreEvent[]>,
  count: number,
): Promise<{ events: StoreEvent[]; batches: string[][] }> {
  const events: StoreEvent[] = [];
  const batches: string[][] = [];
  for await (const batch of watch) {
    events.push(...batch);
    batches.push(batch.map(brief));
    if (events.length >= count) break;
  }
  return { events, batches };
}
