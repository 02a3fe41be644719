import fc from 'fast-check';
import t from 'tap';
import type { Sample } from '../../../lib/plan/forecast/forecaster.ts';
import { LoadForecaster } from '../../../lib/plan/forecast/load-forecaster.ts';
import { generateSeries, type Series } from '../../../lib/sim/series/generate.ts';
import { SERIES_PRESETS } from '../../../lib/sim/series/presets.ts';

const OPTIONS = { stepMs: 1000, horizonsMs: [5000, 10_000, 30_000] };

/** Sample of a series at a step, on a monotonic clock that began `startMs` ago. */
const sampleOf = (series: Series, step: number, startMs = 0): Sample => ({
  atMs: startMs + step * series.stepMs,
  wallMs: series.startWallMs + step * series.stepMs,
  load: series.load[step]!,
  ageMs: 0,
});
function fed(series: Series, from: number, to: number, forecaster = new LoadForecaster(OPTIONS)) {
  for (let step = from; step < to; step++) forecaster.observe(sampleOf(series, step));
  return forecaster;
}
const steady = generateSeries(SERIES_PRESETS.steady, 1);
const minutely = generateSeries(SERIES_PRESETS.minutely, 2);
/** Steps at which the minutely job is `ahead` steps away or less, within one minute from `from` on. */
const onset = (series: Series, from: number): number => {
  let step = from;
  while (series.jobs[step]! > 0) step += 1;
  while (series.jobs[step]! === 0) step += 1;
  return step;
};

t.test('before the first sample nothing is forecast, and nothing compares', async t => {
  const forecaster = new LoadForecaster(OPTIONS);
  const { p50, p90 } = forecaster.forecast(10_000);
  t.ok(Number.isNaN(p50) && Number.isNaN(p90));
  t.equal(forecaster.chanceOver(0.7, 10_000), 0);
  t.notOk(forecaster.guarded(0.9, 10_000) > 0.7);
});

t.test('horizons without order or bound are a mistake of the caller', async t => {
  for (const horizonsMs of [
    [5000, 5000],
    [10_000, 5000],
    [1e9],
    [1, 2, 3, 4, 5, 6, 7, 8, 9].map(s => s * 1000),
  ])
    t.throws(() => new LoadForecaster({ stepMs: 1000, horizonsMs }));
});

t.test('one sample is already a forecast', async t => {
  const forecaster = fed(steady, 0, 1);
  t.ok(Math.abs(forecaster.forecast(10_000).p50 - steady.load[0]!) < 0.01);
  t.ok(forecaster.forecast(10_000).p90 > steady.load[0]!);
});

t.test('a job each minute is foreseen ten seconds before it starts and not thirty', async t => {
  const start = onset(minutely, 3600);
  const forecaster = fed(minutely, 0, start - 8);
  t.ok(forecaster.forecast(10_000).p50 > 0.7, `${forecaster.forecast(10_000).p50}`);
  t.ok(forecaster.chanceOver(0.7, 10_000) > 0.7);
  t.ok(forecaster.chanceOver(0.7, 30_000) < 0.3, 'by then it is over');
  const reason = forecaster.reason(10_000);
  t.ok(Math.abs(reason.periodMs - 60_000) < 500, `${reason.periodMs}`);
  const weight = reason.members.reduce((sum, member) => sum + member.weight, 0);
  t.ok(Math.abs(weight - 1) < 1e-9);
  const point = reason.members.reduce((sum, member) => sum + member.weight * member.forecast, 0);
  t.ok(Math.abs(point - reason.point) < 1e-9, 'the reason adds up');
});

t.test('between two horizons what is periodic is not smeared', async t => {
  const start = onset(minutely, 3600);
  const forecaster = fed(minutely, 0, start - 17);
  t.ok(forecaster.forecast(20_000).p50 > 0.65, `${forecaster.forecast(20_000).p50}`);
  t.ok(forecaster.forecast(12_000).p50 < 0.55, `${forecaster.forecast(12_000).p50}`);
});

t.test('where decisions need it, the forecast is not below the present', async t => {
  const start = onset(minutely, 3600);
  const forecaster = fed(minutely, 0, start + 6);
  t.ok(forecaster.quantile(0.5, 10_000) < 0.6, 'the job will have ended');
  t.ok(forecaster.guarded(0.5, 10_000) > 0.7, 'but it has not');
});

t.test('a signal that stops widens the forecast step by step and freezes nothing', async t => {
  const forecaster = fed(steady, 0, 3600);
  const { atMs, wallMs, load } = sampleOf(steady, 3599);
  let before = 0;
  for (const ageMs of [0, 5000, 20_000, 60_000, 300_000]) {
    forecaster.observe({ atMs: atMs + ageMs, wallMs: wallMs + ageMs, load, ageMs });
    const width = forecaster.quantile(0.9, 10_000) - forecaster.quantile(0.5, 10_000);
    t.ok(width > before, `${width} at an age of ${ageMs} ms, before ${before}`);
    before = width;
  }
  t.ok(before < 1, 'but not without bound');
});

t.test('a repeated measurement teaches nothing', async t => {
  const once = fed(steady, 0, 600);
  const often = new LoadForecaster(OPTIONS);
  for (let step = 0; step < 600; step++) {
    const sample = sampleOf(steady, step);
    often.observe(sample);
    for (const late of [250, 500, 750])
      often.observe({ ...sample, atMs: sample.atMs + late, wallMs: sample.wallMs + late, ageMs: late });
  }
  const { cycle, ...rest } = often.toJSON();
  t.same(rest.reaches, once.toJSON().reaches);
  t.equal(cycle, null);
});

t.test('gaps, short and long, cost accuracy only while they last', async t => {
  const whole = fed(minutely, 0, 3600);
  for (const gap of [3, 40, 400]) {
    const forecaster = fed(minutely, 0, 3000);
    fed(minutely, 3000 + gap, 3600, forecaster);
    const there = whole.forecast(10_000).p50;
    const here = forecaster.forecast(10_000).p50;
    t.ok(Math.abs(there - here) < 0.08, `after a gap of ${gap} s ${here}, without ${there}`);
    t.ok(Math.abs(forecaster.reason(0).periodMs - 60_000) < 500, 'the period is still known');
  }
});

t.test('reports that are no loads are refused', async t => {
  const forecaster = fed(steady, 0, 1000);
  const before = forecaster.toJSON();
  for (const load of [Number.NaN, -1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    forecaster.observe({ ...sampleOf(steady, 1000), load });
  forecaster.observe({ ...sampleOf(steady, 1000), atMs: Number.NaN });
  forecaster.observe({ ...sampleOf(steady, 1000), wallMs: Number.NaN });
  t.same(forecaster.toJSON(), before);
});

t.test('one absurd report is forgotten within a minute', async t => {
  const clean = fed(steady, 0, 1060);
  const forecaster = fed(steady, 0, 1000);
  forecaster.observe({ ...sampleOf(steady, 1000), load: 1e300 });
  t.ok(forecaster.forecast(10_000).p90 <= 17, 'bounded at once');
  fed(steady, 1001, 1060, forecaster);
  t.ok(Math.abs(forecaster.forecast(10_000).p50 - clean.forecast(10_000).p50) < 0.15);
});

t.test('a wall clock that steps by hours, back and forth, changes no forecast in its first day', async t => {
  const forecaster = fed(steady, 0, 1000);
  for (let step = 1000; step < 1100; step++)
    forecaster.observe({
      ...sampleOf(steady, step),
      wallMs: steady.startWallMs + (step % 2 === 0 ? 1 : -1) * 7_200_000,
    });
  t.ok(Math.abs(forecaster.forecast(10_000).p50 - fed(steady, 0, 1100).forecast(10_000).p50) < 1e-9);
});

t.test('what was learned survives a restart, the phase of a job included', async t => {
  const json = JSON.stringify(fed(minutely, 0, 3600));
  t.ok(json.length < 60_000, `${json.length} characters`);
  const start = onset(minutely, 3700);
  const again = new LoadForecaster(OPTIONS);
  t.ok(again.restore(JSON.parse(json)));
  // Another process: its monotonic clock began elsewhere, and it missed some seconds.
  for (let step = 3640; step < start - 8; step++) again.observe(sampleOf(minutely, step, 77_777_777));
  t.ok(again.forecast(10_000).p50 > 0.7, `${again.forecast(10_000).p50}`);
  const fresh = fed(minutely, 3640, start - 8);
  t.ok(fresh.forecast(10_000).p50 < 0.5, 'who restored nothing foresees nothing yet');
});

t.test('a stored state that is none is refused whole', async t => {
  const state = JSON.parse(JSON.stringify(fed(minutely, 0, 3600)));
  const reach = state.reaches[1];
  const wrong: unknown[] = [
    null,
    'state',
    {},
    { ...state, stepMs: 250 },
    { ...state, wallMs: 'now' },
    { ...state, profile: null },
    { ...state, profile: { ...state.profile, hours: [] } },
    { ...state, cycle: { ...state.cycle, period: 1e9 } },
    { ...state, cycle: { ...state.cycle, means: [] } },
    { ...state, reaches: state.reaches.slice(1) },
    { ...state, reaches: state.reaches.with(1, null) },
    { ...state, reaches: state.reaches.with(1, { ...reach, weights: reach.weights.map(() => 0) }) },
    { ...state, reaches: state.reaches.with(1, { ...reach, regression: reach.regression.with(0, null) }) },
    { ...state, reaches: state.reaches.with(1, { ...reach, regression: reach.regression.with(0, 1e9) }) },
    { ...state, reaches: state.reaches.with(1, { ...reach, errorScale: 0 }) },
  ];
  for (const json of wrong) {
    const forecaster = new LoadForecaster(OPTIONS);
    if (forecaster.restore(json)) t.fail(JSON.stringify(json).slice(0, 200));
    fed(minutely, 0, 20, forecaster);
    t.ok(Number.isFinite(forecaster.forecast(10_000).p50));
  }
  t.ok(new LoadForecaster(OPTIONS).restore(state), 'and the right one is not');
});

t.test('whatever is reported whenever, forecasts are ordered, bounded numbers', async t => {
  const report = fc.record({
    afterMs: fc.oneof(fc.constant(1000), fc.integer({ min: -5000, max: 200_000 })),
    load: fc.oneof(fc.double({ min: 0, max: 1.5, noNaN: true }), fc.double()),
    ageMs: fc.oneof(fc.constant(0), fc.integer({ min: -1000, max: 100_000 })),
  });
  fc.assert(
    fc.property(fc.array(report, { minLength: 1, maxLength: 200 }), reports => {
      const forecaster = new LoadForecaster(OPTIONS);
      let atMs = 0;
      let known = false;
      for (const { afterMs, load, ageMs } of reports) {
        atMs += afterMs;
        forecaster.observe({ atMs, wallMs: 1e12 + atMs, load, ageMs });
        known ||= load >= 0 && load < Number.POSITIVE_INFINITY;
        if (!known) continue;
        for (const ms of [0, 1000, 7000, 30_000, 90_000]) {
          const { p50, p90 } = forecaster.forecast(ms);
          const chance = forecaster.chanceOver(0.7, ms);
          if (!(p50 >= 0 && p50 <= p90 && p90 < 1e3)) throw new Error(`${ms} ms: ${p50} ${p90}`);
          if (!(chance >= 0 && chance <= 1)) throw new Error(`${ms} ms: chance ${chance}`);
        }
      }
    }),
    { numRuns: 150 },
  );
  t.pass('150 histories');
});
