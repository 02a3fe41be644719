import t from 'tap';
import { below, seededRandom } from '../../../lib/core/random.ts';
import { FixedShare } from '../../../lib/plan/forecast/fixed-share.ts';

/** The bound that fixed-share.ts states. */
function bound(
  experts: number,
  steps: number,
  switches: number,
  delay: number,
  rate: number,
  share: number,
): number {
  const complexity =
    (switches + 1) * Math.log(experts) +
    switches * Math.log(1 / share) +
    (steps - switches - 1) * Math.log(1 / (1 - share));
  return complexity / rate + (steps * rate * (1 + 2 * delay)) / 8 + steps * delay * share;
}

/** Loss of the weighted mean of losses (no forecast's convex loss is worse) and of the expert that is good in each part. */
function play(
  losses: readonly Float64Array[],
  good: readonly number[],
  delay: number,
  rate: number,
  share: number,
) {
  const hedge = new FixedShare(losses[0]!.length, rate, share);
  let own = 0;
  let best = 0;
  for (const [i, loss] of losses.entries()) {
    if (i > delay) hedge.update(losses[i - delay - 1]!);
    for (let j = 0; j < loss.length; j++) own += hedge.weights[j]! * loss[j]!;
    best += loss[good[i]!]!;
  }
  return { own, best };
}

for (const delay of [0, 10])
  for (const switches of [0, 3])
    t.test(
      `stays within its bound of the best, ${switches} switches, losses ${delay} steps late`,
      async t => {
        for (let seed = 1; seed <= 20; seed++) {
          const random = seededRandom(seed);
          // A switch takes ln(N / share) / (rate × gap) steps: at 0.03 it would outlast the part.
          const [steps, experts, rate, share] = [4000, 9, switches === 0 ? 0.03 : 0.1, 1e-4];
          const good = Array.from(
            { length: steps },
            (_, i) => Math.floor((i * (switches + 1)) / steps) % experts,
          );
          const losses = good.map(g =>
            Float64Array.from({ length: experts }, (_, j) => (j === g ? 0.1 : 0.45) * 2 * random.next()),
          );
          const { own, best } = play(losses, good, delay, rate, share);
          const most = bound(experts, steps, switches, delay, rate, share);
          if (own - best > most) t.fail(`seed ${seed}: ${own} for ${best}, bound ${most}`);
          // Without any learning the loss would be the mean of all: the bound alone must not be what is met.
          const blind = losses.reduce((sum, l) => sum + l.reduce((a, b) => a + b) / experts, 0);
          if (own > 0.5 * (best + blind)) t.fail(`seed ${seed}: ${own}, blind ${blind}, best ${best}`);
        }
        t.pass('20 seeds');
      },
    );

t.test('an adversary that always hurts the heaviest stays within the bound', async t => {
  const [steps, experts, rate, share] = [5000, 5, 0.05, 1e-4];
  const hedge = new FixedShare(experts, rate, share);
  const totals = new Float64Array(experts);
  let own = 0;
  for (let i = 0; i < steps; i++) {
    const heaviest = hedge.weights.indexOf(Math.max(...hedge.weights));
    const losses = Float64Array.from({ length: experts }, (_, j) => (j === heaviest ? 1 : 0));
    for (let j = 0; j < experts; j++) {
      own += hedge.weights[j]! * losses[j]!;
      totals[j]! += losses[j]!;
    }
    hedge.update(losses);
  }
  const regret = own - Math.min(...totals);
  t.ok(regret <= bound(experts, steps, 0, 0, rate, share), `${regret}`);
});

t.test('who was written off comes back when the world turns', async t => {
  const random = seededRandom(3);
  const hedge = new FixedShare(3, 0.5, 1e-4);
  const loss = (good: number): Float64Array =>
    Float64Array.from({ length: 3 }, (_, j) => (j === good ? 0.1 : 0.4) + 0.01 * below(random, 10));
  for (let i = 0; i < 5000; i++) hedge.update(loss(0));
  t.ok(hedge.weights[0]! > 0.9);
  let steps = 0;
  while (hedge.weights[1]! < 0.5 && steps < 1000) {
    hedge.update(loss(1));
    steps += 1;
  }
  // ln(N / share) / (rate × gap) = 69 of the mean gap 0.3.
  t.ok(steps < 100, `${steps} steps`);
  t.ok(Math.abs(hedge.weights.reduce((a, b) => a + b) - 1) < 1e-9);
});
