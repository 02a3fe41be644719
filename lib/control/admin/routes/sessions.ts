// Sessions: what was decided of them and why, who can move, and how operators hold or steer that.

import * as z from 'zod';
import { LeasewayError } from '../../../core/errors.ts';
import { json } from '../answer.ts';
import type { ControlActions } from '../ports.ts';
import { route } from '../route.ts';
import { Changed } from '../schemas.ts';
import {
  DecisionPage,
  DecisionView,
  FreezePage,
  LeasePage,
  LeaseView,
  SessionsPage,
} from '../session-schemas.ts';
import { changedExample } from './examples.ts';
import { decisionExample, freezeExample, leaseExample, sessionsExample } from './session-examples.ts';
import { withRevision } from './state.ts';

const MOST_DECISIONS = 4_096;
const MOST_LEASES = 10_000;

const Scope = z.strictObject({
  cluster: z.string().optional().describe('Every cluster when left out'),
});

const leaseOf = (actions: ControlActions, id: string) => {
  const lease = actions.sessions.find(id);
  if (lease !== null) return lease;
  throw new LeasewayError('NOT_FOUND', `no session ${id} that can move; GET /v1/leases lists them`);
};

export const sessions = [
  route({
    method: 'GET',
    path: '/v1/decisions',
    tag: 'sessions',
    summary: 'What was decided of sessions, and why; the newest first',
    query: z.strictObject({
      cluster: z.string().optional(),
      limit: z.coerce.number<string>().int().min(1).max(MOST_DECISIONS).default(100),
    }),
    answers: {
      200: { says: 'The decisions', schema: DecisionPage, example: { items: [decisionExample] } },
    },
    handle: ({ actions, query }) => json({ items: actions.sessions.decisions(query) }),
  }),
  route({
    method: 'GET',
    path: '/v1/sessions',
    tag: 'sessions',
    summary: 'The plan of each cluster: load of its sessions by backend, what is under way, what is stuck',
    answers: {
      200: {
        says: 'The plans, and what is frozen',
        schema: SessionsPage,
        example: { items: [sessionsExample], freezes: [freezeExample] },
      },
    },
    handle: ({ actions }) => json({ items: actions.sessions.report(), freezes: actions.sessions.freezes() }),
  }),
  route({
    method: 'GET',
    path: '/v1/leases',
    tag: 'sessions',
    summary: 'Sessions of connections that can move',
    details: 'HTTP sessions are not listed: their lease is in their cookie and nowhere else.',
    query: z.strictObject({
      cluster: z.string().optional(),
      backend: z.string().optional(),
      client: z.string().optional().describe('Address of the client'),
      limit: z.coerce.number<string>().int().min(1).max(MOST_LEASES).default(100),
    }),
    answers: {
      200: {
        says: 'Some or all',
        schema: LeasePage,
        example: {
          total: 1,
          items: [{ ...leaseExample, client: '203.0.113.7', route: 'chat', ageMs: 92_000 }],
        },
      },
    },
    async handle({ actions, query: { limit, cluster, backend, client } }) {
      return json(
        await actions.leases({
          limit,
          ...(cluster !== undefined && { cluster }),
          ...(backend !== undefined && { backend }),
          ...(client !== undefined && { client }),
        }),
      );
    },
  }),
  route({
    method: 'GET',
    path: '/v1/leases/{id}',
    tag: 'sessions',
    summary: 'One session that can move',
    answers: { 200: { says: 'The session', schema: LeaseView, example: { lease: leaseExample } } },
    handle: ({ actions, params: { id } }) => json({ lease: leaseOf(actions, id!) }),
  }),
  route({
    method: 'POST',
    path: '/v1/leases/{id}/move',
    tag: 'sessions',
    summary: 'Move one session to a backend of its cluster',
    details:
      'It counts against nobody’s budget and is done while frozen, too. How it ended is among the decisions.',
    body: { schema: z.strictObject({ to: z.string() }), example: { to: 'chat-2' } },
    answers: {
      202: { says: 'It is ordered', schema: DecisionView, example: { decision: decisionExample } },
    },
    handle({ actions, params: { id }, body: { to } }) {
      leaseOf(actions, id!);
      return json({ decision: actions.sessions.move(id!, to) }, 202);
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/leases/{id}',
    tag: 'sessions',
    summary: 'End one session',
    details: 'Its connection is closed (1012); the client may come again.',
    answers: { 202: { says: 'Its worker was told', schema: Changed, example: changedExample } },
    handle({ actions, params: { id } }) {
      leaseOf(actions, id!);
      actions.sessions.ended(id!);
      actions.endConnection(id!);
      return withRevision({}, actions, 202);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/freeze',
    tag: 'sessions',
    summary: 'Stop automatic moves of sessions at once',
    details:
      'Nothing moves for load and no term grows until it is lifted; it survives a restart. Failovers, drains and single moves that an operator orders go on.',
    body: { schema: Scope, example: { cluster: 'chat' } },
    answers: {
      200: { says: 'What is frozen', schema: FreezePage, example: { revision: 13, items: [freezeExample] } },
    },
    handle({ actions, body: { cluster } }) {
      actions.sessions.freeze(cluster ?? null);
      return withRevision({ items: actions.sessions.freezes() }, actions);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/unfreeze',
    tag: 'sessions',
    summary: 'Let sessions move again',
    details: 'Without a cluster every freeze is lifted.',
    body: { schema: Scope, example: { cluster: 'chat' } },
    answers: {
      200: { says: 'What is still frozen', schema: FreezePage, example: { revision: 14, items: [] } },
    },
    handle({ actions, body: { cluster } }) {
      actions.sessions.unfreeze(cluster ?? null);
      return withRevision({ items: actions.sessions.freezes() }, actions);
    },
  }),
];
