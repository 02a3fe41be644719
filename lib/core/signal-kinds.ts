// The kinds of load that backends report, and which values of them may be believed. Order matters: it is their place in memory.

export const SIGNAL_KINDS = [
  'cpu',
  'memory',
  'network',
  'disk',
  'application',
  'inFlight',
  'capacity',
  'requestsPerSecond',
  'errorsPerSecond',
] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

/** Most a value of each kind is believed to be; what is above is refused. Shares over 1 are overload, over 100 nonsense. */
export const SIGNAL_LIMITS: Readonly<Record<SignalKind, number>> = {
  cpu: 100,
  memory: 1,
  network: 100,
  disk: 1,
  application: 100,
  inFlight: 1e6,
  capacity: 1e6,
  requestsPerSecond: 1e7,
  errorsPerSecond: 1e7,
};

/** True for a value that may be believed: finite, not negative, within its limit. */
export const isBelievable = (kind: SignalKind, value: number): boolean =>
  value >= 0 && value <= SIGNAL_LIMITS[kind];

/** As configuration, metrics and status write them, in the order of SIGNAL_KINDS. */
export const SIGNAL_NAMES = [
  'cpu',
  'memory',
  'network',
  'disk',
  'application',
  'in_flight',
  'capacity',
  'requests_per_second',
  'errors_per_second',
] as const;
export type SignalName = (typeof SIGNAL_NAMES)[number];
