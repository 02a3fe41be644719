import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { Profile } from '../../../lib/plan/forecast/profile.ts';
import { normal } from '../../../lib/sim/chance.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** A Monday, 00:00 UTC. */
const MONDAY = 1_767_571_200_000;
const STEP = 10_000;

/** Twice as much at 14:00 as at 02:00, half at weekends, and 1.8 × from 03:00 to 03:20. */
function usual(wallMs: number): number {
  const hour = (wallMs % DAY) / HOUR;
  const weekend = (wallMs - MONDAY) % (7 * DAY) >= 5 * DAY;
  const daily = 1 + 0.33 * Math.cos((2 * Math.PI * (hour - 14)) / 24);
  return 0.4 * daily * (weekend ? 0.5 : 1) * (hour >= 3 && hour < 3 + 1 / 3 ? 1.8 : 1);
}

function learned(days: number): Profile {
  const random = seededRandom(21);
  const profile = new Profile();
  for (let at = MONDAY; at < MONDAY + days * DAY; at += STEP)
    profile.learn(usual(at) * Math.exp(0.1 * normal(random)), at, STEP);
  return profile;
}

t.test('knows nothing in its first day, and says so', async t => {
  const profile = learned(0.9);
  t.equal(profile.ratio(MONDAY + DAY + 3 * HOUR - 1, MONDAY + DAY + 3 * HOUR + 1), 1);
});

t.test('after three weeks it knows day, weekend and minute', async t => {
  const profile = learned(21);
  const monday = MONDAY + 21 * DAY;
  const near = (from: number, to: number, tolerance: number, what: string): void => {
    const [is, was] = [profile.ratio(from, to), usual(to) / usual(from)];
    t.ok(Math.abs(is / was - 1) < tolerance, `${what}: ${is} for ${was}`);
  };
  near(monday + 8 * HOUR, monday + 12 * HOUR, 0.1, 'morning to noon');
  near(monday + 14 * HOUR, monday + 20 * HOUR, 0.1, 'noon to evening');
  near(monday + 4.5 * DAY, monday + 5.5 * DAY, 0.15, 'Friday to Saturday');
  near(monday + 3 * HOUR - 10_000, monday + 3 * HOUR + 10_000, 0.1, 'the start of the job at 03:00');
  near(monday + 3 * HOUR + 1_190_000, monday + 3 * HOUR + 1_210_000, 0.1, 'its end');
  near(monday + 10 * HOUR + 55_000, monday + 10 * HOUR + 65_000, 0.03, 'from a minute to the next');
});

t.test('survives as JSON, and refuses what is none', async t => {
  const profile = learned(9);
  const state = JSON.parse(JSON.stringify(profile));
  const again = new Profile();
  t.ok(again.restore(state));
  const at = MONDAY + 9 * DAY;
  for (let hour = 0; hour < 24; hour++) {
    const [there, here] = [profile, again].map(p => p.ratio(at, at + hour * HOUR)) as [number, number];
    if (Math.abs(there / here - 1) > 0.001) t.fail(`${hour}: ${there} became ${here}`);
  }
  t.ok(JSON.stringify(state).length < 40_000, `${JSON.stringify(state).length} characters`);
  for (const wrong of [
    { ...state, hours: state.hours.slice(1) },
    { ...state, minutes: state.minutes.with(3, null) },
    { ...state, week: 'all' },
    { ...state, base: -1 },
  ])
    t.notOk(new Profile().restore(wrong));
});

t.test('a wall clock that steps back and forth does no harm', async t => {
  const profile = learned(8);
  const random = seededRandom(22);
  for (let i = 0; i < 5000; i++) profile.learn(0.4, MONDAY + random.next() * 30 * DAY, STEP);
  for (let i = 0; i < 500; i++) {
    const ratio = profile.ratio(MONDAY + random.next() * DAY, MONDAY + random.next() * DAY);
    if (!(ratio > 0.01 && ratio < 100)) t.fail(`${ratio}`);
  }
  t.pass('ratios stay ratios');
});
