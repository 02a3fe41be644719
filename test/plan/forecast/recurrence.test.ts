// What came twice at this phase is foreseen; what came once, or by chance, is not.

import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { Recurrence } from '../../../lib/plan/forecast/recurrence.ts';

/** A job of 4 s each 30 s, up to half a second late, for so many seconds; seed 3. */
function jobs(seconds: number): Recurrence {
  const random = seededRandom(3);
  const recurrence = new Recurrence();
  let lateMs = 0;
  for (let second = 0; second < seconds; second++) {
    const phaseMs = (second % 30) * 1_000;
    if (phaseMs === 0) lateMs = 500 * random.next();
    const works = phaseMs + 100 >= 10_000 + lateMs && phaseMs + 100 < 14_000 + lateMs;
    recurrence.observe(Math.max(0, (works ? 0.9 : 0.05) + 0.1 * (random.next() - 0.5)), second * 1_000 + 100);
  }
  return recurrence;
}

t.test('a job is foreseen before it comes, and the quiet between is quiet', async t => {
  const atMs = 160_000;
  const recurrence = jobs(160);
  t.equal(recurrence.periodMs, 30_000);
  t.ok(recurrence.worst(atMs, atMs + 1_000) > 0.8, 'it is due now');
  t.ok(recurrence.worst(atMs - 5_000, atMs - 3_000) < 0.2);
  t.ok(recurrence.worst(atMs + 8_000, atMs + 12_000) < 0.2);
});

t.test('noise has no period, and a single accident is not foreseen again', async t => {
  const random = seededRandom(5);
  const noise = new Recurrence();
  for (let second = 0; second < 400; second++) noise.observe(random.next(), second * 1_000);
  t.ok(Number.isNaN(noise.worst(400_000, 401_000)));
  const recurrence = jobs(150);
  for (let second = 150; second < 180; second++)
    recurrence.observe(second >= 170 && second < 174 ? 0.9 : 0.05, second * 1_000);
  t.ok(recurrence.worst(200_000, 201_000) < 0.2, 'at 170 it came once');
});

t.test(
  'who is kept from work because of it is believed to be as bad for some periods, and then tried',
  async t => {
    const recurrence = jobs(160);
    const believed: number[] = [];
    for (let second = 160; second < 640; second++) {
      const atMs = second * 1_000 + 100;
      const foreseen = recurrence.worst(atMs, atMs + 1_000);
      if (second % 30 === 12) believed.push(foreseen);
      if (foreseen > 0.7) recurrence.observeKept(0.05, atMs);
      else recurrence.observe(0.05, atMs);
    }
    const periods = believed.filter(load => load > 0.7).length;
    t.ok(periods >= 4 && periods <= 8, `${believed.map(load => load.toFixed(2))}`);
    t.ok(believed.at(-1)! < 0.2, 'a job that is over is forgotten');
  },
);

t.test('what is no number, negative or old changes nothing', async t => {
  const recurrence = new Recurrence();
  for (const load of [Number.NaN, -1]) recurrence.observe(load, 5_000);
  recurrence.observe(0.5, 9_000);
  recurrence.observe(0.5, 1_000);
  recurrence.observe(0.5, 1e12);
  t.ok(Number.isNaN(recurrence.worst(0, 1_000)));
});
