// Checks are spread, bounded in number, and end with their backend.

import t from 'tap';
import type { CheckResult } from '../../../../lib/control/backend/health/check.ts';
import { CheckSchedule } from '../../../../lib/control/backend/health/schedule.ts';
import { seededRandom } from '../../../../lib/core/random.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';

const FINE: CheckResult = { ok: true, detail: 'fine' };

t.test(
  'a thousand backends are checked at once at first and spread over the interval afterwards',
  async t => {
    const seed = 99;
    const clock = new FakeClock();
    const schedule = new CheckSchedule(clock, seededRandom(seed));
    const startMs = clock.monotonicMs();
    const times: number[] = [];
    for (let i = 0; i < 1_000; i++)
      schedule.add({
        intervalMs: 2_000,
        atOnce: true,
        run: async () => {
          times.push(clock.monotonicMs() - startMs);
          return FINE;
        },
        report: () => {},
      });
    await settle();
    t.equal(times.filter(ms => ms === 0).length, 1_000, 'the first check of each waits for nothing');
    clock.advance(0);
    for (let ms = 0; ms < 20_000; ms += 50) {
      clock.advance(50);
      await Promise.resolve();
      await Promise.resolve();
      await settle();
    }
    const buckets = new Map<number, number>();
    for (const ms of times.filter(ms => ms > 2_000))
      buckets.set(Math.floor(ms / 100), (buckets.get(Math.floor(ms / 100)) ?? 0) + 1);
    const most = Math.max(...buckets.values());
    t.ok(most < 200, `at most ${most} of 1,000 in any 100 ms of a 2 s interval (seed ${seed})`);
    const perBackend = times.length / 1_000;
    t.ok(perBackend > 9 && perBackend < 12, `${perBackend} checks each in 20 s`);
  },
);

t.test('never more at the same time than the bound, and all get their turn', async t => {
  const clock = new FakeClock();
  const schedule = new CheckSchedule(clock, seededRandom(1), 4);
  const open: ((result: CheckResult) => void)[] = [];
  let reported = 0;
  let most = 0;
  for (let i = 0; i < 20; i++)
    schedule.add({
      intervalMs: 1_000,
      atOnce: true,
      run: () => new Promise(resolve => open.push(resolve)),
      report: () => {
        reported++;
      },
    });
  for (let round = 0; round < 20; round++) {
    most = Math.max(most, schedule.running);
    open.shift()?.(FINE);
    await settle();
  }
  t.equal(most, 4);
  t.equal(reported, 20);
});

t.test(
  'a check that runs while its backend leaves is not reported, and nothing is planned after it',
  async t => {
    const clock = new FakeClock();
    const schedule = new CheckSchedule(clock, seededRandom(1));
    let finish: (result: CheckResult) => void = () => {};
    let reported = 0;
    const check = schedule.add({
      intervalMs: 1_000,
      atOnce: true,
      run: () =>
        new Promise(resolve => {
          finish = resolve;
        }),
      report: () => {
        reported++;
      },
    });
    check[Symbol.dispose]();
    finish(FINE);
    await settle();
    t.equal(reported, 0);
    t.equal(clock.pending, 0);
    t.equal(schedule.running, 0);
  },
);

t.test('a backend whose health is known joins the rhythm instead of being checked at once', async t => {
  const clock = new FakeClock();
  const schedule = new CheckSchedule(clock, seededRandom(1));
  let checks = 0;
  const run = async (): Promise<CheckResult> => {
    checks++;
    return FINE;
  };
  schedule.add({ intervalMs: 1_000, atOnce: false, run, report: () => {} });
  await settle();
  t.equal(checks, 0);
  await clock.pass(1_000);
  t.equal(checks, 1);
});
