// The table keeps rows, lists and sums in step, whatever comes and goes.

import t from 'tap';
import { below, seededRandom } from '../../../lib/core/random.ts';
import { SessionTable } from '../../../lib/plan/session/table.ts';

t.test('rows, lists and sums agree with a plain map over 20,000 random changes', t => {
  const seed = 7;
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  const table = new SessionTable(200, 5);
  const plain = new Map<number, { slot: number; activity: number }>();
  for (let i = 0; i < 20_000; i++) {
    const rows = [...plain.keys()];
    const row = rows[below(random, Math.max(1, rows.length))];
    const kind = below(random, 4);
    if (kind === 0 || row === undefined) {
      const slot = below(random, 5);
      const activity = random.next() * 10;
      const opened = table.open(slot, activity, i);
      if (opened >= 0) plain.set(opened, { slot, activity });
      else if (plain.size !== 200) t.fail('room was refused');
    } else if (kind === 1) {
      table.close(row);
      plain.delete(row);
    } else if (kind === 2) {
      const slot = below(random, 5);
      table.place(row, slot, i);
      plain.get(row)!.slot = slot;
    } else {
      const activity = random.next() * 10;
      table.setActivity(row, activity);
      plain.get(row)!.activity = activity;
    }
  }
  t.equal(table.count, plain.size);
  for (let slot = 0; slot < 5; slot++) {
    const own = [...plain].filter(([, entry]) => entry.slot === slot);
    t.same(
      [...table.on(slot)].sort((a, b) => a - b),
      own.map(([row]) => row).sort((a, b) => a - b),
    );
    const sum = own.reduce((sum, [, { activity }]) => sum + activity, 0);
    t.ok(Math.abs(table.activityOn(slot) - sum) < 1e-6, 'the sum is right but for rounding');
    table.tally(slot);
    t.ok(Math.abs(table.activityOn(slot) - sum) < 1e-9);
  }
  t.end();
});

t.test('a full table refuses, and takes again what was given back', t => {
  const table = new SessionTable(2, 1);
  const row = table.open(0, 1, 0);
  t.ok(table.open(0, 1, 0) >= 0);
  t.equal(table.open(0, 1, 0), -1);
  table.close(row);
  t.equal(table.open(0, 1, 0), row);
  t.end();
});

t.test('nothing is left of a backend whose last session leaves', t => {
  const table = new SessionTable(4, 2);
  const rows = [0.1, 0.2, 0.3].map(activity => table.open(0, activity, 0));
  for (const row of rows) table.place(row, 1, 1);
  t.equal(table.activityOn(0), 0);
  t.end();
});
