// What people and programs read: the process, its backends, its long connections.

import * as z from 'zod';
import { LeasewayError } from '../../../core/errors.ts';
import { json } from '../answer.ts';
import type { BackendReport, ControlActions } from '../ports.ts';
import { tagOf } from '../revision.ts';
import { route } from '../route.ts';
import {
  BackendPage,
  BackendView,
  Changed,
  ConnectionPage,
  ExplainedView,
  Moved,
  Status,
} from '../schemas.ts';
import {
  backendExample,
  changedExample,
  connectionExample,
  explainedExample,
  movedExample,
  statusExample,
} from './examples.ts';

const MAX_CONNECTIONS_LISTED = 10_000;

/** Throws NOT_FOUND, naming what there is. */
export function backendOf(actions: ControlActions, cluster: string, id: string): BackendReport {
  const { backends } = actions.status();
  const found = backends.find(backend => backend.cluster === cluster && backend.id === id);
  if (found !== undefined) return found;
  const known = backends.filter(backend => backend.cluster === cluster).map(backend => backend.id);
  const clusters = [...new Set(backends.map(backend => backend.cluster))];
  throw new LeasewayError(
    'NOT_FOUND',
    known.length > 0
      ? `cluster ${cluster} has no backend ${id}; it has ${some(known)}`
      : `no backend is known in a cluster ${cluster}; clusters with backends are ${some(clusters)}`,
  );
}

const some = (names: readonly string[]): string =>
  names.length > 10
    ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more`
    : names.join(', ') || 'none';

export const withRevision = (value: object, actions: ControlActions, status = 200) =>
  json({ revision: actions.revision, ...value }, status, { etag: tagOf(actions.revision) });

export const state = [
  route({
    method: 'GET',
    path: '/v1/status',
    tag: 'state',
    summary: 'The process as a whole',
    answers: { 200: { says: 'Its state', schema: Status, example: statusExample } },
    handle: ({ actions }) => withRevision(actions.status(), actions),
  }),
  route({
    method: 'GET',
    path: '/v1/backends',
    tag: 'state',
    summary: 'All backends of all clusters',
    query: z.strictObject({ cluster: z.string().optional() }),
    answers: {
      200: { says: 'The backends', schema: BackendPage, example: { revision: 12, items: [backendExample] } },
    },
    handle({ actions, query }) {
      const items = actions
        .status()
        .backends.filter(({ cluster }) => query.cluster === undefined || cluster === query.cluster);
      return withRevision({ items }, actions);
    },
  }),
  route({
    method: 'GET',
    path: '/v1/backends/{cluster}/{id}',
    tag: 'state',
    summary: 'One backend',
    details:
      'While it drains, `inFlight` and `tunnels` count down to nothing and `drainUntilMs` says when what is left is ended.',
    answers: {
      200: { says: 'The backend', schema: BackendView, example: { revision: 12, backend: backendExample } },
    },
    handle: ({ actions, params }) =>
      withRevision({ backend: backendOf(actions, params.cluster!, params.id!) }, actions),
  }),
  route({
    method: 'GET',
    path: '/v1/clusters/{cluster}/explain',
    tag: 'backends',
    summary: 'Where a request would go, and why',
    details:
      'One worker is asked, since each learns by itself. `key` is what consistent_hash and maglev hash: the value of the header, cookie or query parameter, or the path; with `hash.by: client` it is `client`.',
    query: z.strictObject({
      key: z.string().max(4_096).optional(),
      client: z.string().max(64).optional().describe('Address of the client'),
      worker: z.coerce.number<string>().int().min(0).max(63).optional(),
    }),
    answers: { 200: { says: 'The explanation', schema: ExplainedView, example: explainedExample } },
    async handle({ actions, params, query: { key, client, worker } }) {
      const filter = { cluster: params.cluster!, key: key ?? client ?? '' };
      return json(await actions.explain({ ...filter, ...(worker !== undefined && { worker }) }));
    },
  }),
  route({
    method: 'GET',
    path: '/v1/connections',
    tag: 'connections',
    summary: 'Live tunnels and long requests',
    query: z.strictObject({
      cluster: z.string().optional(),
      backend: z.string().optional(),
      client: z.string().optional().describe('Address of the client'),
      limit: z.coerce.number<string>().int().min(1).max(MAX_CONNECTIONS_LISTED).default(100),
    }),
    answers: {
      200: { says: 'Some or all', schema: ConnectionPage, example: { total: 1, items: [connectionExample] } },
    },
    async handle({ actions, query: { limit, cluster, backend, client } }) {
      const { total, items } = await actions.connections({
        limit,
        ...(cluster !== undefined && { cluster }),
        ...(backend !== undefined && { backend }),
        ...(client !== undefined && { client }),
      });
      return json({ total, items });
    },
  }),
  route({
    method: 'DELETE',
    path: '/v1/connections/{id}',
    tag: 'connections',
    summary: 'End one connection',
    details:
      'A WebSocket is closed with 1012 (service restart), which well-made clients answer by coming back.',
    answers: { 202: { says: 'Its worker was told', schema: Changed, example: changedExample } },
    handle({ actions, params }) {
      actions.endConnection(params.id!);
      return withRevision({}, actions, 202);
    },
  }),
  route({
    method: 'POST',
    path: '/v1/connections/{id}/move',
    tag: 'connections',
    summary: 'Move one connection to another backend',
    details:
      'Answers when it is over. Where the route has `websocket: { migrate: transparent }` the client stays connected; with `reconnect` it is told to come again; others are not moved.',
    body: {
      schema: z.strictObject({
        to: z.string().optional().describe('Id of a backend of its cluster; any other when left out'),
      }),
      example: { to: 'chat-2' },
    },
    answers: { 200: { says: 'How it ended, a failure included', schema: Moved, example: movedExample } },
    async handle({ actions, params, body }) {
      return json(await actions.moveConnection(params.id!, body.to ?? null));
    },
  }),
];
