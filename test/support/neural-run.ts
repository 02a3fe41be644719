// Networks of brain.js on generated load, each beside the models they would have to beat.

import { seededRandom } from '../../lib/core/random.ts';
import { Averages } from '../../lib/plan/forecast/averages.ts';
import { LoadForecaster } from '../../lib/plan/forecast/load-forecaster.ts';
import { Network } from '../../lib/plan/forecast/network.ts';
import { LoadOutlook } from '../../lib/plan/forecast/outlook.ts';
import { MINUTE_MS, OUTLOOK_MINUTES } from '../../lib/plan/forecast/outlook-inputs.ts';
import { OUTLOOK_MEMBERS } from '../../lib/plan/forecast/outlook-reach.ts';
import { type TrainingRow, trainingRows } from '../../lib/plan/forecast/outlook-rows.ts';
import { generateSeries } from '../../lib/sim/series/generate.ts';
import type { SeriesSpec } from '../../lib/sim/series/spec.ts';
import { trainNetwork } from '../../lib/training/train-network.ts';
import { newRecurrent } from './recurrent.ts';

/** By steps ahead and model: mean error over that of the last value. */
export interface NeuralRun {
  readonly mase: ReadonlyMap<number, ReadonlyMap<string, number>>;
  readonly trainings: number;
  readonly trainMs: number;
}

/** What was said of each step, until it comes. */
class Errors {
  readonly #due = new Map<number, Map<number, readonly (readonly [string, number])[]>>();
  readonly #sums = new Map<number, Map<string, number>>();

  say(step: number, ahead: number, forecasts: readonly (readonly [string, number])[]): void {
    const due = this.#due.get(step + ahead) ?? new Map();
    this.#due.set(step + ahead, due);
    due.set(ahead, forecasts);
  }

  judge(step: number, load: number): void {
    for (const [ahead, forecasts] of this.#due.get(step) ?? []) {
      const sums = this.#sums.get(ahead) ?? new Map<string, number>();
      this.#sums.set(ahead, sums);
      for (const [name, forecast] of forecasts)
        sums.set(name, (sums.get(name) ?? 0) + Math.abs(forecast - load));
    }
    this.#due.delete(step);
  }

  get mase(): NeuralRun['mase'] {
    return new Map(
      [...this.#sums].map(([ahead, sums]) => [
        ahead,
        new Map([...sums].map(([name, sum]) => [name, sum / sums.get('last')!])),
      ]),
    );
  }
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const DAY = 1440;
const WARM_DAYS = 14;
const RETRAIN_DAYS = 2;

/** Four weeks at a minute, the last two judged; the network is trained each second day on what is known by then. */
export function runMinutes(spec: SeriesSpec, seed: number): NeuralRun {
  const { load, startWallMs } = generateSeries(spec, seed);
  const random = seededRandom(seed ^ 0x5eed);
  const [without, with_] = [new LoadOutlook(), new LoadOutlook()];
  const simple = new LoadForecaster({
    stepMs: MINUTE_MS,
    horizonsMs: OUTLOOK_MINUTES.map(ahead => ahead * MINUTE_MS),
    tempo: 60,
  });
  const errors = new Errors();
  let [trainings, trainMs] = [0, 0];
  for (let step = 0; step < load.length; step++) {
    const wallMs = startWallMs + step * MINUTE_MS;
    errors.judge(step, load[step]!);
    for (const outlook of [without, with_]) {
      outlook.observe(load[step]!, wallMs);
      // A minute is over when the next begins; both loads here are its mean, so nothing is known early.
      outlook.settle();
    }
    simple.observe({ atMs: wallMs, wallMs, load: load[step]!, ageMs: 0 });
    const day = step / DAY;
    if (day >= WARM_DAYS - 1 && (day - WARM_DAYS + 1) % RETRAIN_DAYS === 0) {
      trainings += 1;
      trainMs += cpuMs(() => {
        const { history, minute, network } = with_.past();
        if (!with_.adopt(trainNetwork(trainingRows(history, minute), network, random)))
          throw new Error('brain.js made no network');
      });
    }
    if (day < WARM_DAYS) continue;
    for (const ahead of OUTLOOK_MINUTES) {
      const ms = ahead * MINUTE_MS;
      const models = simple.reason(ms).members;
      const of = (name: string): number => models.find(member => member.name === name)!.forecast;
      const members = with_.reason(ms).members;
      errors.say(step, ahead, [
        ['last', load[step]!],
        ['profile', of('profile')],
        ...OUTLOOK_MEMBERS.map((name, m) => [name, members[m]!.forecast] as const),
        ['ensemble without', without.reason(ms).point],
        ['ensemble with', with_.reason(ms).point],
      ]);
    }
  }
  return { mase: errors.mase, trainings, trainMs };
}

/** CPU of one minute of an outlook that has a network, in µs, on what follows two weeks; and of its network's answer alone. */
export function costOfMinute(
  spec: SeriesSpec,
  seed: number,
): { readonly minuteUs: number; readonly answerUs: number } {
  const { load, startWallMs } = generateSeries(spec, seed);
  const outlook = new LoadOutlook();
  const live = (from: number, to: number): void => {
    for (let step = from; step < to; step++) outlook.observe(load[step]!, startWallMs + step * MINUTE_MS);
  };
  live(0, WARM_DAYS * DAY);
  const { history, minute } = outlook.past();
  const rows = trainingRows(history, minute);
  const weights = trainNetwork([...rows], null, seededRandom(seed));
  outlook.adopt(weights);
  const network = new Network(weights);
  const from = WARM_DAYS * DAY;
  const minuteMs = cpuMs(() => live(from, load.length));
  const answerMs = cpuMs(() => {
    for (const { input } of rows) network.run(input);
  });
  return { minuteUs: (1000 * minuteMs) / (load.length - from), answerUs: (1000 * answerMs) / rows.length };
}

const SECONDS = [1, 10, 30] as const;
const WARM_SECONDS = 1800;

/** Two hours at a second, judged after half an hour; a network is trained anew each half hour on the last hour. */
export function runSeconds(spec: SeriesSpec, seed: number): NeuralRun {
  const { load, startWallMs } = generateSeries(spec, seed);
  const random = seededRandom(seed ^ 0x5eed);
  const forecaster = new LoadForecaster({ stepMs: 1000, horizonsMs: [10_000, 30_000] });
  const averages = new Averages(1000);
  const inputs: number[][] = [];
  const anchors: number[] = [];
  const errors = new Errors();
  let network: Network | null = null;
  let [trainings, trainMs] = [0, 0];
  for (let step = 0; step < load.length; step++) {
    const value = load[step]!;
    const wallMs = startWallMs + step * 1000;
    errors.judge(step, value);
    forecaster.observe({ atMs: 1_000_000 + step * 1000, wallMs, load: value, ageMs: 0 });
    averages.add(value);
    const anchor = averages.values[1]!;
    anchors.push(anchor);
    inputs.push(secondsInputs(load, step, averages.values, wallMs));
    if (step > 0 && step % WARM_SECONDS === 0) {
      trainings += 1;
      trainMs += cpuMs(() => {
        const rows: TrainingRow[] = [];
        for (let s = Math.max(90, step - 3600); s + 30 <= step; s++)
          rows.push({
            input: inputs[s]!,
            output: SECONDS.map(ahead => bounded(load[s + ahead]! - anchors[s]!)),
          });
        network = new Network(trainNetwork(rows, null, random));
      });
    }
    if (network === null) continue;
    const said = (network as Network).run(inputs[step]!);
    for (const [i, ahead] of SECONDS.entries()) {
      const { members, point } = forecaster.reason(ahead * 1000);
      const guess = Math.max(0, anchor + said[i]!);
      errors.say(step, ahead, [
        ...members
          .filter(({ name }) => ['last', 'profile', 'regression'].includes(name))
          .map(({ name, forecast }) => [name, forecast] as const),
        ['network', guess],
        ['ensemble', point],
        ['mean of both', (point + guess) / 2],
      ]);
    }
  }
  return { mase: errors.mase, trainings, trainMs };
}

const bounded = (value: number): number => Math.max(-0.9, Math.min(0.9, value));

/** Averages and lags against the 5 s average, what came a minute ago from there on, and where in day, hour and minute it is. */
function secondsInputs(load: Float64Array, step: number, averages: Float64Array, wallMs: number): number[] {
  const anchor = averages[1]!;
  const at = (s: number): number => load[Math.max(0, s)]! - anchor;
  const sines = [86_400, 3600, 300, 60].flatMap(period => {
    const phase = (2 * Math.PI * (wallMs / 1000)) / period;
    return [Math.sin(phase), Math.cos(phase)];
  });
  return [
    ...Array.from(averages, average => average - anchor),
    ...[0, 1, 2, 3].map(lag => at(step - lag)),
    ...SECONDS.map(ahead => at(step - 60 + ahead)),
    ...sines,
  ];
}

/** Unlike the others not repeatable to the digit: brain.js draws their first weights itself. GRU or LSTM on means of five minutes of one week, asked once an hour of the next day for an hour ahead. */
export function runRecurrent(
  spec: SeriesSpec,
  seed: number,
  kind: 'GRUTimeStep' | 'LSTMTimeStep',
): NeuralRun {
  const { load } = generateSeries({ ...spec, steps: 8 * DAY }, seed);
  const means = Array.from({ length: load.length / 5 }, (_, i) => {
    let sum = 0;
    for (let k = 0; k < 5; k++) sum += load[5 * i + k]!;
    return sum / 5;
  });
  const perDay = DAY / 5;
  const network = newRecurrent(kind, 8);
  const errors = new Errors();
  const windows = Array.from({ length: 7 * 24 - 2 }, (_, i) => means.slice(i * 12, i * 12 + 36));
  const trainMs = cpuMs(() =>
    network.train(windows, { iterations: 60, errorThresh: 1e-9, learningRate: 0.001 }),
  );
  for (let step = 7 * perDay; step + 12 < means.length; step++) {
    errors.judge(step, means[step]!);
    if (step % 12 !== 0) continue;
    const said = network.forecast(means.slice(step - 35, step + 1), 12);
    for (const ahead of [1, 3, 12])
      errors.say(step, ahead, [
        ['last', means[step]!],
        [kind, said[ahead - 1]!],
      ]);
  }
  return {
    mase: new Map([...errors.mase].map(([ahead, models]) => [5 * ahead, models])),
    trainings: 1,
    trainMs,
  };
}
