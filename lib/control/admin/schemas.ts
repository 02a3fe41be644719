// The API's values as schemas: checked against the ports by the compiler, written into the OpenAPI document.

import * as z from 'zod';
import { BackendList } from '../../config/cluster.ts';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { SIGNAL_NAMES } from '../../core/signal-kinds.ts';
import type { Explained } from '../../orders/explained.ts';
import type { ConnectionReport, TunnelMoved } from '../../orders/messages.ts';
import { WORKER_COUNTERS, WORKER_GAUGES } from '../../scoreboard/ports.ts';
import type { BackendReport, StatusReport } from './ports.ts';

const unixMs = z.number().describe('Unix time in milliseconds');
const count = z.int().min(0);
const revision = count.describe(
  'Rises with each change of admin state; send it as If-Match: "N" with a write',
);

const signalSource = z.enum(['orca', 'orca_stream', 'agent_check', 'scrape']);

const Backend = z.object({
  cluster: z.string(),
  id: z.string(),
  url: z.string(),
  slot: z.int().describe('Place on the scoreboard'),
  admin: z.enum(['ready', 'drain', 'maintenance']).describe('What operators decided'),
  health: z.enum(['unknown', 'up', 'down']),
  healthDetail: z.string().describe('Why it is down, or what the last check said'),
  ejectedUntilMs: unixMs.nullable(),
  state: z.enum(['up', 'draining', 'down', 'maintenance']).describe('What all of it comes to'),
  weight: z.number(),
  effectiveWeight: z.number().describe('After slow start and error penalty'),
  inFlight: count,
  limit: count,
  tunnels: count.describe('WebSockets and other long connections'),
  drainUntilMs: unixMs.nullable(),
  load: z.number().nullable().describe('Share of its capacity in use; null while nothing is known'),
  predicted: z.number().nullable().describe('The most that is foreseen up to the gate’s horizon'),
  gate: z.enum(['open', 'last_resort', 'shut']).describe('Open to new work, as far as the forecast goes'),
  gateReason: z.string(),
  outside: z.boolean().describe('Of the pool: it takes new work only when nobody in the pool can'),
  doubt: z
    .enum(['none', 'contradicts', 'absurd', 'silent'])
    .describe('Why its load reports are not believed'),
  requests: count,
  failures: count,
  generation: count.describe('Durable; raised by drain, failover and revoke'),
  source: z.enum(['static', 'file', 'dns', 'api']),
  sessionsStaying: z
    .number()
    .nullable()
    .describe('While it drains: share of its HTTP sessions that still comes to it'),
  signals: z
    .array(
      z.object({
        signal: z.enum(SIGNAL_NAMES),
        value: z.number().describe('Shares are 0 to 1'),
        ageMs: count,
        source: signalSource,
      }),
    )
    .describe('What it said of its own load last'),
  sources: z
    .array(
      z.object({
        source: signalSource,
        name: z.string().describe('The URL of a page; else empty'),
        ok: z.boolean().nullable().describe('null before the first answer'),
        detail: z.string(),
        ageMs: count.nullable().describe('Since its last good answer; null when there was none'),
        failures: count,
        refused: count.describe('Values that could not be a load'),
      }),
    )
    .describe('How that is known'),
}) satisfies z.ZodType<BackendReport>;

const Worker = z.object({
  row: z.int(),
  alive: z.boolean(),
  counters: z.record(z.enum([...WORKER_GAUGES, ...WORKER_COUNTERS]), z.number()),
});

const report = z.object({
  version: z.string(),
  pid: z.int(),
  startedMs: unixMs,
  configPath: z.string(),
  generation: count.describe('Of the configuration snapshot in use'),
  loadedMs: unixMs,
  reloadProblems: z.array(z.string()).describe('Why the last reload was refused; empty when it was taken'),
  ready: z.boolean(),
  notReady: z.array(z.string()),
  stopping: z.boolean(),
  listeners: z.array(z.object({ address: z.string(), port: z.int(), tls: z.boolean() })),
  workers: z.array(Worker),
  backends: z.array(Backend),
}) satisfies z.ZodType<StatusReport>;

export const Status = report.extend({ revision });

const Connection = z.object({
  id: z.string().describe('worker-sequence; unique within this process'),
  protocol: z.enum(['websocket', 'grpc', 'http']),
  client: z.string(),
  route: z.string(),
  cluster: z.string(),
  backend: z.string(),
  slot: z.int(),
  ageMs: z.number(),
  movable: z.boolean().describe('It can go to another backend now, with its client connected'),
  bytesIn: count.describe('From the client'),
  bytesOut: count.describe('To the client'),
}) satisfies z.ZodType<ConnectionReport>;

const ExplainedBackendView = z.object({
  id: z.string(),
  state: z.enum(['none', 'up', 'draining', 'down', 'maintenance']),
  candidate: z.boolean().describe('It is up and its weight is over 0'),
  inFlight: count.describe('Over all workers'),
  concurrency: count.describe('Requests at once that it may have; 0 for no limit'),
  weight: z.number(),
  effectiveWeight: z.number().describe('After slow start and penalties'),
  latencyMs: z.number().nullable().describe('Peak-EWMA of this worker; null when never measured'),
  predicted: z
    .number()
    .nullable()
    .describe('Share of its capacity foreseen to be in use; null without a forecast'),
  gate: z.enum(['open', 'last resort', 'shut']),
  score: z
    .number()
    .nullable()
    .describe('What the policy compares, lower is better; null where it compares nothing'),
  figures: z.record(z.string(), z.number().nullable()).describe('What the policy knows of it'),
  remark: z.string().describe('What put it behind or before others'),
  forecast: z
    .object({
      load: z.number().nullable().describe('Share of its capacity in use'),
      resource: z.string().nullable(),
      ageMs: z.number().nullable(),
      doubt: z.string(),
      horizons: z.array(z.object({ horizonMs: z.number(), p50: z.number(), p90: z.number() })),
      models: z.array(z.object({ name: z.string(), weight: z.number() })).describe('By weight'),
      periodMs: z.number().describe('0 while none is found'),
      again: z.number().nullable().describe('Highest load at this phase of both of the last two periods'),
      events: z.array(
        z.object({
          name: z.string(),
          factor: z.number(),
          beginsInMs: z.number().describe('Negative when it has begun'),
          endsInMs: z.number(),
        }),
      ),
    })
    .nullable()
    .optional()
    .describe('What is foreseen of it, and why; null where nothing is'),
});

export const ExplainedView = z.object({
  cluster: z.string(),
  worker: z.int().describe('Row of the worker that says so: each learns by itself'),
  policy: z.string(),
  rule: z.string().describe('What decides'),
  choice: z.string().nullable().describe('Null when chance decides, or none takes new work'),
  controlAgeMs: z.number().nullable(),
  backends: z.array(ExplainedBackendView),
}) satisfies z.ZodType<Explained>;
export const Moved = z.object({
  id: z.string(),
  from: z.string().describe('Backend it was at'),
  to: z.string().describe('Backend it is at now, or was to be'),
  result: z
    .enum(['moved', 'unclean', 'ended', 'failed'])
    .describe(
      'unclean: the old backend died, or was cut, without Close. ended: the client was told to come again, as its route wants. failed: it is where it was, or over',
    ),
  holdMs: z.number().describe('How long the client was held'),
  reason: z.string(),
}) satisfies z.ZodType<TunnelMoved>;

export const BackendPage = z.object({ revision, items: z.array(Backend) });
export const BackendView = z.object({ revision, backend: Backend });
export const ConnectionPage = z.object({
  total: count.describe('That match, also those beyond the limit'),
  items: z.array(Connection),
});
export const Changed = z.object({ revision });
export const Reloaded = z.object({
  generation: count,
  changes: z.array(z.string()).describe('Lines such as "+ cluster chat"; empty when nothing changed'),
});
export const Upgraded = z.object({ pid: z.int().describe('Of the new process, which serves by now') });

export const Problem = z
  .object({
    title: z.string(),
    status: z.int(),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    detail: z.string().describe('What is wrong and what to do'),
    retryable: z.boolean(),
    tokenFile: z.string().optional().describe('With 401 on loopback: where the token is kept'),
  })
  .describe('RFC 9457');

/** Named in the document's components; everything else is written in place. */
export const NAMED = {
  Backend,
  Status,
  Connection,
  BackendPage,
  BackendView,
  ConnectionPage,
  ExplainedView,
  Changed,
  Reloaded,
  Upgraded,
  Problem,
};

/** A backend as a cluster's file writes it out; the short form, a bare URL, is for people. */
export const NewBackend = BackendList.element.options[1];
