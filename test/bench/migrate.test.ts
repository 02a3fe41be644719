// The roll of `npm run bench:migrate` in short form: nobody is disconnected and every message arrives once and in order, both ways;
// and where connections are closed instead, the same measure says so.

import t from 'tap';
import { percentile } from '../support/percentile.ts';
import { roll } from './migrate-roll.ts';
import { Heard, judge } from './migrate-sequence.ts';

const NONE = { lost: 0, doubled: 0, reordered: 0 };

t.test('what is missing, came twice or out of order', async t => {
  t.same(judge(0, []), NONE);
  const heard = new Heard();
  for (const number of [0, 1, 2, 5, 6]) heard.note(number);
  t.same(judge(7, heard.runs), { lost: 2, doubled: 0, reordered: 0 });
  const [first, second] = [
    { first: 0, last: 9, atUs: 1 },
    { first: 10, last: 19, atUs: 2 },
  ];
  t.same(judge(20, [second, first]), NONE, 'two receivers, one after the other');
  t.same(judge(21, [first, second]), { ...NONE, lost: 1 });
  t.same(judge(20, [first, { ...second, atUs: 0 }]), { ...NONE, reordered: 1 });
  t.same(judge(20, [first, { first: 8, last: 19, atUs: 2 }]), { lost: 0, doubled: 2, reordered: 1 });
});

t.test(
  'five backends rolled under 300 WebSockets: none disconnected, nothing lost, doubled or reordered',
  async t => {
    const report = await roll({
      ...{ front: 'leaseway', migrate: 'transparent' },
      ...{ backends: 5, clients: 300, periodMs: 200, pace: 200 },
    });
    t.equal(report.disconnects, 0);
    t.same(report.heard, NONE, 'client to backend');
    t.same(report.answers, NONE, 'backend to client');
    t.ok(report.messages > 300 * 10, `${report.messages} messages`);
    // Each backend had a share of the clients at first, and the first ones' clients moved more than once.
    t.ok(report.holdsMs.length >= 300, `${report.holdsMs.length} moves`);
    const p99 = percentile(report.holdsMs, 0.99);
    t.ok(p99 < 2_000, `held ${p99} ms (p99)`);
  },
);

t.test('closing them is seen as what it is', async t => {
  const report = await roll({
    ...{ front: 'leaseway', migrate: 'reconnect' },
    ...{ backends: 2, clients: 60, periodMs: 100, pace: 100 },
  });
  t.equal(report.broken, 60, 'every session');
  t.ok(report.disconnects >= 60);
  t.equal(report.holdsMs.length, 0);
});
