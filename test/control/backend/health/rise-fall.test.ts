// Check results add up as rise and fall say.

import fc from 'fast-check';
import t from 'tap';
import {
  afterCheck,
  explainStanding,
  type Standing,
  UNCHECKED,
} from '../../../../lib/control/backend/health/rise-fall.ts';

const run = (results: readonly boolean[], rise: number, fall: number): Standing =>
  results.reduce<Standing>((standing, ok) => afterCheck(standing, ok, rise, fall), UNCHECKED);

t.test('the first result decides alone', async t => {
  t.equal(run([true], 5, 5).health, 'up');
  t.equal(run([false], 5, 5).health, 'down');
});

t.test('it takes fall failures in a row to go down and rise successes to come back', async t => {
  t.equal(run([true, false, false], 2, 3).health, 'up');
  t.equal(
    run([true, false, false, true, false, false], 2, 3).health,
    'up',
    'a success starts the count again',
  );
  t.equal(run([true, false, false, false], 2, 3).health, 'down');
  t.equal(run([false, true], 2, 3).health, 'down');
  t.equal(run([false, true, true], 2, 3).health, 'up');
});

t.test('a standing is explained with what it still takes', async t => {
  t.equal(explainStanding(run([true, false], 2, 3), 'HTTP 503', 2, 3), 'HTTP 503 (1 of 3 until down)');
  t.equal(explainStanding(run([false, true], 2, 3), 'HTTP 200', 2, 3), 'HTTP 200 (1 of 2 until up)');
  t.equal(explainStanding(run([true], 2, 3), 'HTTP 200', 2, 3), 'HTTP 200');
});

t.test('health changes exactly when the last results all speak against it', async t => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 2, maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 5 }),
      (results, rise, fall) => {
        const before = run(results.slice(0, -1), rise, fall);
        const after = run(results, rise, fall);
        if (after.health === before.health) return after.against < (after.health === 'up' ? fall : rise);
        const needed = before.health === 'up' ? fall : rise;
        return results.slice(-needed).every(ok => ok === (after.health === 'up'));
      },
    ),
  );
  t.pass('held for all');
});
