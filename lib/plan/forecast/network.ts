// A trained feed-forward network as plain numbers: its check, and its answer. How it was trained is nothing to it.

/** tanh throughout. `layers[l][node]` holds the bias and then a weight per node before. */
export interface NetworkWeights {
  readonly layers: readonly (readonly (readonly number[])[])[];
}

const MAX_NODES = 64;
const MAX_LAYERS = 3;
/** tanh saturates long before. */
const MAX_WEIGHT = 1000;

export class Network {
  readonly weights: NetworkWeights;
  readonly #outputs: readonly Float64Array[];

  /** Only of what `checkedWeights` let through. */
  constructor(weights: NetworkWeights) {
    this.weights = weights;
    this.#outputs = weights.layers.map(nodes => new Float64Array(nodes.length));
  }

  /** The answer is overwritten by the next. */
  run(inputs: ArrayLike<number>): Float64Array {
    let before: ArrayLike<number> = inputs;
    for (const [l, nodes] of this.weights.layers.entries()) {
      const outputs = this.#outputs[l]!;
      for (let n = 0; n < nodes.length; n++) {
        const weights = nodes[n]!;
        let sum = weights[0]!;
        for (let k = 0; k < before.length; k++) sum += weights[k + 1]! * before[k]!;
        outputs[n] = Math.tanh(sum);
      }
      before = outputs;
    }
    return this.#outputs[this.#outputs.length - 1]!;
  }
}

/** The weights if they are a network of so many inputs and outputs, every number of it sane; otherwise null. */
export function checkedWeights(json: unknown, inputs: number, outputs: number): NetworkWeights | null {
  const layers = (json as Partial<NetworkWeights> | null)?.layers;
  if (!Array.isArray(layers) || layers.length === 0 || layers.length > MAX_LAYERS) return null;
  let before = inputs;
  for (const nodes of layers as readonly unknown[]) {
    if (!Array.isArray(nodes) || nodes.length === 0 || nodes.length > MAX_NODES) return null;
    if (!nodes.every(node => isNode(node, before))) return null;
    before = nodes.length;
  }
  return before === outputs ? { layers } : null;
}

const isNode = (json: unknown, before: number): boolean =>
  Array.isArray(json) && json.length === before + 1 && json.every(weight => Math.abs(weight) <= MAX_WEIGHT);
