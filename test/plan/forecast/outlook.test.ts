import t from 'tap';
import { seededRandom } from '../../../lib/core/random.ts';
import { LoadForecaster } from '../../../lib/plan/forecast/load-forecaster.ts';
import { checkedWeights, Network, type NetworkWeights } from '../../../lib/plan/forecast/network.ts';
import { LoadOutlook } from '../../../lib/plan/forecast/outlook.ts';
import { OUTLOOK_INPUTS, REACHES } from '../../../lib/plan/forecast/outlook-inputs.ts';
import { trainingRows } from '../../../lib/plan/forecast/outlook-rows.ts';
import { generateSeries, type Series } from '../../../lib/sim/series/generate.ts';
import { MINUTE_PRESETS, SERIES_PRESETS } from '../../../lib/sim/series/presets.ts';
import { trainNetwork } from '../../../lib/training/train-network.ts';
import { runMinutes } from '../../support/neural-run.ts';

const MINUTE_MS = 60_000;
const DAY = 1440;
const short = (days: number): Series =>
  generateSeries({ ...MINUTE_PRESETS.hourlyJobs, steps: days * DAY }, 41);
/** Lives through some minutes of a series; afterwards its last minute is over. */
function live(outlook: LoadOutlook, series: Series, from: number, to: number): LoadOutlook {
  for (let step = from; step < to; step++)
    outlook.observe(series.load[step]!, series.startWallMs + step * MINUTE_MS);
  outlook.settle();
  return outlook;
}
/** A network that says the same of everything: `answer` at each reach. */
const constant = (answer: number): NetworkWeights => ({
  layers: [Array.from({ length: REACHES }, () => [Math.atanh(answer), ...new Array(OUTLOOK_INPUTS).fill(0)])],
});

t.test('a forecaster of minutes does at tempo 60 what one of seconds does', async t => {
  const { load, startWallMs } = generateSeries({ ...SERIES_PRESETS.minutely, steps: 1200 }, 3);
  const seconds = new LoadForecaster({ stepMs: 1000, horizonsMs: [10_000] });
  const minutes = new LoadForecaster({ stepMs: MINUTE_MS, horizonsMs: [10 * MINUTE_MS], tempo: 60 });
  for (const [i, value] of load.entries()) {
    seconds.observe({ atMs: i * 1000, wallMs: startWallMs, load: value, ageMs: 0 });
    minutes.observe({ atMs: i * MINUTE_MS, wallMs: startWallMs, load: value, ageMs: 0 });
  }
  t.same(minutes.forecast(10 * MINUTE_MS), seconds.forecast(10_000));
  t.equal(minutes.reason(0).periodMs, 60 * seconds.reason(0).periodMs);
  t.ok(seconds.reason(0).periodMs > 0, 'a period was found');
});

t.test('before its first minute is over an outlook says nothing, after it something', async t => {
  const outlook = new LoadOutlook();
  t.ok(Number.isNaN(outlook.forecast(15 * MINUTE_MS).p50));
  for (const load of [Number.NaN, -1, Number.POSITIVE_INFINITY]) outlook.observe(load, 0);
  outlook.settle();
  t.ok(Number.isNaN(outlook.forecast(15 * MINUTE_MS).p50), 'what is no load is no minute');
  for (let second = 0; second <= 60; second++) outlook.observe(0.4, second * 1000);
  const { p50, p90 } = outlook.forecast(15 * MINUTE_MS);
  t.ok(Math.abs(p50 - 0.4) < 0.01 && p90 > p50, `${p50} ${p90}`);
});

t.test('an hourly job is foreseen a quarter of an hour ahead', async t => {
  const series = short(10);
  const outlook = new LoadOutlook();
  let [own, last] = [0, 0];
  const said = new Map<number, number>();
  for (let step = 0; step < series.load.length; step++) {
    live(outlook, series, step, step + 1);
    said.set(step + 15, outlook.forecast(15 * MINUTE_MS).p50);
    if (step < 3 * DAY) continue;
    own += Math.abs(said.get(step)! - series.load[step]!);
    last += Math.abs(series.load[step - 15]! - series.load[step]!);
  }
  t.ok(own < 0.5 * last, `mean error ${own / last} of the last value's`);
  const [near, far, beyond] = [15, 60, 240].map(minutes => outlook.forecast(minutes * MINUTE_MS));
  t.ok(near!.p90 > near!.p50 && far!.p90 > far!.p50);
  t.equal(beyond!.p90 > far!.p90, true, 'beyond an hour it widens');
});

t.test('a network that is wrong loses its say', async t => {
  const series = short(10);
  const [alone, misled] = [new LoadOutlook(), new LoadOutlook()];
  t.ok(misled.adopt(constant(0.5)));
  const errors = [0, 0];
  for (let step = 0; step < series.load.length; step++) {
    for (const [i, outlook] of [alone, misled].entries()) {
      const said = outlook.reason(5 * MINUTE_MS).point;
      live(outlook, series, step, step + 1);
      if (step > 7 * DAY) errors[i]! += Math.abs(said - series.load[step]!);
    }
  }
  const { members } = misled.reason(60 * MINUTE_MS);
  t.equal(members.find(({ name }) => name === 'network')!.weight, 0);
  t.equal(errors[1], errors[0], 'it never had one');
  const { standing, gain, network, simple } = misled.quality(60 * MINUTE_MS);
  t.equal(standing, 'refused');
  t.ok(gain > 1 && network > 2 * simple, `${gain} ${network} ${simple}`);
});

t.test(
  'for twelve hours a network is on trial; then it counts where the whole was better with it',
  async t => {
    const series = short(16);
    const outlook = live(new LoadOutlook(), series, 0, 14 * DAY);
    t.equal(outlook.quality(15 * MINUTE_MS).standing, 'none');
    t.ok(outlook.dueForTraining);
    const { history, minute } = outlook.past();
    outlook.adopt(trainNetwork(trainingRows(history, minute), null, seededRandom(9)));
    t.notOk(outlook.dueForTraining);
    const weight = (): number => outlook.reason(15 * MINUTE_MS).members.at(-1)!.weight;
    live(outlook, series, 14 * DAY, 14 * DAY + 700);
    t.equal(outlook.quality(15 * MINUTE_MS).standing, 'on_trial');
    t.equal(weight(), 0);
    live(outlook, series, 14 * DAY + 700, 15 * DAY);
    const { standing, gain, mase, simple, regression } = outlook.quality(15 * MINUTE_MS);
    t.equal(standing, 'in_use');
    t.ok(gain < 1 && mase < Math.min(simple, regression), `${gain} ${mase} ${simple} ${regression}`);
    t.ok(weight() > 0.1, `${weight()}`);
    const next = new LoadOutlook();
    t.ok(next.restore(JSON.parse(JSON.stringify(outlook.save()))));
    t.same(next.quality(15 * MINUTE_MS), outlook.quality(15 * MINUTE_MS), 'it keeps what it earned');
    t.ok(next.forecast(15 * MINUTE_MS).p50 > 0, 'and speaks at once');
    live(outlook, series, 15 * DAY, 16 * DAY);
    t.ok(outlook.dueForTraining, 'two days are over');
  },
);

t.test('a little back the clock teaches nothing twice; a wrong year does not end all learning', async t => {
  const series = short(2);
  const outlook = live(new LoadOutlook(), series, 0, 2 * DAY);
  const { minute, history } = outlook.past();
  live(outlook, series, 2 * DAY - 30, 2 * DAY);
  t.same(outlook.past().history, history);
  const aheadMs = (minute + 5_000_000) * MINUTE_MS;
  outlook.observe(0.3, aheadMs);
  outlook.settle();
  t.equal(outlook.past().history.length, 1, 'nine years are no gap to be filled');
  live(outlook, series, 0, 60);
  t.equal(outlook.past().history.length, 60);
  t.ok(outlook.forecast(MINUTE_MS).p50 >= 0);
});

t.test('what no network is, is not adopted', async t => {
  const good = constant(0.1);
  const node = good.layers[0]![0]!;
  const outlook = live(new LoadOutlook(), short(1), 0, DAY);
  for (const [what, bad] of Object.entries({
    null: null,
    text: 'a network',
    'no layers': { layers: [] },
    'too many layers': { layers: [good.layers[0], good.layers[0], good.layers[0], good.layers[0]] },
    'too few answers': { layers: [good.layers[0]!.slice(1)] },
    'a weight too few': { layers: [[node.slice(1), node, node]] },
    'a weight that is none': { layers: [[[Number.NaN, ...node.slice(1)], node, node]] },
    'a weight beyond all sense': { layers: [[[1e6, ...node.slice(1)], node, node]] },
  }))
    t.notOk(outlook.adopt(bad), what);
  t.equal(outlook.past().network, null);
  t.ok(outlook.adopt(JSON.parse(JSON.stringify(good))), 'as it comes from a file');
});

t.test('a network answers as its weights say', async t => {
  const weights = {
    layers: [
      [
        [0.1, 0.5, -1],
        [0, 2, 0.25],
      ],
      [[-0.2, 1, 0.5]],
    ],
  };
  t.same(checkedWeights(weights, 2, 1), weights);
  const [answer] = new Network(weights).run([0.3, 0.4]);
  const hidden = [Math.tanh(0.1 + 0.15 - 0.4), Math.tanh(0.6 + 0.1)];
  t.ok(Math.abs(answer! - Math.tanh(-0.2 + hidden[0]! + 0.5 * hidden[1]!)) < 1e-12);
});

t.test('rows to learn from know only what was known', async t => {
  const { load, startWallMs } = short(9);
  const minute = startWallMs / MINUTE_MS + load.length - 1;
  const rows = trainingRows(load, minute);
  t.equal(rows.length, 2 * DAY - 60 - 60);
  // The last row is of an hour before the end: what comes after it may change its answers alone.
  const other = Float64Array.from(load);
  other.fill(1, load.length - 60);
  const changed = trainingRows(other, minute);
  t.same(changed.at(-1)!.input, rows.at(-1)!.input);
  t.notSame(changed.at(-1)!.output, rows.at(-1)!.output);
});

t.test('from the same chance brain.js trains the same network, and it is read as it was trained', async t => {
  const random = seededRandom(7);
  const rows = Array.from({ length: 400 }, () => {
    const input = [2 * random.next() - 1, 2 * random.next() - 1];
    return { input, output: [0.4 * input[0]! * input[1]!] };
  });
  const settings = { hidden: 6, firstRounds: 400, laterRounds: 10, learningRate: 0.1 };
  const train = (): NetworkWeights => trainNetwork([...rows], null, seededRandom(8), settings);
  const weights = train();
  t.same(train(), weights);
  const network = new Network(weights);
  const error = (of: (input: readonly number[]) => number): number =>
    rows.reduce((sum, { input, output }) => sum + Math.abs(of(input) - output[0]!), 0) / rows.length;
  const own = error(input => network.run(input)[0]!);
  t.ok(own < 0.5 * error(() => 0), `a product is learned: ${own}`);
});

t.test('trained on hourly jobs a network betters the whole', async t => {
  const { mase, trainings } = runMinutes({ ...MINUTE_PRESETS.hourlyJobs, steps: 16 * DAY }, 41);
  t.equal(trainings, 2);
  for (const ahead of [15, 60]) {
    const of = (model: string): number => mase.get(ahead)!.get(model)!;
    t.ok(
      of('ensemble with') < 0.98 * of('ensemble without'),
      `${ahead} min: ${of('ensemble with')}, ${of('ensemble without')}`,
    );
    t.ok(of('ensemble with') < of('profile'));
  }
});
