// Load reports on the scoreboard: the latest of each kind over all workers, about this backend and no other.

import t from 'tap';
import { orcaNames } from '../../lib/core/orca/names.ts';
import { parseReport } from '../../lib/core/orca/parse.ts';
import { LoadReading } from '../../lib/core/orca/reading.ts';
import { attachControl, attachWorker } from '../../lib/scoreboard/attach.ts';
import { createScoreboard } from '../../lib/scoreboard/layout.ts';
import { releaseRow } from '../../lib/scoreboard/supervise.ts';
import { FakeClock } from '../support/fake-clock.ts';

const names = orcaNames();

function setUp() {
  const board = createScoreboard({ workers: 2, slots: 4, clientCells: 64, tokenBuckets: 64 });
  const clock = new FakeClock();
  const control = attachControl(board, clock);
  const ledgers = [0, 1].map(row => attachWorker(board, row, clock).ledger);
  const reading = new LoadReading();
  const say = (row: number, slot: number, generation: number, text: string): void => {
    reading.clear();
    parseReport(`TEXT ${text}`, names, reading);
    ledgers[row]!.reported(slot, generation, reading);
  };
  const heard = (slot: number, generation: number) => {
    const found: Record<string, readonly [number, number]> = {};
    control.reports(slot, generation, (kind, value, ageMs) => {
      found[kind] = [Math.round(value * 1e6) / 1e6, ageMs];
    });
    return found;
  };
  return { board, clock, control, say, heard };
}

t.test('the worker that heard last has the word, for each kind by itself', async t => {
  const { clock, say, heard } = setUp();
  t.same(heard(1, 7), {}, 'nothing was said');
  say(0, 1, 7, 'cpu_utilization=0.25,eps=3');
  clock.advance(100);
  say(1, 1, 7, 'cpu_utilization=0.75');
  clock.advance(50);
  t.same(heard(1, 7), { cpu: [0.75, 50], errorsPerSecond: [3, 150] });
  say(0, 1, 7, 'cpu_utilization=0.1');
  t.same(heard(1, 7), { cpu: [0.1, 0], errorsPerSecond: [3, 150] });
  t.same(heard(2, 7), {}, 'another backend said nothing');
});

t.test('what the last backend of a slot said is not said of the next', async t => {
  const { say, heard } = setUp();
  say(0, 1, 7, 'cpu_utilization=0.25,eps=3');
  t.same(heard(1, 8), {});
  say(0, 1, 8, 'mem_utilization=0.5');
  t.same(heard(1, 8), { memory: [0.5, 0] }, 'and its other values are gone');
  t.same(heard(1, 7), {});
});

t.test('reports and refused values are counted, a report without a value too', async t => {
  const { board, control, say, heard } = setUp();
  say(0, 1, 7, 'cpu_utilization=NaN,eps=-1');
  say(1, 1, 7, 'cpu_utilization=0.5');
  const { loadReports, loadValuesRefused } = control.totals(1);
  t.same([loadReports, loadValuesRefused], [2, 2]);
  t.same(heard(1, 7), { cpu: [0.5, 0] });
  releaseRow(board, 1);
  t.same(heard(1, 7), {}, 'a dead worker takes its report along');
  t.equal(control.totals(1).loadReports, 2, 'and leaves its counts');
});
