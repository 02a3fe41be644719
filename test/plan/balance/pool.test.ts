// The pool follows foreseen demand: up at once, down late and in steps, and nobody moves who need not.

import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { Pool } from '../../../lib/plan/balance/pool.ts';

const ids = Array.from({ length: 40 }, (_, i) => `backend-${i}`);

t.test('it grows at once, and to all when demand is not known', async t => {
  const pool = new Pool('a');
  t.equal(pool.decide(ids, 6.5, 0).joined.length, 10);
  t.equal(pool.decide(ids, 13, 250).joined.length, 10);
  t.equal(pool.decide(ids, Number.NaN, 500).joined.length, 20);
  t.same(pool.decide(ids, 1e9, 750), { joined: [], left: [] });
});

t.test('it shrinks after a while, a fifth at a step, and not when demand comes back in between', async t => {
  const pool = new Pool('a');
  pool.decide(ids, 26, 0);
  t.equal(pool.members.length, 40);
  for (let ms = 250; ms < 20_250; ms += 250) pool.decide(ids, 6.5, ms);
  t.equal(pool.members.length, 40);
  pool.decide(ids, 6.5, 20_250);
  t.equal(pool.members.length, 32);
  for (let ms = 20_500; ms < 120_000; ms += 250) pool.decide(ids, ms % 5_000 === 0 ? 20.8 : 6.5, ms);
  t.equal(pool.members.length, 32, 'every 5 s demand needed 32');
  for (let ms = 120_000; ms < 1_200_000; ms += 250) pool.decide(ids, 0, ms);
  t.equal(pool.members.length, 3, 'never fewer');
});

t.test('a backend that goes is replaced by one, and has its place back when it returns', async t => {
  const pool = new Pool('a');
  pool.decide(ids, 13, 0);
  const before = pool.members;
  const gone = before[7]!;
  const { joined, left } = pool.decide(
    ids.filter(id => id !== gone),
    13,
    250,
  );
  t.same(left, [gone]);
  t.equal(joined.length, 1);
  t.same(pool.decide(ids, 13, 500), { joined: [gone], left: joined });
  t.same(pool.members, before);
});

t.test(
  'churn over a day of waves is at most 1.2 of the least: what the sizes themselves differ by',
  async t => {
    const random = seededRandom(4);
    const pool = new Pool('a');
    let [churn, least, size] = [0, 0, 0];
    for (let second = 0; second < 86_400; second += 5) {
      const wave = 0.45 + 0.35 * Math.sin((2 * Math.PI * second) / 14_400);
      const demand = 40 * wave * 0.6 * (1 + 0.1 * (random.next() - 0.5));
      const { joined, left } = pool.decide(ids, demand, second * 1_000);
      churn += joined.length + left.length;
      least += Math.abs(pool.members.length - size);
      size = pool.members.length;
    }
    t.ok(churn <= 1.2 * least, `seed 4: ${churn} against ${least}`);
    t.ok(churn < 86_400 / 60, `${churn} changes in a day`);
  },
);

t.test('proxies have orders of their own: together they use all alike', async t => {
  const counts = new Map<string, number>();
  for (let proxy = 0; proxy < 100; proxy++) {
    const pool = new Pool(`proxy-${proxy}`);
    pool.decide(ids, 6.5, 0);
    for (const id of pool.members) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  t.equal(counts.size, 40);
  t.ok(
    Math.max(...counts.values()) < 45 && Math.min(...counts.values()) > 10,
    [...counts.values()].join(' '),
  );
});
