import t from 'tap';
import { ForecastWorld } from '../../support/forecast-world.ts';

const IDS = Array.from({ length: 20 }, (_, i) => `b${i}`);
const poolConfig = { balance: { pool: { hold: '5s' } } };
const inside = (world: ForecastWorld): string[] =>
  IDS.filter(id => world.backends.some(one => one.id === id) && world.outsideOf(id) === 0);

/** Work and capacity of a quiet cluster of twenty. */
function quiet(config: Record<string, unknown> = poolConfig): ForecastWorld {
  const world = new ForecastWorld(config, IDS);
  world.work = 40;
  return world;
}

t.test('it shrinks to what is needed step by step, and grows at once', async t => {
  const world = quiet();
  world.pass(3_000);
  t.equal(inside(world).length, 20, 'all at first');
  const sizes = new Set<number>();
  let before = new Set(IDS);
  let moved = 0;
  const each = () => {
    const now = new Set(inside(world));
    moved += [...before].filter(id => !now.has(id)).length + [...now].filter(id => !before.has(id)).length;
    before = now;
    sizes.add(now.size);
  };
  world.pass(90_000, each);
  const settled = inside(world);
  t.ok(settled.length >= 6 && settled.length <= 9, `40 of 200 places at 65 %: ${settled.length} backends`);
  t.ok(sizes.size > 3, `not all at once: ${[...sizes].join(' ')}`);
  t.ok(
    moved <= 20 - settled.length + 4,
    `${moved} moves where ${20 - settled.length} are the least possible`,
  );
  world.work = 110;
  const grownFrom = world.nowMs;
  while (inside(world).length < 16 && world.nowMs < grownFrom + 20_000) world.pass(250, each);
  t.ok(world.nowMs - grownFrom <= 5_000, `${world.nowMs - grownFrom} ms until 16 serve`);
  t.ok(
    settled.every(id => inside(world).includes(id)),
    'a larger pool is the smaller one and some more',
  );
});

t.test('operators, checks and panic count for more', async t => {
  const world = quiet();
  world.pass(90_000);
  const [gone] = inside(world);
  const size = inside(world).length;
  world.at(gone!).working = false;
  world.pass(500);
  const now = inside(world).filter(id => id !== gone);
  t.ok(now.length >= size, `${now.length}: the next in turn takes its place`);
  world.panic = true;
  world.pass(250);
  t.equal(inside(world).length, 20);
});

t.test('who joins is met by a pool that stays as it is', async t => {
  const world = quiet();
  world.pass(90_000);
  const size = inside(world).length;
  world.at('b3').slotGeneration = 2;
  for (const key of ['attempts', 'successes', 'latencySumMs'] as const) world.at('b3').counts[key] = 0;
  world.pass(2_000);
  t.ok(Math.abs(inside(world).length - size) <= 1, `${size} → ${inside(world).length}`);
});

t.test('without a known capacity, and switched off, all serve', async t => {
  const off = quiet({});
  off.pass(60_000);
  t.equal(inside(off).length, 20);
  const unknown = quiet();
  unknown.concurrency = undefined;
  unknown.pass(60_000);
  t.equal(inside(unknown).length, 20, 'a guessed capacity would shrink with the pool');
  t.equal(unknown.forecast.foreseen('b1').outside, false);
  const on = quiet();
  on.pass(60_000);
  t.ok(inside(on).length < 12);
  on.configure({});
  on.pass(250);
  t.equal(inside(on).length, 20, 'off from one tick to the next');
});
