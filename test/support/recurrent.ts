// GRU and LSTM of brain.js, for the trial that they lost.

import untyped from 'brain.js';

// The types that brain.js brings know nothing of what is used here.
interface BrainSeries {
  train(series: readonly (readonly number[])[], options: object): unknown;
  forecast(past: readonly number[], steps: number): ArrayLike<number>;
}
type Kind = 'GRUTimeStep' | 'LSTMTimeStep';
const brain = untyped as unknown as {
  readonly recurrent: Readonly<Record<Kind, new (options: object) => BrainSeries>>;
};

export const newRecurrent = (kind: Kind, hidden: number): BrainSeries =>
  new brain.recurrent[kind]({ inputSize: 1, hiddenLayers: [hidden], outputSize: 1 });
