// Forecasts and events as the API shows and takes them.

import * as z from 'zod';
import { EventPlan } from '../../config/forecast.ts';
import { name, optionalDuration } from '../../config/scalars.ts';
import { OUTLOOK_MEMBERS } from '../../plan/forecast/outlook-reach.ts';
import { MEMBERS } from '../../plan/forecast/reach.ts';
import { RESOURCES } from '../../plan/load/score.ts';
import type { BackendForecastReport, EventReport } from '../forecast/ports.ts';
import type { TrainingReport } from '../forecast/trainings.ts';

const unixMs = z.number().describe('Unix time in milliseconds');
const load = z
  .number()
  .describe('Share of its capacity in use, the largest over its resources; may exceed 1');
/** What was never measured is no number in the program and null here. */
const figure = z.number().nullable();

const Second = z.object({
  atMs: z.number().describe('Its end, on the clock of this machine since it started'),
  requestsPerSecond: z.number(),
  answersPerSecond: z.number(),
  errorsPerSecond: z.number(),
  latencyMs: figure.describe('Until the head of the answer; null when nothing was answered'),
  inFlight: z.number(),
  connections: z.number(),
  bytesInPerSecond: z.number().describe('Body bytes sent to it'),
  bytesOutPerSecond: z.number().describe('Body bytes received from it'),
});

const BackendForecast = z.object({
  cluster: z.string(),
  id: z.string(),
  load: load.nullable().describe('null before the proxy has seen a second of it'),
  resource: z.enum(RESOURCES).nullable().describe('What the load is the share of'),
  ageMs: figure.describe('Since the load was measured; the older, the wider the forecast'),
  shares: z.array(
    z.object({
      resource: z.enum(RESOURCES),
      share: z.number(),
      ageMs: z.number(),
      capacity: z.enum(['configured', 'reported', 'learned', 'itself']),
      sure: z.boolean().describe('False where the capacity is a guess: its end was never met'),
    }),
  ),
  doubt: z
    .enum(['none', 'contradicts', 'absurd', 'silent'])
    .describe('Why its own reports are not believed, by what the proxy sees'),
  state: z.enum(['none', 'fine', 'diverged']),
  horizons: z.array(
    z.object({
      horizonMs: z.number(),
      p50: z.number(),
      p90: z.number(),
      overload: z.number().describe('Chance that the load is above the gate’s threshold then'),
    }),
  ),
  again: figure.describe(
    'Highest load that came at this phase of both of the last two periods; null while no period is known',
  ),
  predicted: figure.describe('The most that is foreseen up to the gate’s horizon, never below the present'),
  gate: z.enum(['open', 'last_resort', 'shut']),
  gateReason: z.string(),
  outside: z.boolean().describe('Of the pool: it takes new work only when nobody in the pool can'),
  events: z.array(z.string()).describe('That hold now or begin within the longest horizon'),
}) satisfies z.ZodType<Omit<BackendForecastReport, 'seconds' | 'reason'>>;

export const BackendDetail = BackendForecast.extend({
  reason: z
    .object({
      horizonMs: z.number(),
      point: figure,
      members: z.array(z.object({ name: z.enum(MEMBERS), forecast: figure, weight: z.number() })),
      periodMs: z.number().describe('Found in the load; 0 while there is none'),
      signalAgeMs: figure,
    })
    .describe('The models and what they weigh, at the gate’s horizon'),
  seconds: z.array(Second).describe('The last minute'),
});

const Event = z.object({
  id: z.string(),
  cluster: z.string(),
  name: z.string(),
  backends: z.array(z.string()).nullable().describe('null: all of the cluster’s'),
  factor: z.number(),
  startMs: unixMs,
  endMs: unixMs,
  source: z.enum(['config', 'announced']),
}) satisfies z.ZodType<EventReport>;

const overLast = figure.describe('Error over that of the last value at the same distance');

const Outlook = z
  .object({
    demand: z.number().describe('Work for so many backends now, without that of events'),
    backends: z.int().describe('That bear it'),
    knownMs: z.number().describe('Of the past, up to three weeks'),
    trainedMs: unixMs.nullable().describe('What the network was trained up to; null without one'),
    horizons: z.array(
      z.object({
        horizonMs: z.number(),
        p50: z.number().describe('Share of what those backends bear'),
        p90: z.number(),
        demandP90: z.number().describe('P90 in backends: with fewer they would be full'),
        models: z.array(z.object({ name: z.enum(OUTLOOK_MEMBERS), weight: z.number() })),
        quality: z
          .object({
            minutes: z.number().describe('That were judged; fades over a week'),
            mase: overLast,
            simple: overLast,
            regression: overLast,
            network: overLast,
            gain: figure.describe('Error with the network over that without; it counts while below 1'),
            standing: z
              .enum(['none', 'on_trial', 'in_use', 'refused'])
              .describe('Of the network; judged for twelve hours before it may count'),
          })
          .describe('Over about a week'),
      }),
    ),
  })
  .describe('All backends together, minutes ahead');

const ClusterForecast = z.object({
  cluster: z.string(),
  meanPredicted: figure,
  quality: z.array(
    z.object({
      horizonMs: z.number(),
      mase: figure.describe(
        'Error over that of the last value at the same horizon; below 1 is better than it',
      ),
      pinballP50: figure,
      pinballP90: figure,
      coverageP90: figure.describe('Share of loads at or below P90'),
      recall: figure.describe('Of the moments over the threshold, the share that was foreseen'),
      precision: figure.describe('Of the alarms, the share that came true'),
      foreseen: figure.describe('Of the overloads that began, the share with an alarm before'),
      leadMs: figure,
    }),
  ),
  events: z.array(Event),
  backends: z.array(BackendForecast),
  outlook: Outlook.nullable().describe('null where forecast.outlook is off, and before anything was seen'),
});

const Training = z.object({
  state: z.enum(['off', 'idle', 'training', 'waiting']).describe('waiting: after a failure'),
  cluster: z.string().nullable().describe('Whose network is being trained'),
  done: z.int().min(0),
  failed: z.int().min(0),
  cpuMs: z.number().describe('CPU of all that are done'),
  failure: z.string().nullable().describe('Why the last one failed'),
}) satisfies z.ZodType<TrainingReport>;

const revision = z.int().min(0);
export const ForecastPage = z.object({ revision, items: z.array(ClusterForecast), training: Training });
export const EventPage = z.object({ revision, items: z.array(Event) });
export const EventView = z.object({ revision, event: Event });

const { factor, backends } = EventPlan.shape;
export const NewEvent = z.strictObject({
  name: name.default('announced').describe('Occurrences of one name share what was learned of them'),
  factor,
  backends,
  in: optionalDuration('0').describe('From now until it begins; at once when left out'),
  for: optionalDuration().describe('How long it lasts; 1m when left out'),
});

/** NaN, which JSON does not know, becomes null. */
export const speakable = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;
