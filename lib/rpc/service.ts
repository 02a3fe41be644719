// leaseway.v1 as Connect, gRPC and gRPC-Web: its messages in and out of the words that the data plane has for leases.

import { create } from '@bufbuild/protobuf';
import {
  Code,
  ConnectError,
  type ConnectRouter,
  createConnectRouter,
  createContextKey,
  createContextValues,
} from '@connectrpc/connect';
import {
  type AnswerRequest,
  type Lease,
  LeaseSchema,
  LeaseService,
  MigrationReason,
  ServerStatus,
  type WatchResponse,
  WatchResponseSchema,
} from '../control/api/gen/leaseway/v1/lease_pb.ts';
import {
  type LeaseService as Answering,
  type Asked,
  type LeaseCalls,
  LeaseRefusal,
  type RefusalKind,
  type WatchEnd,
} from '../data/leases/ports.ts';
import type { GrantedLease, LeaseNews, MigrationSaid } from '../orders/leases.ts';
import { acrossOrigins, preflight } from './cors.ts';
import { NewsQueue } from './news-queue.ts';

const ASKED = createContextKey<Asked | null>(null);
/** A token and a path. */
const MAX_MESSAGE_BYTES = 16_384;
/** Of a unary call; streams have no end. */
const MAX_TIMEOUT_MS = 24 * 3_600_000;

const CODES: Readonly<Record<RefusalKind | WatchEnd, Code>> = {
  invalid: Code.InvalidArgument,
  forbidden: Code.PermissionDenied,
  unauthenticated: Code.Unauthenticated,
  exhausted: Code.ResourceExhausted,
  not_now: Code.FailedPrecondition,
  not_found: Code.NotFound,
  unavailable: Code.Unavailable,
  superseded: Code.Aborted,
  lapsed: Code.Unauthenticated,
  leaving: Code.Unavailable,
  slow: Code.ResourceExhausted,
};
const ENDS: Readonly<Record<WatchEnd, string>> = {
  superseded: 'another stream watches this lease',
  lapsed: 'the lease has lapsed',
  leaving: 'this proxy is leaving',
  slow: 'more has happened than was read',
};
/** Of the planner's words, and of the workers' own. */
const REASONS: Readonly<Record<string, MigrationReason>> = {
  overload: MigrationReason.OVERLOAD,
  forecast: MigrationReason.FORECAST,
  drain: MigrationReason.DRAIN,
  'its backend leaves': MigrationReason.DRAIN,
  failover: MigrationReason.FAILURE,
  fill: MigrationReason.REBALANCE,
  operator: MigrationReason.OPERATOR,
  'an operator asked for it': MigrationReason.OPERATOR,
};
const STATUS = {
  up: ServerStatus.UP,
  draining: ServerStatus.DRAINING,
  down: ServerStatus.DOWN,
  maintenance: ServerStatus.MAINTENANCE,
} as const;

/** The service on this worker. */
export function leaseService(calls: LeaseCalls): Answering {
  const options = { readMaxBytes: MAX_MESSAGE_BYTES, maxTimeoutMs: MAX_TIMEOUT_MS, acceptCompression: [] };
  const router = createConnectRouter(options);
  routes(router, calls);
  const handlers = new Map(router.handlers.map(handler => [handler.requestPath, handler]));
  return async ({ asked, path, body, signal }) => {
    const handler = handlers.get(path);
    const { method, scheme, authority, version, fields } = asked.head;
    if (handler === undefined) return { status: 404 };
    if (method === 'OPTIONS') return preflight();
    if (!handler.allowedMethods.includes(method))
      return { status: 405, header: new Headers({ allow: 'POST' }) };
    const header = new Headers();
    for (let i = 0; i < fields.length; i += 2) header.append(fields[i]!, fields[i + 1]!);
    const answer = await handler({
      ...{ httpVersion: version, url: `${scheme}://${authority}${path}`, method, header, signal },
      body: once(body),
      contextValues: createContextValues().set(ASKED, asked),
    });
    return acrossOrigins(answer);
  };
}

function routes(router: ConnectRouter, calls: LeaseCalls): void {
  router.service(LeaseService, {
    register: ({ path, lease }, { values }) =>
      refusing(() => {
        const registered = calls.register(values.get(ASKED)!, path, lease);
        return { lease: leaseOf(registered.lease), ticket: registered.ticket };
      }),
    async *watch({ lease }, { signal }) {
      const queue = new NewsQueue();
      using _ = refusing(() => calls.watch(lease, queue));
      // The head goes out at once, so that the client knows that it is heard.
      yield create(WatchResponseSchema, { event: { case: 'heartbeat', value: {} } });
      for (;;) {
        const news = await queue.next(signal);
        if (news === null) return;
        if (typeof news === 'string') throw new ConnectError(ENDS[news], CODES[news]);
        const event = eventOf(news);
        if (event !== null) yield event;
      }
    },
    async answer(request) {
      const said = saidOf(request);
      try {
        const lease = await calls.answer(request.lease, request.migration, said);
        return lease === null ? {} : { lease: leaseOf(lease) };
      } catch (error) {
        throw refused(error);
      }
    },
    extend: ({ lease }) => refusing(() => ({ lease: leaseOf(calls.extend(lease)) })),
  });
}

const leaseOf = ({ token, session, termMs }: GrantedLease): Lease =>
  create(LeaseSchema, { token, session, termMs });

function saidOf({ answer }: AnswerRequest): MigrationSaid {
  switch (answer.case) {
    case 'accepted':
      return { kind: 'accepted' };
    case 'ready':
      return { kind: 'ready', sentMessages: Number(answer.value.sentMessages) };
    case 'switched':
      return { kind: 'switched', clean: answer.value.clean, holdMs: answer.value.holdMs };
    case 'failed':
      return { kind: 'failed', reason: answer.value.reason };
    default:
      throw new ConnectError('answer: expected one', Code.InvalidArgument);
  }
}

function eventOf(news: LeaseNews): WatchResponse | null {
  switch (news.kind) {
    case 'migration': {
      const { id, connection, ticket, deadlineMs } = news;
      const reason = REASONS[news.reason] ?? MigrationReason.UNSPECIFIED;
      const value = { id, connection, ticket, deadlineMs, reason };
      return create(WatchResponseSchema, { event: { case: 'migration', value } });
    }
    case 'status': {
      const { backend, status, load, forecast } = news.status;
      const value = {
        ...{ backend, status: STATUS[status] },
        ...(load !== null && { load }),
        ...(forecast !== null && { forecast }),
      };
      return create(WatchResponseSchema, { event: { case: 'status', value } });
    }
    case 'extension':
      return create(WatchResponseSchema, { event: { case: 'extension', value: { termMs: news.termMs } } });
    case 'heartbeat':
      return create(WatchResponseSchema, { event: { case: 'heartbeat', value: {} } });
    default:
      return null;
  }
}

function refusing<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw refused(error);
  }
}

const refused = (error: unknown): unknown =>
  error instanceof LeaseRefusal ? new ConnectError(error.message, CODES[error.kind]) : error;

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  if (body.length > 0) yield body;
}
