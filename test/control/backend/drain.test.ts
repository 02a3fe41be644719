// Tunnels of drained backends end late, at the cluster's pace, and are gone by the deadline.

import t from 'tap';
import { tunnelsDue } from '../../../lib/control/backend/drain.ts';
import { below, seededRandom } from '../../../lib/core/random.ts';

const NONE: ReadonlySet<number> = new Set();
/** Nobody plans for its tunnels. */
const plain = (slot: number, tunnels: number, endByMs: number, planned = 0) => ({
  ...{ slot, tunnels, planned, endByMs, out: false },
});
const out = (slot: number, tunnels: number, sinceMs: number, planned = 0) => ({
  ...plain(slot, tunnels, sinceMs, planned),
  out: true,
});

t.test('ending begins when the pace needs the time that is left', async t => {
  const holder = plain(1, 500, 60_000);
  t.equal(tunnelsDue([holder], NONE, 0, 50), undefined);
  t.same(tunnelsDue([holder], NONE, 48_000, 50), { slots: [1], spared: [1], perSecond: 50 });
});

t.test('what has begun goes on', async t => {
  const holder = plain(1, 10, 60_000);
  t.same(tunnelsDue([holder], new Set([1]), 0, 50), { slots: [1], spared: [1], perSecond: 50 });
});

t.test('gone backends end at once, at the pace', async t => {
  t.same(tunnelsDue([out(3, 9_000, 5_000)], NONE, 5_000, 50), { slots: [3], spared: [3], perSecond: 50 });
  t.equal(tunnelsDue([out(3, 0, 5_000)], NONE, 5_000, 50), undefined, 'nothing is left');
});

t.test('what the planner moves is left to it, until it should be done', async t => {
  const holder = plain(1, 500, 60_000, 480);
  t.equal(tunnelsDue([holder], NONE, 48_000, 50), undefined, 'twenty need no such time');
  t.same(tunnelsDue([holder], NONE, 51_900, 3), { slots: [1], spared: [1], perSecond: 4 });
  t.same(tunnelsDue([holder], NONE, 52_000, 50), { slots: [1], spared: [], perSecond: 84 }, 'it is not');
  t.equal(tunnelsDue([out(3, 10, 5_000, 10)], NONE, 9_999, 50), undefined);
  t.same(tunnelsDue([out(3, 10, 5_000, 10)], NONE, 10_000, 50), { slots: [3], spared: [], perSecond: 50 });
});

t.test('a deadline too near for the pace raises it', async t => {
  t.same(tunnelsDue([plain(1, 1_000, 12_000)], NONE, 0, 50), { slots: [1], spared: [1], perSecond: 100 });
});

t.test('several drains of one cluster share the pace and all are done in time (seeded)', async t => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    const random = seededRandom(seed);
    const pace = 20 + below(random, 50);
    const holders = Array.from({ length: 4 }, (_, slot) =>
      plain(slot, below(random, 1_500), 30_000 + below(random, 120_000)),
    );
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
