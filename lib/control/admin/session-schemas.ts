// Sessions, decisions and freezes as the API shows them.

import * as z from 'zod';
import type {
  ClusterSessionsReport,
  DecisionRecord,
  DrainPlan,
  Freeze,
  SessionView,
} from '../session/ports.ts';

const unixMs = z.number().describe('Unix time in milliseconds');
const figure = z.number().nullable();
const revision = z.int().min(0);

const Decision = z.object({
  sequence: z.int().describe('Rises by one; what is missing was pushed out by newer ones'),
  atMs: unixMs,
  cluster: z.string(),
  kind: z.enum(['migration', 'failover', 'extension', 'shed', 'termination']),
  reason: z.enum(['overload', 'forecast', 'drain', 'failover', 'fill', 'operator', 'calm', 'busy', 'relief']),
  session: z.string().nullable().describe('Id of the connection; null where it concerns all of a backend'),
  from: z.string().describe('Backend'),
  to: z.string().nullable(),
  fromLevel: figure.describe('Load foreseen of the source before it'),
  toLevel: figure.describe('Load foreseen of the target after it'),
  outcome: z
    .enum(['shadow', 'ordered', 'moved', 'unclean', 'ended', 'failed', 'lost', 'done'])
    .describe(
      'shadow: planned, not done. unclean: the old backend died or was cut without Close. ended: the client was told to come again. lost: its worker died or did not answer',
    ),
  holdMs: figure.describe('How long the client was held'),
  detail: z.string(),
}) satisfies z.ZodType<DecisionRecord>;

const ClusterSessions = z.object({
  cluster: z.string(),
  mode: z.enum(['act', 'shadow']),
  frozen: z.boolean(),
  sessions: z.int().describe('Connections that can move'),
  unplanned: z.int().describe('Connections there was no room to plan for, since they can be moved'),
  underWay: z.int(),
  stuck: z
    .array(z.object({ backend: z.string(), why: z.enum(['no_room', 'budget', 'nothing_movable']) }))
    .describe('What was wanted at the last tick and could not be begun'),
  backends: z.array(
    z.object({
      backend: z.string(),
      sessions: z.int(),
      now: figure.describe('Load, present'),
      ahead: figure.describe('Load, foreseen, with moves under way on both sides'),
      termMs: figure.describe('Of the leases granted on it'),
      shed: z.number().describe('Share of its HTTP sessions that moves at their next request'),
    }),
  ),
}) satisfies z.ZodType<ClusterSessionsReport>;

const Lease = z.object({
  id: z.string().describe('That of its connection'),
  cluster: z.string(),
  backend: z.string(),
  type: z.enum(['dynamic', 'static']),
  placedMs: z.number().describe('Since it came to its backend'),
  messagesPerSecond: z.number().describe('Both ways, smoothed'),
  movingTo: z.string().nullable(),
}) satisfies z.ZodType<SessionView>;

const Plan = z.object({
  cluster: z.string(),
  backend: z.string(),
  load: figure.describe('Foreseen of it'),
  movable: z.int().describe('Connections that move'),
  ending: z.int().describe('Connections that end, paced, at the deadline'),
  finishMs: unixMs.describe('Unix time in milliseconds when nothing is left at the latest'),
  shares: z.array(
    z.object({
      id: z.string(),
      load: figure.describe('Foreseen of it'),
      after: figure.describe('With its share of the drained backend’s load'),
      sessions: z.int(),
    }),
  ),
  objection: z.string().describe('Why it should not be done; empty when nothing is known against it'),
}) satisfies z.ZodType<DrainPlan>;

export const DrainPlanView = z.object({ plan: Plan });

const FreezeView = z.object({
  cluster: z.string().nullable().describe('null: every cluster'),
  sinceMs: unixMs,
}) satisfies z.ZodType<Freeze>;

export const DecisionPage = z.object({ items: z.array(Decision) });
export const DecisionView = z.object({ decision: Decision });
export const SessionsPage = z.object({ items: z.array(ClusterSessions), freezes: z.array(FreezeView) });
export const LeaseView = z.object({ lease: Lease });
export const LeasePage = z.object({
  total: z.int(),
  items: z.array(Lease.extend({ client: z.string(), route: z.string(), ageMs: z.number() })),
});
export const FreezePage = z.object({ revision, items: z.array(FreezeView) });
