// What a scenario file may say, its defaults and its bounds: the one text from which types and checks come.

import * as z from 'zod';
import { count, duration, optionalDuration, share } from '../../config/scalars.ts';
import { FIGURE_NAMES } from '../measure/figures.ts';
import { POLICY_NAMES } from '../policies.ts';

const positive = (fallback: number, most: number) => z.number().positive().max(most).default(fallback);
const deviation = (fallback: number) => z.number().min(0).max(3).default(fallback);

/** What a proxy does when more comes than can be done: as in a cluster's `limits` and `overload`. */
const Limits = z.strictObject({
  /** Requests at one server at once, of one proxy; auto is found by latency. */
  concurrency: z.union([z.int().min(1).max(65_535), z.literal('auto')], {
    error: 'expected a number or auto',
  }),
  queue: count(256, 0, 1_000_000),
  /** Nobody waits longer. */
  queue_timeout: duration('1s', '1ms'),
  order: z.enum(['adaptive', 'fifo', 'lifo']).default('adaptive'),
  target: duration('20ms', '1ms'),
  interval: duration('100ms', '1ms'),
});

/** A policy by its name, or with settings of its own. */
const Policy = z.union(
  [
    z.enum(POLICY_NAMES),
    z.strictObject({
      policy: z.enum(POLICY_NAMES),
      /** How the table calls it. */
      as: z.string().min(1).max(40).optional(),
      /** Probes per request: prequal, c3, rif and ect. */
      probes: z.number().min(0).max(10).optional(),
      /** Requests in flight above this quantile of those seen are hot: prequal. */
      quantile: z.number().min(0).max(1).optional(),
      /**
       * Who is kept from new work by the proxy's gate: "present" on what agents tell of now, "foreseen" on forecasts, announced
       * events and learnt memory levels as well. Needs `agent`.
       */
      gate: z.enum(['present', 'foreseen']).optional(),
      /** Work goes to as many backends as demand needs, to the same ones by each proxy. */
      pool: z.boolean().optional(),
      /** Candidates compared: ect. */
      choices: z.int().min(1).max(64).optional(),
      /** Without it everything is sent at once. */
      limits: Limits.optional(),
    }),
  ],
  { error: `expected one of ${POLICY_NAMES.join(', ')}, or a map with policy` },
);

const Antagonist = z.strictObject({
  /** Share of the machine that the backend is allocated. */
  allocation: share(0.1),
  /** Spare cores it may use, as a multiple of its allocation. */
  extra: z.number().min(0).max(20).default(2),
  load: share(0.75),
  between: deviation(0.1),
  within: deviation(0.1),
  memory: duration('5s', '100ms'),
  burst_every: duration('20s', '100ms'),
  burst: duration('1s'),
});

const Servers = z.strictObject({
  name: z.string().min(1).max(40),
  count: count(1, 1, 1000),
  /** Allocated to it. A request uses one at most. */
  cores: positive(4, 1024),
  /** Of a core, and of sleep too: at 0.5 a request takes twice as long. */
  speed: positive(1, 100),
  /** Requests served at once; more wait. None: no limit. */
  places: z.int().min(1).max(100_000).optional(),
  antagonist: Antagonist.optional(),
  /** When it first takes work. */
  joins: duration('0'),
});

const Disturbance = z.strictObject({
  /** Group of servers; all when left out. */
  servers: z.string().optional(),
  /** The first so many of them; all when left out. */
  count: z.int().min(1).max(1000).optional(),
  at: duration('0'),
  for: duration('1s', '1ms'),
  /** Again after so long, until the end. */
  every: optionalDuration('10ms'),
  /** Each time later by chance, by up to so much; each server for itself. */
  jitter: duration('0'),
  /** Each server of the group so much later than the one before. */
  stagger: duration('0'),
  /** At random: gaps are exponential, `every` on average. */
  random: z.boolean().default(false),
  /** Agents tell of it so long before it comes. */
  lead: duration('0'),
  /** Proxies know its times, but for the jitter, and what it leaves. */
  announced: z.boolean().default(false),
  /** Factor on the cores; 0 is a pause. */
  cores: z.number().min(0).max(1).default(1),
  /** Factor on the speed. */
  speed: z.number().min(0.001).max(1).default(1),
  /** Answers errors at once. */
  fails: z.boolean().default(false),
});

const Sawtooth = z.strictObject({
  servers: z.string().optional(),
  count: z.int().min(1).max(1000).optional(),
  /** Answers until the memory is full. */
  answers: count(400, 1, 1_000_000),
  /** Fills as many answers would, per second, whatever comes. */
  idle: z.number().min(0).max(100_000).default(0),
  pause: duration('600ms', '1ms'),
});

/** What is hoped for: printed beside what came out, and given to programs. */
const Goal = z.strictObject({
  policy: z.string(),
  figure: z.enum(FIGURE_NAMES),
  /** The value is a ratio to this policy's. Without it, the figure itself. */
  against: z.string().optional(),
  /** At most this where lower is better, else at least. */
  value: z.number().min(0),
  /** At these loads or rates only. */
  at: z.array(z.number()).optional(),
});

export const Scenario = z.strictObject({
  describe: z.string().min(1).max(500),
  seeds: count(5, 1, 1000),
  proxies: z.array(z.int().min(1).max(1000)).min(1).max(10).default([20]),
  /** Of what all servers are allocated, at their speed. Each is a run of its own. This, or `rate`. */
  load: z.array(z.number().positive().max(10)).min(1).max(20).optional(),
  /** Requests per second. */
  rate: z.array(z.number().positive().max(1_000_000)).min(1).max(20).optional(),
  /** The load from then on is so many times as high. */
  steps: z
    .array(z.strictObject({ at: duration('0'), factor: positive(1, 100) }))
    .max(100)
    .default([]),
  warmup: duration('10s'),
  measure: duration('20s', '100ms', '1h'),
  deadline: duration('5s', '1ms', '10m'),
  /** What happens then: the request is cancelled everywhere, or waited for and counted as failed. */
  on_deadline: z.enum(['cancel', 'wait']).default('cancel'),
  /** An answer that takes longer is called slow. */
  slow: duration('500ms', '1ms'),
  work: z
    .strictObject({
      mean: duration('75ms', '1ms', '1m'),
      shape: z.enum(['constant', 'normal', 'exponential', 'log_normal']).default('normal'),
      /** As a multiple of the mean. */
      deviation: deviation(1),
      /** Part of the time that needs no core: waiting for others. */
      sleep: share(0),
    })
    .prefault({}),
  network: z
    .strictObject({
      /** One way, mean; log-normal with that deviation of the logarithm. */
      delay: duration('1ms'),
      deviation: deviation(0.5),
    })
    .prefault({}),
  reports: z
    .strictObject({
      /** With each answer. */
      attached: z.boolean().default(true),
      /** What is no count of the moment is a mean over the last window. */
      window: duration('1s', '10ms', '1m'),
      noise: deviation(0.1),
    })
    .prefault({}),
  /** One beside each server tells every proxy, requests or not, of processor time to be had and of memory. */
  agent: z
    .strictObject({
      every: duration('1s', '50ms', '1m'),
      /** Until a proxy has it. */
      delay: duration('200ms', '0', '10s'),
      /** Deviation of the logarithm. */
      noise: deviation(0.1),
    })
    .optional(),
  servers: z.array(Servers).min(1).max(50),
  disturbances: z.array(Disturbance).max(100).default([]),
  sawtooth: z.array(Sawtooth).max(20).default([]),
  policies: z.array(Policy).min(1).max(30),
  /** Policy, by the name in the table, that the others are compared with; the first when left out. */
  baseline: z.string().optional(),
  goals: z.array(Goal).max(50).default([]),
});

export type ScenarioConfig = z.output<typeof Scenario>;
export type LimitsConfig = z.output<typeof Limits>;
export type PolicyConfig = z.output<typeof Policy>;
export type ServersConfig = z.output<typeof Servers>;
export type DisturbanceConfig = z.output<typeof Disturbance>;
export type SawtoothConfig = z.output<typeof Sawtooth>;
