// Who answers nothing is suspected soon, tried seldom and ever more seldom, and cleared by one answer in good time.

import t from 'tap';
import { Standstill } from '../../../lib/plan/balance/standstill.ts';

const DONE_MS = 100;

/** Ten requests out at 0, of which nothing is heard; suspected at 100. */
function stuck() {
  const standstill = new Standstill(1);
  for (let own = 0; own < 10; own++) standstill.started(0, 0, own);
  standstill.stands(0, 100, 10, DONE_MS);
  return standstill;
}

t.test('the more are out, the sooner silence tells', async t => {
  const standstill = new Standstill(2);
  t.notOk(standstill.stands(0, 1e9, 0, DONE_MS), 'who has nothing to answer is not silent');
  standstill.started(0, 0, 0);
  t.notOk(standstill.stands(0, 550, 1, DONE_MS));
  t.ok(standstill.stands(0, 650, 1, DONE_MS));
  for (let own = 0; own < 10; own++) standstill.started(1, 0, own);
  t.notOk(standstill.stands(1, 55, 10, DONE_MS));
  t.ok(standstill.stands(1, 65, 10, DONE_MS));
});

t.test(
  'one that answers nothing is tried by one request after 3, 9 and 27 s, and then each 30 s',
  async t => {
    const standstill = stuck();
    let triedMs = 0;
    const waitsMs = Array.from({ length: 5 }, (_, trial) => {
      let nowMs = triedMs + 1;
      while (standstill.stands(0, nowMs, 10 + trial, DONE_MS)) nowMs += 1;
      standstill.started(0, nowMs, 10 + trial);
      t.ok(standstill.stands(0, nowMs, 11 + trial, DONE_MS), 'one is enough');
      const waitedMs = nowMs - triedMs;
      triedMs = nowMs;
      return waitedMs;
    });
    t.same(waitsMs, [3_000, 9_000, 27_000, 30_000, 30_000]);
  },
);

t.test('after a pause it is tried soon, and an answer in good time clears it', async t => {
  const standstill = stuck();
  standstill.ended(0, 700, 700, DONE_MS);
  t.ok(standstill.stands(0, 830, 9, DONE_MS), 'a straggler clears nobody');
  t.notOk(standstill.stands(0, 850, 0, DONE_MS), 'but after 1.2 of what it took');
  standstill.started(0, 850, 0);
  t.ok(standstill.stands(0, 851, 1, DONE_MS));
  standstill.ended(0, 950, 100, DONE_MS);
  t.notOk(standstill.stands(0, 950, 0, DONE_MS));
  t.notOk(standstill.suspects(0));
});

t.test('a slot given to another backend is not suspected', async t => {
  const standstill = stuck();
  standstill.forget(0);
  t.notOk(standstill.stands(0, 200, 0, DONE_MS));
});
