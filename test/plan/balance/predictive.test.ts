// What the default policy does where only a real proxy gets: several workers, errors that come fast, requests that stay long.

import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import type { LoadReport } from '../../../lib/plan/balance/learner.ts';
import type { ExplainingPicker } from '../../../lib/plan/balance/picker.ts';
import { predictive } from '../../../lib/plan/balance/predictive.ts';
import { leastOfTwo } from '../../../lib/plan/balance/two-choices.ts';
import { Kernel } from '../../../lib/sim/kernel/kernel.ts';
import { indexOf, request, same, slotOf, World } from './world.ts';

function build(weights: readonly number[], workers = 1) {
  const world = new World(weights);
  const clock = new Kernel();
  const control = { ageMs: 0 };
  const strategies = Array.from({ length: workers }, (_, worker) =>
    predictive({ choices: 16, probes: 0 })({
      slots: slotOf(weights.length),
      view: world,
      controlAgeMs: () => control.ageMs,
      clock,
      random: seededRandom(worker + 1),
      proxies: 1,
    }),
  );
  const pickers = strategies.map(strategy => strategy.picker(world.candidates));
  const begin = (worker: number, slot: number) => {
    world.loads[slot]! += 1;
    strategies[worker]!.learner!.started(slot);
  };
  const end = (
    worker: number,
    slot: number,
    ending: 'success' | 'failure' | 'cancelled',
    latencyMs: number,
  ) => {
    world.loads[slot]! -= 1;
    strategies[worker]!.learner!.finished(slot, ending, latencyMs);
  };
  return { world, clock, control, strategies, pickers, begin, end, learner: strategies[0]!.learner! };
}

interface Life {
  readonly perSecond: number;
  readonly seconds: number;
  /** Time that a request takes at the backend while `there` are at it, itself included. */
  readonly takesMs: (index: number, there: number) => number;
  readonly fails?: (index: number) => boolean;
}

/** Poisson arrivals at random workers; each request's time is fixed as it begins. Shares, and times in order of size. */
function live(one: ReturnType<typeof build>, { perSecond, seconds, takesMs, fails = () => false }: Life) {
  const { clock, pickers, begin, end, world } = one;
  const random = seededRandom(99);
  const counts = same(world.candidates.length, 0);
  const times: number[] = [];
  const endMs = clock.monotonicMs() + 1000 * seconds;
  const arrive = (): void => {
    if (clock.monotonicMs() >= endMs) return;
    clock.after((-1000 * Math.log(1 - random.next())) / perSecond, arrive);
    const worker = Math.floor(random.next() * pickers.length);
    const slot = pickers[worker]!.pick(request());
    const index = indexOf(slot);
    counts[index]! += 1;
    begin(worker, slot);
    const tookMs = takesMs(index, world.loads[slot]!) * (0.8 + 0.4 * random.next());
    clock.after(tookMs, () => {
      times.push(tookMs);
      end(worker, slot, fails(index) ? 'failure' : 'success', tookMs);
    });
  };
  arrive();
  clock.run(endMs + 10_000);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return { shares: counts.map(count => count / total), times: times.sort((a, b) => a - b) };
}

/** As `live`, with real queues: so many places, first in, first out. Times with the waiting, in order of size. */
function queueing(
  { clock, world }: ReturnType<typeof build>,
  {
    perSecond,
    seconds,
    places,
    serviceMs,
  }: { perSecond: number; seconds: number; places: number; serviceMs: readonly number[] },
  pick: (worker: number) => number,
  told: {
    begin(worker: number, slot: number): void;
    end(worker: number, slot: number, tookMs: number): void;
  },
  workers: number,
) {
  const random = seededRandom(42);
  const going = same(serviceMs.length, 0);
  const waiting = serviceMs.map((): (() => void)[] => []);
  const counts = same(serviceMs.length, 0);
  const times: number[] = [];
  const fromMs = clock.monotonicMs();
  const endMs = fromMs + 1000 * seconds;
  const arrive = (): void => {
    const startMs = clock.monotonicMs();
    if (startMs >= endMs) return;
    clock.after((-1000 * Math.log(1 - random.next())) / perSecond, arrive);
    const worker = Math.floor(random.next() * workers);
    const slot = pick(worker);
    const index = indexOf(slot);
    told.begin(worker, slot);
    const go = (): void => {
      going[index]! += 1;
      clock.after(serviceMs[index]! * (0.8 + 0.4 * random.next()), () => {
        going[index]! -= 1;
        const tookMs = clock.monotonicMs() - startMs;
        // The first third is for learning.
        if (startMs > fromMs + (endMs - fromMs) / 3) {
          times.push(tookMs);
          counts[index]! += 1;
        }
        told.end(worker, slot, tookMs);
        waiting[index]!.shift()?.();
      });
    };
    if (going[index]! < places) go();
    else waiting[index]!.push(go);
  };
  arrive();
  clock.run(endMs + 60_000);
  times.sort((a, b) => a - b);
  const at = (q: number): number => times[Math.floor(q * times.length)]!;
  return { p50: at(0.5), p99: at(0.99), shares: counts.map(count => count / times.length), world };
}

const shareOf = (picker: ExplainingPicker, index: number, picks = 1_000): number => {
  let picked = 0;
  for (let i = 0; i < picks; i++) if (picker.pick(request()) === slotOf(index)) picked += 1;
  return picked / picks;
};

const report = (said: Partial<LoadReport>): LoadReport => ({
  ...{ inFlight: Number.NaN, meanInFlight: Number.NaN, requestsPerSecond: Number.NaN },
  ...{ utilization: Number.NaN, latencyMs: Number.NaN },
  ...said,
});

/** Four places each; speeds differ fourfold. */
const mixed = (index: number, there: number): number => [10, 20, 40][index]! * Math.max(1, there / 4);

t.test('work goes by speed, learnt from our own requests alone', async t => {
  const { shares } = live(build(same(3)), { perSecond: 450, seconds: 20, takesMs: mixed });
  t.ok(shares[0]! > shares[1]! && shares[1]! > shares[2]!, `shares ${shares.map(share => share.toFixed(2))}`);
  t.ok(shares[0]! > 0.45 && shares[2]! < 0.25, `shares ${shares.map(share => share.toFixed(2))}`);
});

t.test('several workers, each learning from its own requests, share as one does and do not herd', async t => {
  const life: Life = { perSecond: 450, seconds: 20, takesMs: mixed };
  const one = live(build(same(3)), life);
  const four = live(build(same(3), 4), life);
  for (const [i, share] of four.shares.entries())
    t.ok(
      Math.abs(share - one.shares[i]!) < 0.08,
      `backend ${i}: ${share.toFixed(3)}, alone ${one.shares[i]!.toFixed(3)}`,
    );
  const p99 = ({ times }: { times: number[] }): number => times[Math.floor(0.99 * times.length)]!;
  t.ok(p99(four) < 1.3 * p99(one), `p99 ${p99(four).toFixed(1)} ms, alone ${p99(one).toFixed(1)} ms`);
});

t.test(
  'a worker that sends little somewhere does not take it for stalled because others send much',
  async t => {
    const { world, clock, pickers, begin } = build(same(2), 2);
    world.loads[slotOf(0)] = 3;
    world.loads[slotOf(1)] = 3;
    begin(0, slotOf(1));
    clock.run(5);
    const { standings } = pickers[0]!.explain(request());
    t.same(
      standings.map(({ remark }) => remark),
      ['', ''],
    );
  },
);

t.test('a backend that answers errors fast does not look fast, even beside slow ones', async t => {
  const one = build(same(3));
  const { shares } = live(one, {
    perSecond: 60,
    seconds: 20,
    takesMs: index => (index === 1 ? 1 : 1_500),
    fails: index => index === 1,
  });
  t.ok(shares[1]! < 0.1, `share ${shares[1]!.toFixed(3)}`);
});

t.test('a failing backend is tried again, and is itself when it has recovered', async t => {
  const one = build(same(3));
  live(one, { perSecond: 300, seconds: 5, takesMs: () => 20, fails: index => index === 1 });
  const { shares } = live(one, { perSecond: 300, seconds: 20, takesMs: () => 20 });
  t.ok(shares[1]! > 0.15, `share ${shares[1]!.toFixed(3)}`);
});

t.test('a request that stays long does not shut its backend out for as long', async t => {
  const one = build(same(3));
  live(one, { perSecond: 300, seconds: 5, takesMs: () => 20 });
  one.begin(0, slotOf(1));
  one.clock.run(one.clock.monotonicMs() + 2_000);
  t.equal(shareOf(one.pickers[0]!, 1), 0, 'a hundred times its usual time: stalled, as far as one can tell');
  const { shares } = live(one, { perSecond: 300, seconds: 20, takesMs: () => 20 });
  t.ok(shares[1]! > 0.15, `a trial was answered: share ${shares[1]!.toFixed(3)}`);
});

t.test('clients that leave at once say nothing; those that waited in vain do', async t => {
  const one = build(same(3));
  live(one, { perSecond: 300, seconds: 5, takesMs: () => 20 });
  const leave = (waitedMs: number): void => {
    for (let i = 0; i < 5; i++) {
      one.begin(0, slotOf(1));
      one.clock.run(one.clock.monotonicMs() + waitedMs);
      one.end(0, slotOf(1), 'cancelled', waitedMs);
    }
  };
  leave(5);
  t.ok(one.pickers[0]!.explain(request()).standings[1]!.figures.failing! < 0.01);
  leave(1_000);
  t.ok(one.pickers[0]!.explain(request()).standings[1]!.figures.failing! > 0.5);
  t.equal(shareOf(one.pickers[0]!, 1), 0);
});

t.test('weights hold in a quiet cluster and in a busy one', async t => {
  for (const perSecond of [20, 600]) {
    const { shares } = live(build([1, 3, 0.1]), {
      perSecond,
      seconds: 30,
      takesMs: (_, there) => 20 * Math.max(1, there / 8),
    });
    const said = `${perSecond} a second: shares ${shares.map(share => share.toFixed(3))}, fair 0.244, 0.732, 0.024`;
    t.ok(shares[0]! > 0.12 && shares[0]! < 0.4, said);
    t.ok(shares[2]! < 0.05 && shares[2]! > 0.002, said);
  }
});

t.test(
  'when the control plane is silent, two are drawn and the one with fewer in flight is taken',
  async t => {
    const { world, control, learner, pickers } = build(same(2));
    for (let i = 0; i < 2; i++)
      learner.reported(
        slotOf(i),
        report({ inFlight: 1, meanInFlight: 1, requestsPerSecond: i === 0 ? 100 : 10 }),
      );
    world.loads[slotOf(0)] = 2;
    world.loads[slotOf(1)] = 1;
    t.equal(shareOf(pickers[0]!, 0), 1, 'the faster one, though it has more to do');
    t.match(pickers[0]!.explain(request()), { choice: slotOf(0), rule: /done first/ });
    control.ageMs = 2_001;
    t.ok(shareOf(pickers[0]!, 0) < 0.05, 'the emptier one');
    t.match(pickers[0]!.explain(request()).rule, /control plane is silent/);
    control.ageMs = 0;
    t.equal(shareOf(pickers[0]!, 0), 1);
  },
);

t.test('another owner of a slot begins unknown', async t => {
  const { learner, pickers, clock } = build(same(2));
  clock.run(1_000);
  learner.reported(slotOf(0), report({ inFlight: 1, meanInFlight: 1, requestsPerSecond: 1 }));
  learner.reported(slotOf(1), report({ inFlight: 1, meanInFlight: 1, requestsPerSecond: 100 }));
  learner.finished(slotOf(0), 'failure', 1);
  const before = pickers[0]!.explain(request()).standings[0]!.figures;
  t.ok(before.failing! > 0.3 && before.service_ms! > 100);
  learner.forget(slotOf(0));
  const after = pickers[0]!.explain(request()).standings[0]!.figures;
  t.equal(after.failing, 0);
  t.ok(after.service_ms! < before.service_ms!, 'as fast as the fleet is');
});

t.test('where requests queue, the slowest are far better off than by two choices', async t => {
  for (const perSecond of [100, 200, 300]) {
    const life = { perSecond, seconds: 60, places: 2, serviceMs: [10, 20, 40] };
    const two = build(same(3));
    const simple = leastOfTwo(two.world.candidates, two.world, seededRandom(5));
    const move = (by: number) => (_: number, slot: number) => {
      two.world.loads[slot]! += by;
    };
    const byTwo = queueing(two, life, () => simple.pick(request()), { begin: move(1), end: move(-1) }, 1);
    for (const workers of [1, 2]) {
      const one = build(same(3), workers);
      const own = queueing(
        one,
        life,
        worker => one.pickers[worker]!.pick(request()),
        { begin: one.begin, end: (worker, slot, tookMs) => one.end(worker, slot, 'success', tookMs) },
        workers,
      );
      const said = `${perSecond} a second, ${workers} workers: p50 ${own.p50.toFixed(1)} for ${byTwo.p50.toFixed(1)} ms, p99 ${own.p99.toFixed(1)} for ${byTwo.p99.toFixed(1)} ms, shares ${own.shares.map(share => share.toFixed(2))}`;
      t.comment(
        `${said}; ${one.pickers[0]!.explain(request()).standings.map(({ figures }) => `T ${figures.service_ms!.toFixed(1)} K ${figures.room!.toFixed(1)}`)}`,
      );
      // Near the limit half of the requests pay a little for the slowest.
      t.ok(own.p50 < (perSecond < 300 ? 1.05 : 1.6) * byTwo.p50, said);
      t.ok(own.p99 < 0.8 * byTwo.p99, said);
    }
  }
});
