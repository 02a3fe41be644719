// One figure of all that a backend has to bear.

import t from 'tap';
import { ObservedLoad } from '../../../lib/plan/load/observed.ts';
import {
  isSized,
  type Resource,
  type ScoreInput,
  type Share,
  scoreOf,
} from '../../../lib/plan/load/score.ts';
import type { Second } from '../../../lib/plan/load/seconds.ts';
import { type BackendSignals, NO_SIGNALS } from '../../../lib/plan/load/signals.ts';

const NOW_MS = 100_000;
const SECOND: Second = {
  ...{ atMs: NOW_MS, requestsPerSecond: 50, answersPerSecond: 50, errorsPerSecond: 0, latencyMs: 20 },
  ...{ inFlight: 10, connections: 20, bytesInPerSecond: 0, bytesOutPerSecond: 0 },
};

interface Given extends Partial<Pick<ScoreInput, 'capacity' | 'learned' | 'doubt'>> {
  readonly second?: Partial<Second> | null;
  readonly errorShare?: number;
  readonly says?: Partial<Record<keyof BackendSignals, number>>;
  /** Of the reports. */
  readonly ageMs?: number;
  readonly everyMs?: number;
}

function score({ second = {}, errorShare = 0, says = {}, ageMs = 0, everyMs = 0, ...more }: Given) {
  const seen = new ObservedLoad();
  seen.now = second === null ? null : { ...SECOND, ...second };
  seen.errorShare = errorShare;
  const readings = Object.entries(says).map(([kind, value]) => [
    kind,
    { value, atMs: NOW_MS - ageMs, source: 'orca', everyMs },
  ]);
  const signals: BackendSignals = { ...NO_SIGNALS, ...Object.fromEntries(readings) };
  const usual = { capacity: {}, learned: { room: 100, proven: true }, doubt: 'none' } as const;
  return scoreOf({ ...usual, ...more, seen, signals, nowMs: NOW_MS });
}

const shareOf = (given: Given, resource: Resource): Share | undefined =>
  score(given)?.shares.find(share => share.resource === resource);
const near = (value: number | undefined, wanted: number): boolean => Math.abs((value ?? -1) - wanted) < 1e-9;

t.test('the largest share counts, and says which it is', async t => {
  const says = { cpu: 0.2, application: 0.3, network: 0.4, disk: 0.5, memory: 0.5 };
  const capacity = { connections: 40, concurrency: 100, requests_per_second: 200 };
  t.match(score({ says, capacity }), { load: 0.5, resource: 'connections' });
  for (const kind of ['cpu', 'application', 'network', 'disk'] as const)
    t.match(score({ says: { ...says, [kind]: 0.9 }, capacity }), { load: 0.9, resource: kind });
  t.match(score({ says, capacity, second: { inFlight: 95 } }), { load: 0.95, resource: 'in_flight' });
  t.match(score({ says, capacity, second: { requestsPerSecond: 220 } }), { load: 1.1, resource: 'requests' });
  t.equal(score({ second: { inFlight: 5_000 }, capacity: { concurrency: 1 } })!.load, 8, 'at most 8');
});

t.test('connections and requests are no share of anything without a capacity', async t => {
  t.equal(shareOf({}, 'connections'), undefined);
  t.equal(shareOf({ says: { requestsPerSecond: 900 } }, 'requests'), undefined);
});

t.test('configured capacity counts before reported, and that before learned', async t => {
  const learned = { room: 20, proven: true };
  t.match(shareOf({ learned }, 'in_flight'), { share: 0.5, capacity: 'learned' });
  t.match(shareOf({ learned, says: { capacity: 40 } }, 'in_flight'), { share: 0.25, capacity: 'reported' });
  t.match(shareOf({ learned, says: { capacity: 40 }, capacity: { concurrency: 50 } }, 'in_flight'), {
    share: 0.2,
    capacity: 'configured',
  });
  for (const [name, more] of [
    ['old', { says: { capacity: 40 }, ageMs: 10_001 }],
    ['doubted', { says: { capacity: 40 }, doubt: 'contradicts' }],
    ['none', { says: { capacity: 0 } }],
    ['NaN', { says: { capacity: Number.NaN } }],
  ] as const)
    t.match(shareOf({ learned, ...more }, 'in_flight'), { capacity: 'learned' }, name);
});

t.test('guessed room is no overload, unless its reports are doubted', async t => {
  const learned = { room: 10, proven: false };
  t.match(shareOf({ learned }, 'in_flight'), { share: 0.5, sure: false });
  t.match(shareOf({ learned, second: { inFlight: 3 } }, 'in_flight'), { share: 0.3, sure: false });
  t.match(shareOf({ learned, doubt: 'contradicts' }, 'in_flight'), { share: 1, sure: true });
  t.match(shareOf({ learned: { room: 10, proven: true } }, 'in_flight'), { share: 1, sure: true });
});

t.test('every share knows its age, and the load has that of its own', async t => {
  const second = { atMs: NOW_MS - 700 };
  const given = { second, says: { cpu: 0.9 }, ageMs: 4_000 };
  t.match(score(given), { resource: 'cpu', ageMs: 4_000 });
  t.equal(shareOf(given, 'in_flight')!.ageMs, 700);
  t.match(score({ ...given, says: { cpu: 0.01 } }), { resource: 'in_flight', ageMs: 700 });
  t.equal(score({ second: { atMs: NOW_MS + 50 } })!.ageMs, 0, 'no age is negative');
});

t.test('what it says of its work counts where it is more than is seen, with its age', async t => {
  const capacity = { concurrency: 100, requests_per_second: 100 };
  const more = { capacity, says: { inFlight: 70, requestsPerSecond: 80 }, ageMs: 3_000 };
  t.match(shareOf(more, 'in_flight'), { share: 0.7, ageMs: 3_000 });
  t.match(shareOf(more, 'requests'), { share: 0.8, ageMs: 3_000 });
  for (const less of [
    { ...more, says: { inFlight: 7, requestsPerSecond: 8 } },
    { ...more, says: { inFlight: Number.NaN, requestsPerSecond: Number.NaN } },
    { ...more, ageMs: 10_001 },
    { ...more, doubt: 'contradicts' as const },
  ]) {
    t.match(shareOf(less, 'in_flight'), { share: 0.1, ageMs: 0 });
    t.match(shareOf(less, 'requests'), { share: 0.5, ageMs: 0 });
  }
});

t.test('memory is no load until 85 % of it are full', async t => {
  for (const [memory, share] of [
    [0, 0],
    [0.8, 0],
    [0.85, 0],
    [0.925, 0.5],
    [0.985, 0.9],
    [1, 1],
  ] as const)
    t.ok(near(shareOf({ says: { memory } }, 'memory')?.share, share), `${memory} is ${share}`);
});

t.test('a report counts for ten seconds, and not at all while it is contradicted', async t => {
  const says = { cpu: 0.9 };
  t.match(score({ says, ageMs: 10_000 }), { load: 0.9, ageMs: 10_000 });
  t.match(score({ says, ageMs: 10_001 }), { load: 0.1, resource: 'in_flight' });
  t.match(score({ says, doubt: 'contradicts' }), { load: 0.1, resource: 'in_flight' });
  t.match(score({ says, doubt: 'absurd' }), { load: 0.9 }, 'one wrong value does not cost the others');
});

t.test('nonsense is left out value by value', async t => {
  for (const value of [Number.NaN, -1, 8.5, Number.POSITIVE_INFINITY]) {
    const result = score({ says: { cpu: value, application: 0.4 } });
    t.match(result, { load: 0.4, resource: 'application' }, `${value}`);
    t.notOk(result!.shares.some(({ resource }) => resource === 'cpu'));
  }
  const unknown = score({ second: { inFlight: Number.NaN, connections: Number.NaN }, says: { cpu: 0.3 } });
  t.match(unknown, { load: 0.3, resource: 'cpu' });
});

t.test('nothing is known of a backend that was not seen and said nothing', async t => {
  t.equal(score({ second: null }), null);
  t.match(
    score({ second: null, says: { cpu: 0.3 } }),
    { load: 0.3, resource: 'cpu' },
    'its word is something',
  );
  t.equal(score({ second: null, says: { cpu: Number.NaN } }), null);
});

t.test('errors that come fast do not look light', async t => {
  const quick = { inFlight: 0.01, latencyMs: 0.2, errorsPerSecond: 50 };
  t.match(score({ second: quick, errorShare: 0.97, says: { cpu: 0.01 } }), {
    load: 0.97,
    resource: 'errors',
  });
});

t.test('only what rises with the work it is given makes a load that is sized', async t => {
  const guess = { room: 100, proven: false };
  t.equal(isSized(score({ learned: guess })!), false, 'a guess');
  t.equal(isSized(score({ learned: guess, errorShare: 1 })!), false, 'errors');
  t.equal(isSized(score({ learned: guess, says: { memory: 0.99, disk: 0.99 } })!), false);
  t.equal(isSized(score({ learned: guess, says: { cpu: 0.1 } })!), true);
  t.equal(isSized(score({ learned: guess, capacity: { connections: 50 } })!), true);
  t.equal(isSized(score({})!), true, 'room whose end was met');
});

t.test('a report counts until two and a half questions later, ten seconds at least', async t => {
  for (const [everyMs, ageMs, counts] of [
    [0, 10_000, true],
    [0, 10_001, false],
    [1_000, 10_000, true],
    [1_000, 10_001, false],
    [60_000, 150_000, true],
    [60_000, 150_001, false],
  ] as const) {
    const given = { says: { cpu: 0.9, inFlight: 50 }, capacity: { concurrency: 100 }, ageMs, everyMs };
    t.equal(
      shareOf(given, 'cpu')?.ageMs,
      counts ? ageMs : undefined,
      `asked every ${everyMs} ms, ${ageMs} ms old`,
    );
    t.equal(shareOf(given, 'in_flight')?.share, counts ? 0.5 : 0.1);
  }
});
