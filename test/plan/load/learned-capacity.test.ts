import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { LearnedCapacity } from '../../../lib/plan/load/learned-capacity.ts';
import type { Second } from '../../../lib/plan/load/seconds.ts';

const second = (atMs: number, inFlight: number, latencyMs: number, more: Partial<Second> = {}): Second => {
  const answersPerSecond = (1000 * inFlight) / latencyMs;
  return {
    ...{ atMs, inFlight, latencyMs, answersPerSecond, requestsPerSecond: answersPerSecond },
    ...{ errorsPerSecond: 0, connections: 0, bytesInPerSecond: 0, bytesOutPerSecond: 0 },
    ...more,
  };
};

/** A second later at each call. */
function ticker(): () => number {
  let atMs = 0;
  return () => {
    atMs += 1000;
    return atMs;
  };
}

/** A backend of so many places: whoever finds none waits. */
const queued = (atMs: number, places: number, wanted: number, serviceMs: number): Second =>
  second(atMs, wanted, serviceMs * Math.max(1, wanted / places));

t.test('a wall that is met is learned, and is the capacity from then on', async t => {
  const random = seededRandom(3);
  const capacity = new LearnedCapacity();
  const time = ticker();
  for (let i = 0; i < 60; i++) capacity.learn(queued(time(), 8, 2 + 2 * random.next(), 20));
  t.equal(capacity.proven, false, 'nothing was ever in its way');
  for (let i = 0; i < 20; i++) capacity.learn(queued(time(), 8, 20 + random.next(), 20));
  t.equal(capacity.proven, true);
  t.ok(capacity.room > 5 && capacity.room < 12, `room ${capacity.room} of 8`);
  for (let i = 0; i < 700; i++) capacity.learn(queued(time(), 8, 2, 20));
  t.equal(capacity.proven, false, 'walls are forgotten in ten minutes');
});

t.test('latency that rises alone is no wall, and neither is one odd second', async t => {
  const capacity = new LearnedCapacity();
  const time = ticker();
  for (let i = 0; i < 60; i++) capacity.learn(second(time(), 6, 20));
  capacity.learn(second(time(), 20, 80));
  t.equal(capacity.proven, false);
  for (let i = 0; i < 5; i++) capacity.learn(second(time(), 1, 80));
  t.equal(capacity.proven, false);
});

t.test('errors that come fast teach nothing', async t => {
  const capacity = new LearnedCapacity();
  const time = ticker();
  for (let i = 0; i < 30; i++) capacity.learn(second(time(), 6, 20));
  const { serviceMs } = capacity;
  for (let i = 0; i < 60; i++) capacity.learn(second(time(), 0.3, 1, { errorsPerSecond: 300 }));
  t.equal(capacity.serviceMs, serviceMs);
});

t.test('silence and nonsense are borne', async t => {
  const capacity = new LearnedCapacity();
  capacity.learn(second(1000, 0, Number.NaN, { answersPerSecond: 0 }));
  capacity.learn(second(2000, 5, Number.NaN, { answersPerSecond: 0 }));
  capacity.learn(second(3000, 5, 20));
  t.ok(capacity.room > 0 && capacity.room < 100);
});

t.test(
  'a collapse is fewer answers to more requests, and is forgotten when nothing more is heard',
  async t => {
    const capacity = new LearnedCapacity();
    const time = ticker();
    for (let i = 0; i < 60; i++) capacity.learn(second(time(), 6, 20));
    t.equal(capacity.share(60_000), 1);
    capacity.learn(second(time(), 12, 400));
    t.equal(capacity.share(61_000), 1, 'one odd second is none');
    capacity.learn(second(time(), 12, 400));
    t.ok(
      Math.abs(capacity.share(62_000) - 0.1) < 0.01,
      `30 of 300 answers a second: ${capacity.share(62_000)}`,
    );
    t.ok(capacity.share(72_000) > 0.5, 'half of what is missing after ten seconds without a word');
    capacity.learn(second(time(), 6, 20));
    t.equal(capacity.share(63_000), 1, 'who answers as usual again has all of it');
  },
);

t.test('other work, less work and more work are no collapse', async t => {
  const capacity = new LearnedCapacity();
  const time = ticker();
  for (let i = 0; i < 60; i++) capacity.learn(second(time(), 6, 20));
  for (let i = 0; i < 5; i++) capacity.learn(second(time(), 0.6, 20));
  t.equal(capacity.share(65_000), 1, 'fewer requests');
  for (let i = 0; i < 5; i++) capacity.learn(queued(time(), 8, 40, 20));
  t.equal(capacity.share(70_000), 1, 'full, and as fast as it can');
  for (let i = 0; i < 5; i++) capacity.learn(second(time(), 40, 130));
  t.equal(capacity.share(75_000), 1, 'long requests beside the usual ones');
});
