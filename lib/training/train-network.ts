// Trains a feed-forward network with brain.js, repeatably: its first weights and the order of its rows come from a given chance.

// @ts-expect-error: this file of it has no types; the package's own entry loads gpu.js too, 26 MB that nothing here needs.
import untyped from 'brain.js/dist/neural-network.js';
import type { Random } from '../core/random.ts';
import type { NetworkWeights } from '../plan/forecast/network.ts';
import type { TrainingRow } from '../plan/forecast/outlook-rows.ts';

export interface Training {
  readonly hidden: number;
  /** Times that all rows are shown: to a new network, and to one that goes on. */
  readonly firstRounds: number;
  readonly laterRounds: number;
  readonly learningRate: number;
}

/** Of three tried on seeds 1001 and 1002. */
const TRAINING: Training = { hidden: 12, firstRounds: 60, laterRounds: 10, learningRate: 0.02 };

const AT_ONCE = 1000;

interface BrainJson {
  readonly sizes: readonly number[];
  readonly layers: readonly Readonly<
    Record<string, { bias?: number; weights?: Readonly<Record<string, number>> }>
  >[];
  readonly activation: 'tanh';
  readonly trainOpts: object;
  readonly inputLookup: false;
  readonly outputLookup: false;
}
interface BrainNetwork {
  fromJSON(json: BrainJson): BrainNetwork;
  toJSON(): BrainJson;
  train(rows: readonly TrainingRow[], options: object): unknown;
}
const { default: NeuralNetwork } = untyped as { default: new (options: object) => BrainNetwork };

/** Goes on from `before` when that is given. `rows` are put into another order. `breathe` is called every few milliseconds. */
export function trainNetwork(
  rows: TrainingRow[],
  before: NetworkWeights | null,
  random: Random,
  { hidden, firstRounds, laterRounds, learningRate }: Training = TRAINING,
  breathe: () => void = () => {},
): NetworkWeights {
  const sizes = [rows[0]!.input.length, hidden, rows[0]!.output.length];
  const weights = before ?? beginning(sizes, random);
  const network = new NeuralNetwork({ activation: 'tanh', hiddenLayers: [hidden] });
  network.fromJSON(toBrain(sizes, weights));
  const rounds = before === null ? firstRounds : laterRounds;
  const rate = before === null ? learningRate : 0.3 * learningRate;
  for (let round = 0; round < rounds; round++) {
    shuffle(rows, random);
    const options = {
      iterations: 1,
      // Never reached: rounds are counted instead.
      errorThresh: 1e-9,
      learningRate: rate * (1 - (0.9 * round) / rounds),
      momentum: 0.1,
    };
    // It learns row by row: a few at a time come to the same.
    for (let from = 0; from < rows.length; from += AT_ONCE) {
      breathe();
      network.train(rows.slice(from, from + AT_ONCE), options);
    }
  }
  return fromBrain(network.toJSON());
}

/** As wide as keeps sums of inputs about 1 (LeCun 1998); the last layer begins close to silence. */
function beginning(sizes: readonly number[], random: Random): NetworkWeights {
  return {
    layers: sizes.slice(1).map((size, l) =>
      Array.from({ length: size }, () => {
        const width = (l === sizes.length - 2 ? 0.3 : 1) / Math.sqrt(sizes[l]!);
        return [0, ...Array.from({ length: sizes[l]! }, () => (2 * random.next() - 1) * width)];
      }),
    ),
  };
}

function shuffle(rows: TrainingRow[], random: Random): void {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [rows[i], rows[j]] = [rows[j]!, rows[i]!];
  }
}

function toBrain(sizes: readonly number[], { layers }: NetworkWeights): BrainJson {
  const inputs = Object.fromEntries(Array.from({ length: sizes[0]! }, (_, k) => [k, {}]));
  const rest = layers.map(nodes =>
    Object.fromEntries(nodes.map(([bias, ...weights], n) => [n, { bias: bias!, weights: { ...weights } }])),
  );
  return {
    sizes,
    layers: [inputs, ...rest],
    activation: 'tanh',
    trainOpts: {},
    inputLookup: false,
    outputLookup: false,
  };
}

const fromBrain = ({ layers }: BrainJson): NetworkWeights => ({
  layers: layers
    .slice(1)
    .map(nodes => Object.values(nodes).map(({ bias, weights }) => [bias!, ...Object.values(weights!)])),
});
