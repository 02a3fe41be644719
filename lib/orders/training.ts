// What a trainer is told, and what comes of it.

import type { NetworkWeights } from '../plan/forecast/network.ts';

/** `workerData` of a trainer. */
export interface TrainingJob {
  /** A load a minute, oldest first; the last is of `minute`, since 1970. */
  readonly history: Float32Array;
  readonly minute: number;
  /** To go on from; null begins anew. */
  readonly network: NetworkWeights | null;
  readonly seed: number;
  /** Share of a core. */
  readonly cpu: number;
}

export interface TrainingResult {
  /** Not yet checked. */
  readonly network: unknown;
  readonly minute: number;
  readonly rows: number;
  readonly cpuMs: number;
}
