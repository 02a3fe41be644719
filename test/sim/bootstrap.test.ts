import t from 'tap';
import { normal, streamOf } from '../../lib/sim/chance.ts';
import { meanInterval, pairedRatio } from '../../lib/sim/measure/bootstrap.ts';

t.test('the interval holds the true mean about 19 times in 20, and narrows with seeds', async t => {
  let held = 0;
  for (let trial = 0; trial < 200; trial++) {
    const random = streamOf(trial, 'sample');
    const { low, high } = meanInterval(Array.from({ length: 20 }, () => 10 + normal(random)));
    if (low <= 10 && 10 <= high) held += 1;
  }
  t.ok(held >= 175 && held <= 199, `${held} of 200, seeds 0 to 199`);
  t.same(meanInterval([4]), { value: 4, low: 4, high: 4 });
});

t.test('what a seed does to both policies cancels in a paired ratio', async t => {
  const random = streamOf(1, 'pairs');
  const baseline = Array.from({ length: 20 }, () => 100 * Math.exp(normal(random)));
  const { value, low, high } = pairedRatio(
    baseline.map(ms => ms * 0.8),
    baseline,
  );
  for (const one of [value, low, high]) t.ok(Math.abs(one - 0.8) < 1e-9);
  t.equal(pairedRatio([0, 0], [0, 0]).value, 1);
  t.equal(pairedRatio([1, 1], [0, 0]).value, Number.POSITIVE_INFINITY);
});
