import t from 'tap';
import { MaglevPicker, maglevTable } from '../../../lib/plan/balance/maglev.ts';
import type { Candidate } from '../../../lib/plan/balance/picker.ts';
import { request, same, slotOf, World } from './world.ts';

const SIZE = 65_537;
const candidates = (weights: readonly number[]): Candidate[] => new World(weights).candidates;

/** Ids of the owners, entry by entry. */
const owners = (of: readonly Candidate[], size = SIZE): string[] =>
  Array.from(maglevTable(of, size), index => of[index]!.id);

t.test('all who know the same backends have the same table, in whatever order they know them', async t => {
  const one = candidates([1, 2, 1, 3, 1]);
  t.strictSame(owners(one), owners(one.toReversed()));
});

t.test('shares are even to within an entry, and follow the weights', async t => {
  for (const weights of [same(3), same(100), [1, 2, 4, 8], [0.05, 1, 1], [1000, 1]]) {
    const of = candidates(weights);
    const counts = new Map<string, number>();
    for (const id of owners(of)) counts.set(id, (counts.get(id) ?? 0) + 1);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const [i, weight] of weights.entries()) {
      const fair = (SIZE * weight) / total;
      const has = counts.get(of[i]!.id) ?? 0;
      if (Math.abs(has - fair) > 2)
        t.fail(`${has} entries, fair are ${fair.toFixed(1)}, of ${weights.length}`);
    }
  }
});

t.test('a backend that leaves gives up its entries and few of the others change their owner', async t => {
  for (const count of [3, 10, 100]) {
    const of = candidates(same(count));
    const before = owners(of);
    const gone = of[1]!.id;
    const after = owners(of.toSpliced(1, 1));
    const others = before.filter(id => id !== gone).length;
    const moved = before.filter((id, entry) => id !== gone && after[entry] !== id).length;
    t.ok(
      moved / others < 0.06,
      `${((100 * moved) / others).toFixed(2)} % of ${count - 1} backends' entries moved`,
    );
    const back = owners(of);
    t.strictSame(back, before, 'and all is as before when it comes back');
  }
});

t.test('a weight that changes moves little more than it must', async t => {
  const of = candidates(same(10));
  const before = owners(of);
  const after = owners(of.with(0, { ...of[0]!, weight: 0.5 }));
  const moved = before.filter((id, entry) => id !== after[entry]).length / SIZE;
  t.ok(moved > 0.04 && moved < 0.12, `${moved.toFixed(3)} moved, 0.047 must`);
});

t.test(
  'one key has one backend; when that is vetoed, keys spread over the others and stay there',
  async t => {
    const of = candidates(same(5));
    const picker = new MaglevPicker(of, SIZE);
    const spilled = new Map<number, number>();
    for (let key = 0; key < 5_000; key++) {
      const own = picker.pick(request(key));
      if (picker.pick(request(key)) !== own) t.fail('another backend');
      if (own !== slotOf(0)) continue;
      const accepts = (slot: number) => slot !== own;
      const other = picker.pick(request(key, accepts));
      if (picker.pick(request(key, accepts)) !== other) t.fail('another backend');
      spilled.set(other, (spilled.get(other) ?? 0) + 1);
    }
    t.equal(spilled.size, 4);
    t.ok(Math.max(...spilled.values()) < 2 * Math.min(...spilled.values()), [...spilled.values()].join());
    t.equal(
      picker.pick(request(7, slot => slot === slotOf(3))),
      slotOf(3),
      'the last that is accepted is found',
    );
    t.equal(picker.pick(request(7, () => false)), -1);
    t.equal(new MaglevPicker([], SIZE).pick(request(1)), -1);
  },
);

t.test('it says who owns a key and why another has it', async t => {
  const picker = new MaglevPicker(candidates(same(3)), 251);
  const own = picker.pick(request(9));
  const free = picker.explain(request(9));
  t.equal(free.choice, own);
  t.match(free.rule, /the owner/);
  t.equal(free.standings.find(({ candidate }) => candidate.slot === own)!.remark, 'owns the key');
  const vetoed = picker.explain(request(9, slot => slot !== own));
  t.not(vetoed.choice, own);
  t.match(vetoed.rule, /the next/);
});
