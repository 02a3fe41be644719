import t from 'tap';
import { RetryBudget } from '../../../lib/data/cluster/retry-budget.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** How many retries it grants in a row. */
function drain(budget: RetryBudget): number {
  let granted = 0;
  while (budget.withdraw()) granted += 1;
  return granted;
}

t.test('a share of the requests, and no more', async t => {
  const budget = new RetryBudget(new FakeClock());
  budget.configure(0.2, 0);
  for (let i = 0; i < 1000; i++) budget.deposit();
  // A fifth adds up with rounding: one more or less is not the matter.
  t.ok(Math.abs(drain(budget) - 200) <= 1);
  t.equal(budget.withdraw(), false);
});

t.test('a long calm saves up ten seconds’ worth at most', async t => {
  const clock = new FakeClock();
  const budget = new RetryBudget(clock);
  budget.configure(0.2, 0);
  for (let second = 0; second < 300; second++) {
    for (let i = 0; i < 100; i++) budget.deposit();
    await clock.pass(1000);
  }
  const saved = drain(budget);
  t.ok(saved > 100 && saved <= 200, `${saved} of 6,000 earned`);
});

t.test('the floor lets a quiet route retry, at its rate', async t => {
  const clock = new FakeClock();
  const budget = new RetryBudget(clock);
  budget.configure(0.2, 3);
  t.equal(drain(budget), 3);
  await clock.pass(1000);
  t.equal(drain(budget), 3);
  await clock.pass(60_000);
  t.equal(drain(budget), 3, 'and saves nothing up');
});

t.test('a worker’s share of the floor below one a second still allows the first', async t => {
  const clock = new FakeClock();
  const budget = new RetryBudget(clock);
  budget.configure(0, 0.5);
  t.equal(drain(budget), 1);
  await clock.pass(1000);
  t.equal(drain(budget), 0);
  await clock.pass(1000);
  t.equal(drain(budget), 1);
});

t.test('a reload brings no new credit', async t => {
  const budget = new RetryBudget(new FakeClock());
  budget.configure(0.2, 3);
  drain(budget);
  budget.configure(0.2, 3);
  t.equal(drain(budget), 0);
});
