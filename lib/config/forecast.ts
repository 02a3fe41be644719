// How far ahead a cluster's load is foreseen, what is known to come, what its backends can bear, and who is gated for it.

import * as z from 'zod';
import { parseSchedule, SCHEDULE_WORDS } from '../core/schedule.ts';
import { parseDurationMs } from '../core/units.ts';
import { duration, name, share } from './scalars.ts';

/** What one backend bears at once; what is left out is learnt. */
export const Capacity = z
  .strictObject({
    connections: z.int().min(1).optional().describe('WebSockets and other long connections at once'),
    concurrency: z.int().min(1).optional().describe('Requests at once'),
    requests_per_second: z.number().positive().optional(),
  })
  .describe('What one backend bears; what is left out is learnt from what the proxy sees');

export type CapacityConfig = z.output<typeof Capacity>;

const off = (what: string) => z.literal('off', { error: `expected off or a map with ${what}` });

const words = z.string({ error: `expected ${SCHEDULE_WORDS}` }).superRefine((text, context) => {
  const parsed = parseSchedule(text);
  if (typeof parsed === 'string')
    context.addIssue({ code: 'custom', message: `expected ${parsed}`, input: text });
});

const MAX_FACTOR = 50;

export const EventPlan = z.strictObject({
  name: name.describe('Occurrences of one name share what was learned of them'),
  at: words.describe('When it begins; times without a zone are UTC'),
  for: duration('1h', '1s', '366d'),
  factor: z
    .number({ error: `expected a number from 0 to ${MAX_FACTOR}` })
    .min(0, { error: `expected a number from 0 to ${MAX_FACTOR}` })
    .max(MAX_FACTOR, { error: `expected a number from 0 to ${MAX_FACTOR}` })
    .describe('Load expected meanwhile, as a multiple of what it would be without'),
  backends: z
    .array(z.string().min(1))
    .min(1)
    .max(4096)
    .optional()
    .describe('Ids of the backends it concerns; all when left out'),
});

export type EventPlanConfig = z.output<typeof EventPlan>;

const [LEAST_HORIZON, MOST_HORIZON] = ['1s', '10m'];
const horizon = z
  .union([z.string(), z.number()], { error: 'expected a duration such as 10s' })
  .transform((value, context) => {
    const ms = parseDurationMs(String(value));
    if (ms !== undefined && ms >= parseDurationMs(LEAST_HORIZON)! && ms <= parseDurationMs(MOST_HORIZON)!)
      return ms;
    const message = `expected a duration from ${LEAST_HORIZON} to ${MOST_HORIZON}`;
    context.issues.push({ code: 'custom', message, input: value });
    return z.NEVER;
  });

export const Forecast = z
  .union(
    [
      off('horizons and events'),
      z.strictObject({
        horizons: z
          .array(horizon)
          .min(1)
          .max(7)
          .refine(list => list.every((ms, i) => i === 0 || ms > list[i - 1]!), {
            error: 'expected durations in rising order',
          })
          .prefault(['5s', '10s', '30s'])
          .describe('How far ahead the load is foreseen'),
        events: z
          .array(EventPlan)
          .max(64)
          .default([])
          .describe('What is known to come: campaigns, jobs, maintenance'),
        outlook: z
          .enum(['auto', 'off'])
          .default('auto')
          .describe('What all backends together will bear in 5, 15 and 60 minutes, learned over weeks'),
      }),
    ],
    { error: 'expected off, or a map with horizons and events' },
  )
  .prefault({});

/** Networks of the outlook, trained in a thread of their own. */
export const Training = z
  .union(
    [
      off('cpu'),
      z.strictObject({
        cpu: share(0.05)
          .refine(value => value >= 0.01, { error: 'expected a share from 1% to 100%' })
          .describe(
            'Share of a core that it may take while it runs: a second of work every other day, a cluster',
          ),
      }),
    ],
    { error: 'expected off, or a map with cpu' },
  )
  .prefault({});

export type TrainingConfig = z.output<typeof Training>;

export const Gate = z
  .union(
    [
      off('threshold and above_mean'),
      z.strictObject({
        threshold: z
          .number()
          .positive()
          .max(8)
          .default(0.7)
          .describe('Predicted load, as a share of capacity, up to which a backend takes new work'),
        above_mean: z
          .number()
          .min(0)
          .max(8)
          .default(0.2)
          .describe('Up to so much over the cluster’s mean it takes new work in any case'),
        horizon: duration('10s', '1s', '10m').describe('How far ahead it looks, within forecast.horizons'),
      }),
    ],
    { error: 'expected off, or a map with threshold and above_mean' },
  )
  .prefault({});

export const Pool = z
  .union(
    [
      off('target, min and hold'),
      z.strictObject({
        target: z
          .number({ error: 'expected a number over 0, up to 1' })
          .positive({ error: 'expected a number over 0, up to 1' })
          .max(1, { error: 'expected a number over 0, up to 1' })
          .default(0.65)
          .describe('Share of the pool’s capacity that foreseen load may fill'),
        min: z.int().min(1).max(4096).default(3).describe('Never fewer backends than this'),
        hold: duration('20s', '1s', '1h').describe('So long fewer must have been enough before some leave'),
      }),
    ],
    { error: 'expected off, or a map with target, min and hold' },
  )
  .default('off');
