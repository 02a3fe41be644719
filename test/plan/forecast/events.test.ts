import t from 'tap';
import { EventCalendar, EventForecaster } from '../../../lib/plan/forecast/events.ts';
import { LoadForecaster } from '../../../lib/plan/forecast/load-forecaster.ts';

const WALL = 1_767_600_000_000;
const MINUTE = 60_000;

function world() {
  const calendar = new EventCalendar();
  const forecaster = new EventForecaster(
    new LoadForecaster({ stepMs: 1000, horizonsMs: [5000, 10_000, 30_000] }),
    calendar,
  );
  let second = 0;
  const run = (seconds: number, load: number): void => {
    for (const end = second + seconds; second < end; second++)
      forecaster.observe({ atMs: second * 1000, wallMs: WALL + second * 1000, load, ageMs: 0 });
  };
  return { calendar, forecaster, run };
}
const window = (startMinute: number, minutes: number, factor: number, name = 'campaign') => ({
  name,
  startWallMs: WALL + startMinute * MINUTE,
  endWallMs: WALL + (startMinute + minutes) * MINUTE,
  factor,
});

t.test('the forecast rises before an announced event, and its chance of overload with it', async t => {
  const { calendar, forecaster, run } = world();
  t.ok(calendar.announce(window(10, 5, 2)));
  run(9 * 60, 0.4);
  t.ok(forecaster.forecast(30_000).p90 < 0.5);
  run(40, 0.4);
  t.ok(Math.abs(forecaster.forecast(30_000).p50 - 0.8) < 0.02, '30 s ahead the event runs');
  t.ok(Math.abs(forecaster.forecast(10_000).p50 - 0.4) < 0.02, '10 s ahead it does not yet');
  t.ok(forecaster.chanceOver(0.7, 30_000) > 0.9 && forecaster.chanceOver(0.7, 10_000) < 0.1);
});

t.test('and falls back before its end', async t => {
  const { calendar, forecaster, run } = world();
  calendar.announce(window(10, 5, 2));
  run(10 * 60, 0.4);
  run(4.75 * 60, 0.8);
  t.ok(Math.abs(forecaster.forecast(30_000).p50 - 0.4) < 0.04, `${forecaster.forecast(30_000).p50}`);
});

t.test('what came of an event corrects the next of its name, not another', async t => {
  const { calendar, forecaster, run } = world();
  calendar.announce(window(10, 10, 1.5));
  calendar.announce(window(40, 10, 1.5));
  calendar.announce(window(60, 10, 1.5, 'other'));
  run(10 * 60, 0.3);
  run(10 * 60, 0.6);
  run(19.75 * 60, 0.3);
  t.ok(Math.abs(forecaster.forecast(30_000).p50 - 0.6) < 0.03, `${forecaster.forecast(30_000).p50}`);
  t.equal(forecaster.factorAt(WALL + 65 * MINUTE), 1.5);
  const again = new EventForecaster(new LoadForecaster({ stepMs: 1000, horizonsMs: [] }), calendar);
  again.restore(JSON.parse(JSON.stringify(forecaster)));
  t.equal(again.factorAt(WALL + 45 * MINUTE), forecaster.factorAt(WALL + 45 * MINUTE));
});

t.test('of two events at once nothing is learned, and their factors multiply', async t => {
  const { calendar, forecaster, run } = world();
  calendar.announce(window(10, 10, 2));
  calendar.announce(window(10, 10, 1.5, 'other'));
  t.equal(forecaster.factorAt(WALL + 11 * MINUTE), 3);
  run(10 * 60, 0.2);
  run(10 * 60, 0.3);
  run(60, 0.2);
  t.strictSame(forecaster.toJSON(), {});
});

t.test('maintenance may bring the load to nothing', async t => {
  const { calendar, forecaster, run } = world();
  calendar.announce(window(10, 5, 0, 'maintenance'));
  run(10 * 60 - 5, 0.5);
  t.ok(forecaster.forecast(30_000).p50 < 0.05);
  run(5 * 60, 0);
  run(60, 0.5);
  t.ok(Math.abs(forecaster.forecast(5000).p50 - 0.5) < 0.1);
});

t.test('windows that are none are refused, and so many that memory would grow are not kept', async t => {
  const calendar = new EventCalendar();
  t.notOk(calendar.announce(window(10, 0, 2)));
  t.notOk(calendar.announce(window(10, 5, Number.NaN)));
  t.notOk(calendar.announce(window(10, 5, -1)));
  t.notOk(calendar.announce({ ...window(10, 5, 2), startWallMs: Number.NaN }));
  for (let i = 0; i < 1000; i++) calendar.announce(window(i / 1000, 5, 1));
  t.equal(calendar.near(WALL).length, 256);
  calendar.withdraw('campaign');
  t.equal(calendar.near(WALL).length, 0);
});

t.test('a stored correction that is none is left out', async t => {
  const calendar = new EventCalendar();
  calendar.announce(window(0, 5, 2));
  const forecaster = new EventForecaster(new LoadForecaster({ stepMs: 1000, horizonsMs: [] }), calendar);
  for (const wrong of [
    null,
    'x',
    { campaign: null },
    { campaign: { log: 99, count: 1 } },
    { campaign: { log: '1' } },
  ])
    forecaster.restore(wrong);
  t.equal(forecaster.factorAt(WALL + 1), 2);
});
