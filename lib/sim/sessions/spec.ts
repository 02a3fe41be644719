// What a world of sessions is made of: format, defaults and bounds of its scenario files.

import * as z from 'zod';
import { count, duration, share } from '../../config/scalars.ts';
import { SESSION_FIGURE_NAMES } from './figures.ts';

const factor = (fallback: number, most = 100) => z.number().positive().max(most).default(fallback);
const deviation = (fallback: number) => z.number().min(0).max(3).default(fallback);

const Policy = z.strictObject({
  /** least_connections: by weight, never moves. reactive: moves by the present load. predictive: by the foreseen one. */
  policy: z.enum(['least_connections', 'reactive', 'predictive']),
  /** How the table calls it. */
  as: z.string().min(1).max(40).optional(),
  over: z.number().min(0.1).max(2).default(0.9),
  under: z.number().min(0.1).max(2).default(0.8),
  /** 0: what is expected; 1: what is exceeded one time in ten. predictive only. */
  caution: z.number().min(0).max(3).default(0),
  horizons: z
    .array(duration('20s', '1s', '1m'))
    .max(8)
    .default([15_000, 20_000, 25_000, 30_000]),
  per_second: factor(2, 1000),
  dwell: duration('60s'),
});

const Backends = z.strictObject({
  name: z.string().min(1).max(40),
  count: count(1, 1, 500),
  /** Relative to the others; also the weight that least_connections has. */
  capacity: factor(1),
  /** When they join. */
  joins: duration('0'),
});

export const SessionScenario = z.strictObject({
  describe: z.string().min(1).max(500),
  seeds: count(5, 1, 1000),
  warmup: duration('90m'),
  measure: duration('90m', '1m', '1d'),
  sessions: z.strictObject({
    /** Open on average. */
    open: count(2500, 1, 200_000),
    /** Log-normal. */
    life: z.strictObject({ mean: duration('20m', '10s', '1d'), deviation: deviation(1.2) }).prefault({}),
    /** Log-normal between sessions with mean 1, and an AR(1) of its logarithm within one. */
    demand: z
      .strictObject({
        deviation: deviation(1),
        within: deviation(0.3),
        memory: duration('60s', '1s'),
        /** No session asks for more than so many times the mean: backends limit each. */
        most: factor(20, 10_000),
      })
      .prefault({}),
    /** A session becomes so many times as busy for a while. */
    hot: z.strictObject({ share: share(0.01), factor: factor(8), for: duration('2m', '1s') }).prefault({}),
    /** Sessions of a room become busy together. */
    rooms: z
      .strictObject({
        size: count(25, 1, 10_000),
        every: duration('40m', '1m'),
        factor: factor(4),
        ramp: duration('60s', '1s'),
        for: duration('2m', '1s'),
      })
      .optional(),
    /** So many times the arrivals for a while, once. */
    crowd: z.strictObject({ at: duration('0'), for: duration('1m', '1s'), factor: factor(3) }).optional(),
  }),
  backends: z.array(Backends).min(1).max(20),
  /** Mean demand over the capacity of those that are there from the start. */
  utilization: z.number().positive().max(2).default(0.68),
  /** Capacity sinks and comes back, unannounced. */
  sags: z
    .strictObject({
      every: duration('40m', '1m'),
      to: z.number().min(0.05).max(1).default(0.7),
      ramp: duration('60s', '1s'),
      for: duration('3m', '1s'),
    })
    .optional(),
  /** A job that comes again and again takes capacity of some backends, of each at a time of its own. */
  jobs: z
    .strictObject({
      share: share(0.3),
      every: duration('10m', '10s'),
      for: duration('60s', '1s'),
      to: z.number().min(0.05).max(1).default(0.5),
      /** Deviation of each start from the one before plus the period: the schedule drifts. */
      drift: duration('2s'),
    })
    .optional(),
  reports: z
    .strictObject({
      age: duration('1s'),
      /** Deviation of the logarithm, of the reported load and of each session's activity. */
      noise: deviation(0),
      activity_noise: deviation(0),
    })
    .prefault({}),
  moves: z
    .strictObject({
      takes: duration('3s'),
      /** Of the session's demand, at the new backend while it moves. */
      cost: z.number().min(0).max(10).default(1),
    })
    .prefault({}),
  /** Each backend in turn is drained, away for a while, and back. */
  rolling: z
    .strictObject({
      at: duration('0'),
      every: duration('4m', '1s'),
      deadline: duration('2m', '1s'),
      away: duration('60s', '1s'),
    })
    .optional(),
  policies: z.array(Policy).min(1).max(30),
  /** Policy that the others are compared with; the first when left out. */
  baseline: z.string().optional(),
  goals: z
    .array(
      z.strictObject({
        policy: z.string(),
        figure: z.enum(SESSION_FIGURE_NAMES),
        against: z.string().optional(),
        value: z.number().min(0),
      }),
    )
    .max(50)
    .default([]),
});

export type SessionScenarioConfig = z.output<typeof SessionScenario>;
export type SessionPolicyConfig = z.output<typeof Policy>;
