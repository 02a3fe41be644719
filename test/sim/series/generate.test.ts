import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { exponential, normal } from '../../../lib/sim/chance.ts';
import { poisson } from '../../../lib/sim/series/chance.ts';
import { generateSeries } from '../../../lib/sim/series/generate.ts';
import { SERIES_PRESETS } from '../../../lib/sim/series/presets.ts';
import { samplesOf } from '../../../lib/sim/series/samples.ts';
import type { SeriesSpec } from '../../../lib/sim/series/spec.ts';

const flat: SeriesSpec = {
  stepMs: 1000,
  steps: 7200,
  startWallMs: 1_767_571_200_000, // Monday, 00:00 UTC
  baseLoad: 0.4,
  requestsPerSecond: 200,
  workVariation: 1,
};
const mean = (list: ArrayLike<number>): number =>
  Array.from(list).reduce((sum, value) => sum + value, 0) / list.length;
const deviation = (list: ArrayLike<number>): number => {
  const centre = mean(list);
  return Math.sqrt(mean(Array.from(list, value => (value - centre) ** 2)));
};

t.test('numbers have the moments they should', async t => {
  const random = seededRandom(31);
  for (const lambda of [0.5, 5, 29, 200]) {
    const counts = Array.from({ length: 20_000 }, () => poisson(random, lambda));
    t.ok(Math.abs(mean(counts) / lambda - 1) < 0.03, `mean ${mean(counts)} for ${lambda}`);
    t.ok(Math.abs(deviation(counts) ** 2 / lambda - 1) < 0.06, `variance for ${lambda}`);
  }
  const normals = Array.from({ length: 20_000 }, () => normal(random));
  t.ok(Math.abs(mean(normals)) < 0.03 && Math.abs(deviation(normals) - 1) < 0.03);
  const waits = Array.from({ length: 20_000 }, () => 4 * exponential(random));
  t.ok(Math.abs(mean(waits) - 4) < 0.15 && Math.abs(deviation(waits) - 4) < 0.2);
});

t.test('a seed makes one series, another seed another', async t => {
  for (const [name, spec] of Object.entries(SERIES_PRESETS)) {
    const short = { ...spec, steps: 1200 };
    t.same(generateSeries(short, 5), generateSeries(short, 5), name);
    t.notSame(generateSeries(short, 6).load, generateSeries(short, 5).load, name);
  }
});

t.test('leaving one ingredient out leaves the others as they were', async t => {
  const spec = { ...SERIES_PRESETS.mixed, steps: 3600 };
  const { jobs: _, ...without } = spec;
  const whole = generateSeries(spec, 7);
  const part = generateSeries(without, 7);
  t.same(part.noiseLog, whole.noiseLog);
  t.same(part.surprise, whole.surprise);
});

t.test('chance alone scatters a sample as requests and their work say', async t => {
  const { load, learnableShare } = generateSeries(flat, 8);
  t.ok(Math.abs(mean(load) - 0.4) < 0.005, `${mean(load)}`);
  // λ = 80 a step, work variation 1: variance 2λ.
  t.ok(Math.abs(deviation(load) - Math.sqrt(160) / 200) < 0.004, `${deviation(load)}`);
  t.ok(learnableShare < 0.01);
});

t.test('the noise has the deviation and the memory asked for', async t => {
  const { noiseLog, noiseMemory } = generateSeries(
    { ...flat, steps: 50_000, noise: { sigma: 0.2, correlationMs: 10_000 } },
    9,
  );
  t.ok(Math.abs(deviation(noiseLog) - 0.2) < 0.02);
  const lag10 = mean(Array.from({ length: 49_990 }, (_, i) => noiseLog[i]! * noiseLog[i + 10]!)) / 0.04;
  t.ok(Math.abs(lag10 - Math.exp(-1)) < 0.08, `${lag10}`);
  t.ok(Math.abs(noiseMemory - Math.exp(-0.1)) < 1e-12);
});

t.test('waves peak at their hour, and the weekend is a weekend', async t => {
  const { learnable } = generateSeries(
    {
      ...flat,
      stepMs: 60_000,
      steps: 7 * 1440,
      waves: { amplitude: 0.5, peakHour: 14, weekendFactor: 0.5 },
    },
    10,
  );
  const at = (day: number, hour: number): number => learnable[day * 1440 + hour * 60]!;
  t.ok(Math.abs(at(0, 14) - 0.6) < 1e-3 && Math.abs(at(0, 2) - 0.2) < 1e-3);
  t.ok(Math.abs(at(5, 14) - 0.3) < 1e-3, 'Saturday is half');
  t.ok(Math.abs(at(6, 14) - 0.3) < 1e-3 && at(4, 14) > 0.59);
});

t.test('jobs come by the clock, within their jitter, in their shape', async t => {
  const { jobs, learnableShare } = generateSeries(SERIES_PRESETS.minutely, 11);
  const starts: number[] = [];
  for (let i = 1; i < jobs.length; i++) if (jobs[i]! > 0 && jobs[i - 1] === 0) starts.push(i);
  t.ok(starts.length >= 119);
  for (let i = 1; i < starts.length; i++)
    if (Math.abs(starts[i]! - starts[i - 1]! - 60) > 1) t.fail(`${starts[i]! - starts[i - 1]!} s`);
  t.ok(learnableShare > 0.8);
  const saw = generateSeries(SERIES_PRESETS.sawtooth, 11).jobs;
  const peak = saw.indexOf(Math.max(...saw));
  t.ok(saw[peak - 1]! < saw[peak]! && saw[peak - 20]! < saw[peak - 1]! && saw[peak + 1]! < 0.1);
});

t.test('ramps and crowds come as often as asked, to their factor', async t => {
  const steps = 24 * 3600;
  const ramps = generateSeries(
    { ...flat, steps, ramps: { perHour: 4, factor: 2, riseMs: 30_000, holdMs: 60_000 } },
    12,
  ).surprise;
  const crowds = generateSeries(
    { ...flat, steps, crowds: { perHour: 4, factor: 3, riseMs: 5000, decayMs: 30_000 } },
    12,
  ).surprise;
  const begun = (factors: Float64Array): number =>
    factors.reduce((count, f, i) => count + (f > 1.3 && (factors[i - 1] ?? 1) <= 1.3 ? 1 : 0), 0);
  t.ok(begun(ramps) > 50 && begun(ramps) < 130, `${begun(ramps)} ramps in a day`);
  t.ok(begun(crowds) > 50 && begun(crowds) < 130, `${begun(crowds)} crowds in a day`);
  t.ok(Math.abs(Math.max(...ramps) - 2) < 1e-9 && Math.max(...crowds) > 2.9);
  t.ok(Math.min(...ramps) >= 1 && Math.min(...crowds) >= 1);
});

t.test('what is announced is told apart from what comes', async t => {
  const { announced, learnable } = generateSeries(
    {
      ...flat,
      events: [{ name: 'e', afterMs: 600_000, forMs: 60_000, announcedFactor: 1.5, factor: 2 }],
    },
    13,
  );
  t.equal(announced[599], 1);
  t.equal(announced[600], 1.5);
  t.equal(announced[660], 1);
  t.ok(Math.abs(learnable[630]! - 0.8) < 1e-9);
});

t.test('drift wanders as far in an hour as asked', async t => {
  const ends = Array.from(
    { length: 40 },
    (_, seed) =>
      generateSeries({ ...flat, stepMs: 10_000, steps: 361, driftPerSqrtHour: 0.3 }, seed).surprise[360]!,
  ).map(Math.log);
  t.ok(Math.abs(deviation(ends) - 0.3) < 0.1, `${deviation(ends)}`);
});

t.test('samples arrive late and with losses, and say how old they are', async t => {
  const series = generateSeries(flat, 14);
  const seen = [...samplesOf(series, { lossShare: 0.3, ageMs: 2000 }, 14)];
  t.equal(seen[0]!.sample.ageMs >= 2000, true);
  let aged = 0;
  for (const { step, sample } of seen) {
    const from = step - sample.ageMs / 1000;
    if (sample.load !== series.load[from]) t.fail(`step ${step}: not the load of step ${from}`);
    if (sample.ageMs > 2000) aged += 1;
  }
  t.ok(Math.abs(aged / seen.length - 0.3) < 0.03, `${aged} of ${seen.length} repeat an older one`);
});
