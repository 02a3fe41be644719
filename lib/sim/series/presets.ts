// Named series specs: one for each kind of load, and one with everything in it.

import type { SeriesSpec } from './spec.ts';

/** Monday 2026-01-05, 08:00 UTC: a fixed start, so that a series depends on its seed alone. */
const START_WALL_MS = 1_767_600_000_000;

/** Two hours at 1 s of a backend that 200 requests a second fill, whose work varies as an exponential's does. */
const plain: SeriesSpec = {
  stepMs: 1000,
  steps: 7200,
  startWallMs: START_WALL_MS,
  baseLoad: 0.45,
  requestsPerSecond: 200,
  workVariation: 1,
  waves: { amplitude: 0.4, peakHour: 14, weekendFactor: 0.6 },
  noise: { sigma: 0.12, correlationMs: 30_000 },
};

const MINUTE_JOB = { periodMs: 60_000, lengthMs: 8000, load: 0.55, jitterMs: 1000, shape: 'flat' } as const;
const FIVE_MINUTE_JOB = { ...MINUTE_JOB, periodMs: 300_000, lengthMs: 40_000 } as const;
const PAUSES = {
  periodMs: 47_500,
  lengthMs: 42_000,
  load: 0.75,
  jitterMs: 500,
  shape: 'sawtooth',
} as const;

export const SERIES_PRESETS = {
  /** Nothing but traffic and its noise. */
  steady: plain,
  /** Few and long requests: mostly chance. */
  sparse: { ...plain, requestsPerSecond: 40, workVariation: 1.5 },
  /** Many and short requests: next to no chance, and the last value is hard to beat. */
  dense: { ...plain, requestsPerSecond: 2000 },
  /** Noise that lasts minutes. */
  slow: { ...plain, noise: { sigma: 0.2, correlationMs: 120_000 } },
  /** A job each minute for 8 s, such as cron starts. */
  minutely: { ...plain, baseLoad: 0.3, jobs: [MINUTE_JOB] },
  /** A job every five minutes for 40 s. */
  fiveMinutely: { ...plain, baseLoad: 0.3, jobs: [FIVE_MINUTE_JOB] },
  /** Both. */
  twoJobs: { ...plain, baseLoad: 0.25, jobs: [MINUTE_JOB, FIVE_MINUTE_JOB] },
  /** Load that rises for 42 s and falls at once, such as collection of garbage makes. */
  sawtooth: { ...plain, baseLoad: 0.25, jobs: [PAUSES] },
  ramps: { ...plain, ramps: { perHour: 6, factor: 1.8, riseMs: 60_000, holdMs: 120_000 } },
  crowds: { ...plain, crowds: { perHour: 6, factor: 2, riseMs: 5000, decayMs: 60_000 } },
  drift: { ...plain, driftPerSqrtHour: 0.3 },
  /** Announced at 1.6 ×; what comes is 1.9 ×. */
  announced: {
    ...plain,
    baseLoad: 0.4,
    events: [2400, 3600, 4800, 6000].map(second => ({
      name: 'campaign',
      afterMs: second * 1000,
      forMs: 300_000,
      announcedFactor: 1.6,
      factor: 1.9,
    })),
  },
  mixed: {
    ...plain,
    baseLoad: 0.35,
    jobs: [MINUTE_JOB],
    ramps: { perHour: 3, factor: 1.6, riseMs: 60_000, holdMs: 120_000 },
    crowds: { perHour: 2, factor: 1.8, riseMs: 5000, decayMs: 60_000 },
    driftPerSqrtHour: 0.15,
  },
} as const satisfies Readonly<Record<string, SeriesSpec>>;

/**
 * Eight days, Wednesday to Wednesday, at 10 s, with two jobs that start once a day: only a profile of the day can know of
 * them. At 10 s because at 1 s the eight days would take a minute of CPU each.
 */
export const DAILY_JOBS: SeriesSpec = {
  ...plain,
  stepMs: 10_000,
  steps: 8 * 8640,
  startWallMs: START_WALL_MS + 2 * 86_400_000,
  baseLoad: 0.3,
  jobs: [1_200_000, 2_700_000].map(lengthMs => ({
    periodMs: 86_400_000,
    lengthMs,
    load: 0.5,
    jitterMs: 2000,
    shape: 'flat' as const,
  })),
};

const MINUTE_MS = 60_000;
const FOUR_WEEKS = 28 * 1440;

/** Four weeks at 1 min of the same backend: what happens within seconds has averaged out, what lasts hours is what counts. */
const minutes: SeriesSpec = {
  ...plain,
  stepMs: MINUTE_MS,
  steps: FOUR_WEEKS,
  startWallMs: Date.UTC(2026, 0, 5),
  noise: { sigma: 0.12, correlationMs: 60 * MINUTE_MS },
};

/** For forecasts minutes and hours ahead. */
export const MINUTE_PRESETS = {
  /** Day and week, and noise of an hour. */
  daily: minutes,
  /** Noise of ten minutes: it is forgotten before an hour is over. */
  restless: { ...minutes, noise: { sigma: 0.2, correlationMs: 10 * MINUTE_MS } },
  drifting: { ...minutes, driftPerSqrtHour: 0.05 },
  /** A job of twelve minutes each hour, and one of an hour and a half each night. */
  hourlyJobs: {
    ...minutes,
    baseLoad: 0.35,
    jobs: [
      { periodMs: 3_600_000, lengthMs: 720_000, load: 0.25, jitterMs: 30_000, shape: 'flat' },
      { periodMs: 86_400_000, lengthMs: 5_400_000, load: 0.3, jitterMs: 60_000, shape: 'flat' },
    ],
  },
  /** Load that doubles within ten minutes and is gone in some hours, unannounced: about three times a day. */
  rushes: {
    ...minutes,
    crowds: { perHour: 0.125, factor: 2, riseMs: 10 * MINUTE_MS, decayMs: 45 * MINUTE_MS },
  },
  /** Half an hour up, two hours there, half an hour down, unannounced: about twice a day. */
  shifts: {
    ...minutes,
    ramps: { perHour: 0.09, factor: 1.6, riseMs: 30 * MINUTE_MS, holdMs: 120 * MINUTE_MS },
  },
  everything: {
    ...minutes,
    baseLoad: 0.35,
    driftPerSqrtHour: 0.03,
    jobs: [{ periodMs: 3_600_000, lengthMs: 720_000, load: 0.2, jitterMs: 30_000, shape: 'flat' }],
    crowds: { perHour: 0.08, factor: 2, riseMs: 10 * MINUTE_MS, decayMs: 45 * MINUTE_MS },
    ramps: { perHour: 0.04, factor: 1.6, riseMs: 30 * MINUTE_MS, holdMs: 120 * MINUTE_MS },
  },
} as const satisfies Readonly<Record<string, SeriesSpec>>;
