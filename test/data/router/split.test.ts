import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { compileSplit } from '../../../lib/data/router/split.ts';

t.test('requests are shared by weight', async t => {
  const split = compileSplit(
    [
      { cluster: 'a', weight: 90 },
      { cluster: 'off', weight: 0 },
      { cluster: 'b', weight: 10 },
    ],
    'r',
  );
  const random = seededRandom(7);
  const counts: Record<string, number> = { a: 0, b: 0, off: 0 };
  for (let i = 0; i < 10_000; i++) counts[split.choose(random)]!++;
  t.ok(counts.b! > 850 && counts.b! < 1150, `${counts.b}`);
  t.equal(counts.off, 0);
  t.same(split.clusters, ['a', 'off', 'b']);
});

t.test('a lease keeps its cluster while that has weight', async t => {
  const split = compileSplit(
    [
      { cluster: 'a', weight: 1 },
      { cluster: 'b', weight: 0 },
      { cluster: 'c', weight: 0.001 },
    ],
    'r',
  );
  const random = { next: () => 0.5 };
  t.equal(split.choose(random, 'c'), 'c');
  t.equal(split.choose(random, 'b'), 'a');
  t.equal(split.choose(random, 'gone'), 'a');
  t.equal(split.choose({ next: () => 1 - Number.EPSILON }), 'c');
});

t.test('some cluster must have weight', async t => {
  t.throws(() => compileSplit([{ cluster: 'a', weight: 0 }], 'r'), { code: 'CONFIG_INVALID' });
});
