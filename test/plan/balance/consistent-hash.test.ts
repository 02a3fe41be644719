import t from 'tap';
import { ConsistentHashPicker } from '../../../lib/plan/balance/consistent-hash.ts';
import { HashRing } from '../../../lib/plan/balance/hash-ring.ts';
import { indexOf, request, same, slotOf, World } from './world.ts';

const KEYS = 20_000;
const keyOf = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;
const build = (world: World, bound = 1.25) =>
  new ConsistentHashPicker(world.candidates, world, world.random, bound);

/** Ids by key, on idle backends. */
function owners(world: World): string[] {
  const picker = build(world);
  return Array.from(
    { length: KEYS },
    (_, i) => world.candidates.find(c => c.slot === picker.pick(request(keyOf(i))))!.id,
  );
}

t.test('all who know the same backends agree, in whatever order they know them', async t => {
  const one = new World(same(20), 1);
  const other = new World(same(20), 2);
  other.candidates.reverse();
  t.strictSame(owners(one), owners(other));
});

t.test('a backend that leaves gives up its keys and moves no other', async t => {
  for (const weights of [same(3), same(10, 1), [1, 2, 3, 4, 5]]) {
    const world = new World(weights);
    const before = owners(world);
    const [gone] = world.candidates.splice(1, 1);
    const after = owners(world);
    let moved = 0;
    for (let i = 0; i < KEYS; i++) {
      if (before[i] === gone!.id) moved += 1;
      else if (before[i] !== after[i]) t.fail(`key ${i} of ${before[i]} moved to ${after[i]}`);
    }
    const share = gone!.weight / weights.reduce((a, b) => a + b);
    t.ok(
      Math.abs(moved / KEYS - share) < 0.25 * share,
      `${moved} of ${KEYS} keys moved, its share is ${share}`,
    );
  }
});

t.test('a change of one weight moves keys only to or from that backend', async t => {
  const world = new World(same(10));
  const before = owners(world);
  const [first, ...rest] = world.candidates;
  world.candidates.splice(0, 10, { ...first!, weight: 0.5 }, ...rest);
  const after = owners(world);
  let moved = 0;
  for (let i = 0; i < KEYS; i++) {
    if (before[i] === after[i]) continue;
    moved += 1;
    if (before[i] !== first!.id) t.fail(`key ${i} left ${before[i]}`);
  }
  t.ok(moved > 0.03 * KEYS && moved < 0.07 * KEYS, `${moved} moved`);
});

t.test('shares follow the weights', async t => {
  for (const weights of [same(10), [1, 2, 4, 8], same(200)]) {
    const world = new World(weights);
    const ring = new HashRing(world.candidates);
    const counts = same(weights.length, 0);
    for (let i = 0; i < 200_000; i++) counts[ring.owners[ring.positionOf(keyOf(i))]!]! += 1;
    const total = weights.reduce((a, b) => a + b);
    for (const [i, weight] of weights.entries()) {
      const ratio = counts[i]! / 200_000 / (weight / total);
      if (ratio < 0.7 || ratio > 1.35)
        t.fail(`candidate ${i} of ${weights.length} has ${ratio} of its share`);
    }
  }
});

t.test('a look-up finds the next point clockwise, as a plain search does', async t => {
  const world = new World([1, 0.01, 30]);
  const ring = new HashRing(world.candidates);
  const seen = new Set<number>();
  for (let i = 0; i < 50_000; i++) seen.add(ring.positionOf(keyOf(i)));
  t.ok(Math.min(...seen) >= 0 && Math.max(...seen) < ring.size);
  t.ok(seen.size > 0.9 * ring.size, 'all of the ring is in use');
});

t.test('no backend is over its bound, and a hot key spills over instead of crushing one', async t => {
  for (const [count, bound] of [
    [5, 1.25],
    [50, 1.25],
    [50, 2],
  ] as const) {
    const world = new World(same(count));
    const picker = build(world, bound);
    for (let n = 1; n <= 2000; n++) {
      const key = n % 2 === 0 ? 7 : keyOf(n); // every other request is the hot key's
      world.loads[picker.pick(request(key))]! += 1;
      const most = Math.max(...world.loads);
      if (most > Math.ceil((bound * n) / count) + 1)
        t.fail(`${most} of ${n} at one of ${count}, bound ${bound}`);
    }
  }
});

t.test('the bound follows the weight', async t => {
  const world = new World([3, 1]);
  const picker = build(world, 1.1);
  for (let n = 1; n <= 1000; n++) world.loads[picker.pick(request(1))]! += 1;
  t.ok(world.loads[slotOf(0)]! <= 826 && world.loads[slotOf(1)]! <= 276, `${world.loads}`);
});

t.test('a key comes back when its backend has room again', async t => {
  const world = new World(same(4));
  const picker = build(world);
  const home = picker.pick(request(42));
  world.loads[home] = 100;
  for (let i = 0; i < 4; i++) if (slotOf(i) !== home) world.loads[slotOf(i)] = 10;
  const away = new Set(Array.from({ length: 20 }, () => picker.pick(request(42))));
  t.equal(away.size, 1, 'always the same other one');
  t.notOk(away.has(home));
  world.loads[home] = 10;
  picker.pick(request(42));
  t.equal(picker.pick(request(42)), home);
});

t.test('when all that the caller accepts are at their bound, the key’s own still serves', async t => {
  const world = new World(same(6));
  const picker = build(world, 1.05);
  world.loads[slotOf(3)] = 1000;
  t.equal(picker.pick(request(5, slot => slot === slotOf(3))), slotOf(3));
});

t.test('4,096 backends fit on the ring', async t => {
  const world = new World(same(4096));
  const picker = build(world);
  const used = new Set<number>();
  for (let i = 0; i < 100_000; i++) used.add(indexOf(picker.pick(request(keyOf(i)))));
  t.ok(used.size > 4000, `${used.size} used`);
});
