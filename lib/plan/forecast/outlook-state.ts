// What an outlook remembers across restarts, and the check that it is fit to be taken over.

import type { NetworkWeights } from './network.ts';
import type { OutlookReachState } from './outlook-reach.ts';
import { areNumbers, areOffsets, areWeights, type ForecasterState } from './state.ts';

export interface OutlookState {
  /** Of the last load, since 1970. */
  readonly minute: number;
  /** Loads up to it, as `packLoads` writes them. */
  readonly history: string;
  readonly models: ForecasterState;
  readonly reaches: readonly StoredReach[];
  readonly network: NetworkWeights | null;
  /** What the network was trained up to. */
  readonly trainedMinute: number;
}

interface StoredReach extends Omit<OutlookReachState, 'squares'> {
  /** 64-bit floats in base64: a covariance does not survive rounding. */
  readonly squares: string;
}

/** From here to MOST a load is kept to 0.01 %, in 16 bits of its logarithm; what is below is 0. */
const LEAST = 0.001;
const MOST = 8;
const STEPS = 65_534;
const SPAN = Math.log(MOST / LEAST);
const MAX_NUMBER = 1e6;

/** Base64 of 16 bits a load: three weeks are 80 KB. */
export function packLoads(loads: Float32Array): string {
  const packed = Uint16Array.from(loads, load =>
    load < LEAST ? 0 : 1 + Math.min(STEPS, Math.round((Math.log(load / LEAST) / SPAN) * STEPS)),
  );
  return textOf(packed);
}

/** Null when it is no text of loads, or of more than `most`. */
export function unpackLoads(text: unknown, most: number): Float32Array | null {
  const bytes = bytesOf(text);
  if (bytes === null || bytes.length % 2 !== 0 || bytes.length / 2 > most) return null;
  const packed = new Uint16Array(bytes.buffer);
  return Float32Array.from(packed, value =>
    value === 0 ? 0 : LEAST * Math.exp(((value - 1) / STEPS) * SPAN),
  );
}

export const packReach = (state: OutlookReachState): StoredReach => ({
  ...state,
  squares: textOf(state.squares),
});

/** Null when any number of it is off. */
export function unpackReach(json: unknown, like: OutlookReachState): OutlookReachState | null {
  if (typeof json !== 'object' || json === null) return null;
  const state = json as Partial<StoredReach>;
  const bytes = bytesOf(state.squares);
  if (bytes === null || bytes.length !== like.squares.byteLength) return null;
  const squares = new Float64Array(bytes.buffer);
  const good =
    squares.every(Number.isFinite) &&
    areWeights(state.without, like.without.length) &&
    areWeights(state.with, like.with.length) &&
    areOffsets(state.offsets) &&
    areNumbers([state.errorScale, state.scale], 2, MAX_NUMBER) &&
    state.errorScale! > 0 &&
    state.scale! >= 0 &&
    areNumbers(state.sums, like.sums.length, MAX_NUMBER) &&
    state.sums.every(sum => sum >= 0);
  return good ? { ...(state as StoredReach), squares } : null;
}

const textOf = ({ buffer, byteOffset, byteLength }: Float64Array | Uint16Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

/** In memory of its own, so that wider numbers may lie in it. */
const bytesOf = (text: unknown): Uint8Array<ArrayBuffer> | null =>
  typeof text === 'string' ? Uint8Array.from(Buffer.from(text, 'base64')) : null;
