// Policies that learn: the rules of every policy hold, and each acts on what only it is told.

import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { CapacityBook } from '../../../lib/plan/balance/capacity-book.ts';
import { expectedCompletion } from '../../../lib/plan/balance/expected-completion.ts';
import type { LoadReport, Strategy, StrategyFactory } from '../../../lib/plan/balance/learner.ts';
import { leastReported } from '../../../lib/plan/balance/least-reported.ts';
import { c3, fewestProbed, prequal } from '../../../lib/plan/balance/probing.ts';
import { utilizationWeights } from '../../../lib/plan/balance/utilization-weights.ts';
import { Kernel } from '../../../lib/sim/kernel/kernel.ts';
import { request, same, slotOf, World } from './world.ts';

const probing = { probes: 3, quantile: 0.84 };
const FACTORIES: Readonly<Record<string, StrategyFactory>> = {
  prequal: prequal(probing),
  rif: fewestProbed(probing),
  c3: c3(probing),
  wrr: utilizationWeights,
  least_reported: leastReported(Number.POSITIVE_INFINITY),
  p2c_reported: leastReported(2),
  ect: expectedCompletion({ choices: 10, probes: 0.25, alike: 1 }),
};

function build(factory: StrategyFactory, count: number, proxies = 1) {
  const world = new World(same(count));
  const clock = new Kernel();
  const random = seededRandom(1);
  const strategy = factory({
    slots: slotOf(count),
    view: world,
    controlAgeMs: () => 0,
    clock,
    random,
    proxies,
  });
  return { world, clock, strategy, picker: strategy.picker(world.candidates) };
}

const report = (said: Partial<LoadReport>): LoadReport => ({
  inFlight: Number.NaN,
  meanInFlight: Number.NaN,
  requestsPerSecond: Number.NaN,
  utilization: Number.NaN,
  latencyMs: Number.NaN,
  ...said,
});

function shareOf(picker: { pick(one: ReturnType<typeof request>): number }, index: number, picks = 2_000) {
  let picked = 0;
  for (let i = 0; i < picks; i++) if (picker.pick(request()) === slotOf(index)) picked += 1;
  return picked / picks;
}

for (const [name, factory] of Object.entries(FACTORIES))
  t.test(`${name} keeps the rules of every policy, whatever it has been told`, async t => {
    t.equal(build(factory, 0).picker.pick(request()), -1, 'nobody there');
    const { strategy, picker, clock } = build(factory, 12);
    for (let round = 0; round < 50; round++) {
      clock.run(round * 40);
      for (let index = 0; index < 12; index++) {
        const slot = slotOf(index);
        const odd = [Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY][(round + index) % 5]!;
        const wild = {
          inFlight: odd,
          meanInFlight: odd,
          requestsPerSecond: odd,
          utilization: odd,
          latencyMs: odd,
        };
        strategy.learner?.started(slot);
        strategy.learner?.reported(slot, wild);
        strategy.learner?.finished(slot, round % 3 === 0 ? 'failure' : 'success', index);
        strategy.prober?.probed(slot, wild);
        if ((strategy.prober?.nextProbe() ?? -1) >= slotOf(12)) t.fail('a probe to nobody');
      }
      const only = slotOf(round % 12);
      t.equal(picker.pick(request(0, slot => slot === only)), only);
      t.equal(picker.pick(request(0, () => false)), -1, 'all vetoed');
    }
  });

t.test('prequal: any cold before any hot; of cold ones the fastest, of hot ones the emptiest', async t => {
  const told = (answers: readonly (readonly [inFlight: number, latencyMs: number])[], usual: number) => {
    const { strategy, picker } = build(prequal({ probes: 3, quantile: 0.84 }), 40);
    for (let i = 0; i < 128; i++)
      strategy.prober!.probed(slotOf(39), report({ inFlight: usual, latencyMs: 500 }));
    answers.forEach(([inFlight, latencyMs], i) => {
      strategy.prober!.probed(slotOf(i), report({ inFlight, latencyMs }));
    });
    return picker.pick(request(0, slot => slot !== slotOf(39)));
  };
  t.equal(
    told(
      [
        [1, 90],
        [4, 40],
        [9, 10],
      ],
      5,
    ),
    slotOf(1),
    'the fastest of the cold, though another is emptier',
  );
  t.equal(
    told(
      [
        [12, 10],
        [9, 90],
        [30, 5],
      ],
      5,
    ),
    slotOf(1),
    'all hot: the emptiest',
  );
});

t.test(
  'prequal probes three times a request, forgets after a second, and is random with nothing to go by',
  async t => {
    const { strategy, picker, clock } = build(prequal(probing), 100);
    let probes = 0;
    for (let i = 0; i < 100; i++) {
      strategy.learner!.started(slotOf(0));
      while (strategy.prober!.nextProbe() >= 0) probes += 1;
    }
    t.equal(probes, 300);
    for (const index of [3, 4]) strategy.prober!.probed(slotOf(index), report({ inFlight: 0, latencyMs: 1 }));
    t.ok([slotOf(3), slotOf(4)].includes(picker.pick(request())));
    clock.run(2_000);
    t.ok(shareOf(picker, 3) < 0.05);
  },
);

t.test('wrr: by answers per utilisation', async t => {
  const { strategy, clock, picker } = build(utilizationWeights, 2);
  for (let i = 0; i < 30; i++) {
    strategy.learner!.reported(slotOf(0), report({ requestsPerSecond: 30, utilization: 0.5 }));
    strategy.learner!.reported(slotOf(1), report({ requestsPerSecond: 10, utilization: 0.5 }));
  }
  clock.run(1_500);
  t.ok(Math.abs(shareOf(picker, 0) - 0.75) < 0.01);
});

t.test('ect leaves a backend that has gone silent, and one that fails fast', async t => {
  const speak = (strategy: Strategy, count: number) => {
    for (let i = 0; i < count; i++)
      strategy.learner!.reported(
        slotOf(i),
        report({ inFlight: 2, meanInFlight: 2, requestsPerSecond: 20, utilization: 0.5 }),
      );
  };
  const silent = build(expectedCompletion({ choices: 10, probes: 0, alike: 1 }), 4);
  speak(silent.strategy, 4);
  silent.world.loads[slotOf(2)] = 4;
  for (let i = 0; i < 4; i++) silent.strategy.learner!.started(slotOf(2));
  silent.clock.run(300);
  t.ok(shareOf(silent.picker, 2, 200) === 0, 'twelve answers are missing');
  silent.strategy.learner!.finished(slotOf(2), 'success', 300);
  silent.world.loads[slotOf(2)] = 0;
  t.ok(shareOf(silent.picker, 2, 400) > 0.05, 'it speaks again');
  const failing = build(expectedCompletion({ choices: 10, probes: 0, alike: 1 }), 4);
  speak(failing.strategy, 4);
  failing.clock.run(100);
  for (let i = 0; i < 50; i++) {
    failing.clock.run(100 + i * 40);
    failing.strategy.learner!.finished(slotOf(1), 'failure', 1);
  }
  t.equal(shareOf(failing.picker, 1, 200), 0);
});

t.test('speed and room are learnt from noisy windows alone', async t => {
  const random = seededRandom(3);
  const noisy = () => 1 + 0.2 * (random.next() - 0.5);
  const book = new CapacityBook(2);
  // Both have 6 places at full speed and an allocation of 4; a request takes 100 and 200 ms unhindered.
  for (let second = 1; second <= 120; second++)
    for (const [slot, serviceMs] of [
      [0, 100],
      [1, 200],
    ] as const) {
      const inFlight = second % 3 === 0 ? 9 : 3;
      const going = Math.min(6, inFlight);
      book.learn(
        slot,
        inFlight * noisy(),
        (1000 * going * noisy()) / serviceMs,
        (going / 4) * noisy(),
        second * 1000,
      );
    }
  for (const [slot, serviceMs] of [
    [0, 100],
    [1, 200],
  ] as const) {
    t.ok(
      Math.abs(book.serviceOf(slot, 120_000) / serviceMs - 1) < 0.1,
      `${book.serviceOf(slot, 120_000)} for ${serviceMs}, seed 3`,
    );
    t.ok(
      book.roomOf(slot, 120_000) > 4.5 && book.roomOf(slot, 120_000) < 8,
      `${book.roomOf(slot, 120_000)} for 6, seed 3`,
    );
  }
});

t.test(
  'room that a job took comes back within seconds of its end, by the few requests that are sent there',
  async t => {
    const book = new CapacityBook(1);
    const second = (at: number, inFlight: number, utilization: number) =>
      book.learn(
        0,
        inFlight,
        10 * inFlight * Math.min(1, utilization / (inFlight / 4)),
        utilization,
        at * 1000,
      );
    for (let at = 1; at <= 60; at++) second(at, 4, 1);
    for (let at = 61; at <= 66; at++) second(at, 4, 0.1);
    const during = book.roomOf(0, 66_000);
    t.ok(during < 1, `${during} of 4 during the job`);
    for (let at = 67; at <= 74; at++) second(at, 0.2, 0.05);
    const after = book.roomOf(0, 74_000);
    t.ok(after > 2.5, `${after} of 4 eight seconds later`);
  },
);
