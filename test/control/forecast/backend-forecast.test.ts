import t from 'tap';
import { BackendForecast } from '../../../lib/control/forecast/backend-forecast.ts';
import { EventCalendar, type EventWindow } from '../../../lib/plan/forecast/events.ts';
import { NO_SIGNALS } from '../../../lib/plan/load/signals.ts';

/** Events that make nonsense of every forecast while `mad`. */
class MadCalendar extends EventCalendar {
  mad = false;
  override near(wallMs: number): readonly EventWindow[] {
    if (!this.mad) return super.near(wallMs);
    return [{ name: 'mad', startWallMs: wallMs, endWallMs: wallMs + 1, factor: Number.NaN }];
  }
}

t.test('a forecast that is no number gives way to the present load, is flagged, and recovers', async t => {
  const calendar = new MadCalendar();
  const forecast = new BackendForecast(
    { horizonsMs: [5_000, 10_000], gateHorizonMs: 10_000, threshold: 0.7 },
    calendar,
  );
  let nowMs = 0;
  const counts = {
    ...{ attempts: 0, successes: 0, serverErrors: 0, failures: 0, cancelled: 0 },
    ...{ latencySumMs: 0, bytesIn: 0, bytesOut: 0 },
  };
  const pass = (ticks: number): void => {
    for (let i = 0; i < ticks; i++) {
      nowMs += 250;
      counts.attempts += 5;
      counts.successes += 5;
      counts.latencySumMs += 100;
      forecast.tick({
        ...{ nowMs, wallMs: nowMs, counts: { ...counts }, inFlight: 4, connections: 0 },
        ...{ signals: NO_SIGNALS, capacity: { concurrency: 10 }, shareOfWork: Number.NaN },
      });
    }
  };
  pass(100);
  t.equal(forecast.state, 'fine');
  calendar.mad = true;
  pass(10);
  t.equal(forecast.state, 'diverged');
  t.ok(Math.abs(forecast.predicted - 0.4) < 0.01, `${forecast.predicted}`);
  for (const { p50, p90, overload } of forecast.horizons)
    t.ok(Math.abs(p50 - 0.4) < 0.01 && Math.abs(p90 - 0.4) < 0.01 && overload === 0);
  pass(200);
  calendar.mad = false;
  pass(100);
  t.equal(forecast.state, 'fine', 'its models began anew');
  t.ok(Math.abs(forecast.predicted - 0.4) < 0.05, `${forecast.predicted}`);
});
