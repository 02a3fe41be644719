// Tunnels of drained backends end late, at the cluster's pace, and are gone by the deadline.

import t from 'tap';
import { tunnelsDue } from '../../../lib/control/backend/drain.ts';
import { below, seededRandom } from '../../../lib/core/random.ts';

const NONE: ReadonlySet<number> = new Set();

t.test('ending begins when the pace needs the time that is left', async t => {
  const holder = { slot: 1, tunnels: 500, endByMs: 60_000 };
  t.equal(tunnelsDue([holder], NONE, 0, 50), undefined);
  t.same(tunnelsDue([holder], NONE, 48_000, 50), { slots: [1], perSecond: 50 });
});

t.test('what has begun goes on', async t => {
  const holder = { slot: 1, tunnels: 10, endByMs: 60_000 };
  t.same(tunnelsDue([holder], new Set([1]), 0, 50), { slots: [1], perSecond: 50 });
});

t.test('gone backends end at once, at the pace', async t => {
  t.same(tunnelsDue([{ slot: 3, tunnels: 9_000, endByMs: 0 }], NONE, 5_000, 50), {
    slots: [3],
    perSecond: 50,
  });
  t.equal(tunnelsDue([{ slot: 3, tunnels: 0, endByMs: 0 }], NONE, 5_000, 50), undefined, 'nothing is left');
});

t.test('a deadline too near for the pace raises it', async t => {
  t.same(tunnelsDue([{ slot: 1, tunnels: 1_000, endByMs: 12_000 }], NONE, 0, 50), {
    slots: [1],
    perSecond: 100,
  });
});

t.test('several drains of one cluster share the pace and all are done in time (seeded)', async t => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const random = seededRandom(seed);
    const pace = 20 + below(random, 50);
    const holders = Array.from({ length: 4 }, (_, slot) => ({
      slot,
      tunnels: below(random, 1_500),
      endByMs: 30_000 + below(random, 120_000),
    }));
    let begun = NONE;
    let firstMs = Number.POSITIVE_INFINITY;
    const late: number[] = [];
    for (let nowMs = 0; nowMs <= 151_000; nowMs += 250) {
      for (const { slot, tunnels, endByMs } of holders) if (nowMs >= endByMs && tunnels > 0) late.push(slot);
      const due = tunnelsDue(holders, begun, nowMs, pace);
      begun = new Set(due?.slots);
      if (due === undefined) continue;
      firstMs = Math.min(firstMs, nowMs);
      let budget = due.perSecond / 4;
      for (const slot of due.slots) {
        const ended = Math.min(budget, holders[slot]!.tunnels);
        holders[slot]!.tunnels -= ended;
        budget -= ended;
      }
    }
    t.same(late, [], `seed ${seed}: nothing was left at a deadline`);
  }
});
