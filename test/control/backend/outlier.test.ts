// Outlier ejection: runs eject, ejections double and are forgiven, returns are on probation.

import t from 'tap';
import {
  ejectionRoom,
  ejectOutlier,
  freshOutlier,
  type OutlierRecord,
  type OutlierRules,
  observeOutlier,
  wantsEjection,
} from '../../../lib/control/backend/outlier.ts';
import { seededRandom } from '../../../lib/core/random.ts';

const RULES: OutlierRules = {
  consecutive_failures: 5,
  base_ejection: 10_000,
  max_ejection: 60_000,
  max_ejected: 0.5,
};
const totals = (successes: number, failures: number, consecutiveFailures: number) => ({
  successes,
  failures,
  consecutiveFailures,
});
const start = freshOutlier(totals(0, 0, 0), 0);

t.test('a run of failures ejects, a shorter one does not', async t => {
  t.notOk(wantsEjection(observeOutlier(start, totals(0, 4, 4), 250, RULES), totals(0, 4, 4), RULES));
  t.ok(wantsEjection(observeOutlier(start, totals(0, 5, 5), 250, RULES), totals(0, 5, 5), RULES));
});

t.test('zero failures switch it off and end an ejection', async t => {
  const off = { ...RULES, consecutive_failures: 0 };
  t.notOk(wantsEjection(start, totals(0, 99, 99), off));
  t.equal(observeOutlier(ejectOutlier(start, 0, RULES), totals(0, 5, 5), 1, off).ejectedUntilMs, null);
});

t.test('each ejection is twice as long as the one before, up to the bound', async t => {
  let record: OutlierRecord = start;
  const lengths: number[] = [];
  for (let i = 0; i < 5; i++) {
    record = ejectOutlier(record, 0, RULES);
    lengths.push(record.lastEjectionMs);
    record = observeOutlier(record, totals(0, 5, 5), record.ejectedUntilMs!, RULES);
  }
  t.same(lengths, [10_000, 20_000, 40_000, 60_000, 60_000]);
});

t.test('time in service as long as the last ejection forgives one', async t => {
  let record = ejectOutlier(ejectOutlier(start, 0, RULES), 0, RULES);
  record = observeOutlier(record, totals(0, 5, 5), 20_000, RULES);
  record = observeOutlier(record, totals(1, 5, 0), 21_000, RULES);
  t.equal(record.level, 2);
  record = observeOutlier(record, totals(9, 5, 0), 39_999, RULES);
  t.equal(record.level, 2);
  record = observeOutlier(record, totals(9, 5, 0), 40_000, RULES);
  t.equal(record.level, 1);
  record = observeOutlier(record, totals(9, 5, 0), 60_000, RULES);
  t.equal(record.level, 0);
});

t.test('a backend that returns is ejected by its first failure, unless a success came before', async t => {
  const back = observeOutlier(ejectOutlier(start, 0, RULES), totals(0, 5, 5), 10_000, RULES);
  t.ok(back.probation);
  t.notOk(wantsEjection(back, totals(0, 5, 5), RULES), 'the old run is not new evidence');
  t.ok(wantsEjection(observeOutlier(back, totals(0, 6, 6), 10_250, RULES), totals(0, 6, 6), RULES));
  t.ok(
    wantsEjection(observeOutlier(back, totals(0, 6, 5), 10_250, RULES), totals(0, 6, 5), RULES),
    'a failure on a worker with a shorter run counts too',
  );
  const proved = observeOutlier(back, totals(1, 5, 0), 10_250, RULES);
  t.notOk(proved.probation);
  t.notOk(wantsEjection(proved, totals(1, 6, 1), RULES));
});

t.test('a run that one worker shows for long does not eject again', async t => {
  let record = observeOutlier(ejectOutlier(start, 0, RULES), totals(0, 7, 7), 10_000, RULES);
  // The success was on another worker: the first one's run still stands at 7.
  record = observeOutlier(record, totals(3, 7, 7), 10_250, RULES);
  t.notOk(wantsEjection(record, totals(3, 7, 7), RULES));
  t.ok(wantsEjection(record, totals(3, 8, 8), RULES), 'a longer one does');
});

t.test('totals that fall because a worker died do not keep it on probation', async t => {
  let record = observeOutlier(ejectOutlier(start, 0, RULES), totals(500, 7, 7), 10_000, RULES);
  record = observeOutlier(record, totals(100, 0, 0), 10_250, RULES);
  record = observeOutlier(record, totals(101, 0, 0), 10_500, RULES);
  t.notOk(record.probation);
});

t.test('room: a share, at least one, never the last usable', async t => {
  t.equal(ejectionRoom(10, 0, 10, 0.5), 5);
  t.equal(ejectionRoom(10, 4, 6, 0.5), 1);
  t.equal(ejectionRoom(4, 0, 4, 0.1), 1, 'a small share means few, not none');
  t.equal(ejectionRoom(4, 0, 4, 0), 0);
  t.equal(ejectionRoom(1, 0, 1, 0.5), 0);
  t.equal(ejectionRoom(2, 0, 1, 0.5), 0, 'the other one is down');
});

t.test(
  'a backend that fails for ever is tried ever more rarely, and one that recovered stays in',
  async t => {
    const seed = 20_250;
    const random = seededRandom(seed);
    let record: OutlierRecord = start;
    let seen = totals(0, 0, 0);
    let errors = 0;
    let lastEjectionAtMs = 0;
    const recoversAtMs = 600_000;
    for (let nowMs = 0; nowMs < 1_800_000; nowMs += 250) {
      const served = record.ejectedUntilMs === null && random.next() < 0.5;
      if (served && nowMs < recoversAtMs) {
        seen = totals(seen.successes, seen.failures + 1, seen.consecutiveFailures + 1);
        errors++;
      } else if (served) seen = totals(seen.successes + 1, seen.failures, 0);
      record = observeOutlier(record, seen, nowMs, RULES);
      if (wantsEjection(record, seen, RULES)) {
        record = ejectOutlier(record, nowMs, RULES);
        lastEjectionAtMs = nowMs;
      }
    }
    t.ok(errors < 20, `few clients saw an error: ${errors} in ten minutes (seed ${seed})`);
    t.ok(lastEjectionAtMs < recoversAtMs, 'never ejected after it recovered');
    t.equal(record.level, 0, 'all is forgiven');
  },
);
