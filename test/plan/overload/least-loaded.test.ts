import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { oneOfLeastLoaded } from '../../../lib/plan/overload/least-loaded.ts';

t.test('one of the least loaded quarter, each as often', async t => {
  const random = seededRandom(3);
  const loads = Array.from({ length: 12 }, (_, i) => ({ name: i, load: (i * 5) % 12 }));
  const counts = new Map<number, number>();
  for (let i = 0; i < 3000; i++) {
    const { load } = oneOfLeastLoaded(loads, one => one.load, random)!;
    counts.set(load, (counts.get(load) ?? 0) + 1);
  }
  t.same([...counts.keys()].sort(), [0, 1, 2]);
  for (const count of counts.values()) t.ok(Math.abs(count - 1000) < 120, `${count}`);
});

t.test('of few, two; of one, that; of none, nobody', async t => {
  const random = seededRandom(3);
  const seen = new Set(Array.from({ length: 50 }, () => oneOfLeastLoaded([3, 1, 2], one => one, random)));
  t.same(seen, new Set([1, 2]));
  t.equal(
    oneOfLeastLoaded([9], one => one, random),
    9,
  );
  t.equal(
    oneOfLeastLoaded([], () => 0, random),
    undefined,
  );
});
