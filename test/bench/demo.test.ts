// What `npm run demo:migrate` shows is so, in short form: users leave before the announced job, none is disconnected, and answers stay in time.

import t from 'tap';
import { type Look, runWorld } from './demo-world.ts';

t.test('users are moved before the job, and those who stay wait', async t => {
  const looks: Look[] = [];
  const report = await runWorld({ calmMs: 7_000, aheadMs: 8_000, jobMs: 20_000, watchMs: 5_000 }, look =>
    looks.push(look),
  );
  const { last, movedBefore, holdsMs } = report;
  t.match(report.command, /^leaseway announce moved\/b1 --factor 4 --in 8s --for 20s --name reindex$/);
  t.ok(movedBefore > 0, `${movedBefore} moved before it began`);
  t.ok(holdsMs.length >= movedBefore);
  t.equal(last.moved.disconnects + last.stays.disconnects, 0);
  t.same(new Set(looks.map(({ stays }) => stays.users.join())).size, 1, 'the others stay');
  t.ok(
    looks.some(({ phase, moved }) => phase === 'announced' && (moved.foreseen ?? 0) > 0.9),
    'it was foreseen',
  );
  t.ok(report.overloaded.stays >= 3, `over capacity at ${report.overloaded.stays} looks`);
  t.ok(report.overloaded.moved < report.overloaded.stays, `and at ${report.overloaded.moved}`);
  t.ok(last.moved.late < last.stays.late, `${last.moved.late} late answers against ${last.stays.late}`);
});
