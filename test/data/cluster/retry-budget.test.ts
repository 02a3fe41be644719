// The budget that keeps retries from multiplying an outage.

import t from 'tap';
import { RetryBudget } from '../../../lib/data/cluster/retry-budget.ts';
import { FakeClock } from '../../support/fake-clock.ts';

function budget(share: number, minPerSecond: number): { clock: FakeClock; retries: RetryBudget } {
  const clock = new FakeClock();
  const retries = new RetryBudget(clock);
  retries.configure(share, minPerSecond);
  return { clock, retries };
}

t.test('when everything fails, tries stay within the share of requests and the floor', async t => {
  const { clock, retries } = budget(0.2, 3);
  let requests = 0;
  let retried = 0;
  for (let second = 0; second < 60; second++) {
    for (let i = 0; i < 100; i++) {
      requests += 1;
      retries.deposit();
      while (retries.withdraw()) retried += 1;
      clock.advance(10);
    }
  }
  const most = 0.2 * requests + 3 * 60 + 3;
  t.ok(retried <= most, `${retried} retries for ${requests} requests, at most ${most}`);
  t.ok(retried >= 0.2 * requests, 'and the share is really there to be used');
});

t.test('a quiet route may retry at all', async t => {
  const { clock, retries } = budget(0.2, 3);
  t.ok(retries.withdraw());
  clock.advance(60_000);
  retries.deposit();
  t.ok(retries.withdraw());
});

t.test('a long calm saves up no storm', async t => {
  const { clock, retries } = budget(0.2, 3);
  for (let i = 0; i < 1_000_000; i++) retries.deposit();
  clock.advance(3_600_000);
  let burst = 0;
  while (retries.withdraw()) burst += 1;
  t.ok(burst <= 2_000, `${burst} at once`);
});

t.test('with neither share nor floor there are none', async t => {
  const { clock, retries } = budget(0, 0);
  retries.deposit();
  clock.advance(1000);
  t.notOk(retries.withdraw());
});
