import t from 'tap';
import { ForecastQuality } from '../../../lib/plan/forecast/quality.ts';

const options = {
  steps: 2,
  stepMs: 1000,
  threshold: 0.7,
  alarmChance: 0.5,
  memorySteps: Number.POSITIVE_INFINITY,
};
const near = (a: number, b: number): boolean => Math.abs(a - b) < 1e-12;

t.test('the measures, worked out by hand', async t => {
  const quality = new ForecastQuality(options);
  // value, p50, p90, chance; each forecast is for two steps on.
  quality.add(0.2, 0.4, 0.5, 0.1);
  quality.add(0.2, 0.8, 0.9, 0.9);
  quality.add(0.5, 0.6, 0.7, 0.6); // judges the first: error 0.1, last value's 0.3, on P90's edge
  quality.add(0.9, 0.5, 0.6, 0.1); // judges the second: error 0.1, last's 0.7; foreseen
  quality.add(0.3, 0.3, 0.3, 0.0); // judges the third: error 0.3, last's 0.2; a false alarm
  quality.add(0.8, 0.3, 0.3, 0.0); // judges the fourth: error 0.3, last's 0.1, above P90 by 0.2; missed
  const report = quality.report();
  t.ok(near(report.mase, 0.8 / 1.3), `${report.mase}`);
  t.ok(near(report.pinballP50, 0.4 / 4));
  t.ok(near(report.pinballP90, (0 + 0 + 0.1 * 0.4 + 0.9 * 0.2) / 4), `${report.pinballP90}`);
  t.equal(report.coverageP90, 3 / 4);
  t.equal(report.recall, 1 / 2);
  t.equal(report.precision, 1 / 2);
  t.equal(report.foreseen, 1, 'one overload began: the second came within a horizon of the first');
  t.equal(report.leadMs, 2000);
});

t.test('nothing judged is no figure', async t => {
  const quality = new ForecastQuality(options);
  quality.add(0.2, 0.2, 0.2, 0);
  t.ok(Object.values(quality.report()).every(Number.isNaN));
});

t.test('with a memory old errors fade', async t => {
  const quality = new ForecastQuality({ ...options, memorySteps: 20 });
  let value = 0;
  const add = (bad: boolean): void => {
    value = value === 0.1 ? 0.6 : 0.1;
    quality.add(value, bad ? 3 : value === 0.1 ? 0.1 : 0.6, 1, 0);
  };
  for (let i = 0; i < 100; i++) add(true);
  const before = quality.report().pinballP50;
  for (let i = 0; i < 200; i++) add(false);
  t.ok(before > 1 && quality.report().pinballP50 < 0.01);
});
