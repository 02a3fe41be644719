// Nanoseconds per pick of each policy among 3, 100 and 4,000 candidates: `node test/bench/pick.ts [--json FILE] [--runs N] [--policy NAME]`.
//
// Loads are read from a scoreboard of four rows, as in life, and each pick is begun and settled there; every eighth candidate
// is vetoed. Policies that learn are told of every request and run behind their seats, as in a worker.

import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock } from '../../lib/core/clock.ts';
import { seededRandom } from '../../lib/core/random.ts';
import { Learning } from '../../lib/data/cluster/learning.ts';
import type { Picker } from '../../lib/plan/balance/picker.ts';
import { type Policy, pickerFactory } from '../../lib/plan/balance/pickers.ts';
import { type LearningPolicy, learns } from '../../lib/plan/balance/strategies.ts';
import { attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { Outcome } from '../../lib/scoreboard/ports.ts';

/** Upper bounds in ns at any size: O(log n) work and no garbage. */
const GOALS: Readonly<Record<Policy | LearningPolicy, number>> = {
  round_robin: 250,
  random: 200,
  least_request: 600,
  p2c: 400,
  peak_ewma: 600,
  consistent_hash: 800,
  maglev: 200,
  predictive: 2_000,
  prequal: 1_500,
};
const PICKS = 200_000;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    runs: { type: 'string', default: '5' },
    policy: { type: 'string' },
  },
});
const runs = Number(values.runs);

/** Of each run, in order of size, after one that warms up. */
function nanosecondsPerPick(policy: Policy | LearningPolicy, count: number): number[] {
  const board = createScoreboard({ workers: 4, slots: count, routes: 1, tokenBuckets: 64, clientCells: 64 });
  const { ledger, decisions } = attachWorker(board, 0);
  const random = seededRandom(1);
  const candidates = Array.from({ length: count }, (_, slot) => ({
    slot,
    id: `b${slot}`,
    weight: 1 + (slot % 3),
  }));
  for (const { slot } of candidates) {
    for (let i = 0; i < slot % 5; i++) ledger.begin(slot);
    ledger.begin(slot);
    ledger.settle(slot, Outcome.success, 5 + (slot % 11));
  }
  const learning = learns(policy)
    ? new Learning({ policy, predictive: { choices: 16 }, prequal: { quantile: 0.84 }, probe: {} }, count, {
        clock: systemClock,
        random,
        decisions,
      })
    : null;
  const seats = learning?.seat(candidates.map(({ slot }) => ({ slot, slotGeneration: 1 })));
  learning?.choose(candidates);
  const picker: Picker =
    learning ??
    pickerFactory({ policy: policy as Policy, hash: { bound: 1.25 }, maglev: { table: 65_537 } })(
      candidates,
      decisions,
      random,
    );
  const request = { key: 0, accepts: (slot: number) => (slot & 7) !== 7 };
  let sum = 0;
  const run = (): number => {
    const startMs = systemClock.monotonicMs();
    for (let i = 0; i < PICKS; i++) {
      request.key = (i * 2_654_435) & 0x3fff_ffff;
      const slot = picker.pick(request);
      const seat = seats?.get(slot);
      ledger.begin(slot);
      seat?.started();
      ledger.settle(slot, Outcome.cancelled, 0);
      seat?.finished('success', 1);
      sum += slot;
    }
    return ((systemClock.monotonicMs() - startMs) * 1e6) / PICKS;
  };
  run();
  const times = Array.from({ length: runs }, () => Math.round(run())).sort((a, b) => a - b);
  if (sum < 0) throw new Error('nobody was picked');
  return times;
}

const rows = (Object.keys(GOALS) as (Policy | LearningPolicy)[])
  .filter(policy => values.policy === undefined || policy === values.policy)
  .flatMap(policy =>
    [3, 100, 4000].map(count => {
      const times = nanosecondsPerPick(policy, count);
      return {
        figure: `pick, ${policy}, ${count} candidates`,
        value: times[times.length >> 1]!,
        unit: 'ns',
        goal: GOALS[policy],
        sense: '<=',
        baseline: null,
        runs: times,
      };
    }),
  );
for (const { figure, value, goal } of rows)
  process.stdout.write(
    `${figure.padEnd(44)} ${String(value).padStart(6)} ns   goal ≤ ${goal}${value > goal ? '   MISSED' : ''}\n`,
  );
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(rows, null, 1)}\n`);
