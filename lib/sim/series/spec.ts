// What a load series is made of, as plain data: a scenario file can hold it as it stands.

/** Multiplies the load by a sine over the day, highest at `peakHour`; at weekends by `weekendFactor` besides. */
export interface Waves {
  readonly amplitude: number;
  readonly peakHour: number;
  readonly weekendFactor: number;
}

/** AR(1) in the logarithm of the load: standard deviation, and the time after which its memory has fallen to 1/e. */
export interface LogNoise {
  readonly sigma: number;
  readonly correlationMs: number;
}

/** A periodic job: adds `load` for `lengthMs` of every `periodMs`, each start late by up to `jitterMs`. */
export interface Job {
  readonly periodMs: number;
  readonly lengthMs: number;
  readonly load: number;
  readonly jitterMs: number;
  /** flat: all of `load` at once; sawtooth: rises to it over the length, then falls at once. */
  readonly shape: 'flat' | 'sawtooth';
}

/** Unannounced and irregular: on average `perHour` times the load rises to `factor` ×, holds, and falls as it rose. */
export interface Ramps {
  readonly perHour: number;
  readonly factor: number;
  readonly riseMs: number;
  readonly holdMs: number;
}

/** Unannounced and irregular: rises to `factor` × within `riseMs`, then decays exponentially. */
export interface Crowds {
  readonly perHour: number;
  readonly factor: number;
  readonly riseMs: number;
  readonly decayMs: number;
}

/** Announced beforehand with `announcedFactor`; what comes is `factor`. `afterMs` counts from the start of the series. */
export interface AnnouncedEvent {
  readonly name: string;
  readonly afterMs: number;
  readonly forMs: number;
  readonly announcedFactor: number;
  readonly factor: number;
}

/** How the signal reaches the proxy: a share of samples is lost, the others come `ageMs` late. */
export interface SignalPath {
  readonly lossShare: number;
  readonly ageMs: number;
}

export interface SeriesSpec {
  readonly stepMs: number;
  readonly steps: number;
  readonly startWallMs: number;
  /** Mean load, as a share of capacity, before anything else is applied. */
  readonly baseLoad: number;
  /** Requests a second at load 1: the fewer, the more a sample is chance (Poisson). */
  readonly requestsPerSecond: number;
  /** Standard deviation over mean of the work of one request. */
  readonly workVariation: number;
  readonly waves?: Waves;
  readonly noise?: LogNoise;
  readonly jobs?: readonly Job[];
  readonly ramps?: Ramps;
  readonly crowds?: Crowds;
  readonly events?: readonly AnnouncedEvent[];
  /** Random walk in the logarithm of the load: its standard deviation after one hour. */
  readonly driftPerSqrtHour?: number;
  readonly signal?: SignalPath;
}
