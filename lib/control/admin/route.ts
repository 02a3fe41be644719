// One line of the API's table: what is called, what it takes and answers, and what it does. OpenAPI is generated from it.

import type * as z from 'zod';
import { LeasewayError } from '../../core/errors.ts';
import type { Answer } from './answer.ts';
import type { ControlActions } from './ports.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface AnswerDoc {
  readonly says: string;
  /** Of JSON answers; text answers have only a type. */
  readonly schema?: z.ZodType;
  readonly type?: string;
  readonly example: unknown;
}

interface RouteDoc {
  readonly method: Method;
  /** Path template; each `{name}` is one segment. */
  readonly path: string;
  readonly tag:
    | 'probes'
    | 'state'
    | 'backends'
    | 'forecasts'
    | 'sessions'
    | 'connections'
    | 'process'
    | 'documents';
  readonly summary: string;
  readonly details?: string;
  /** By status; refusals that every route shares are added by the document. */
  readonly answers: Readonly<Record<number, AnswerDoc>>;
  /** How long the action may take. */
  readonly timeoutMs?: number;
}

/** What a handler gets. */
export interface Call<Query, Body> {
  /** Decoded, by the names in the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly actions: ControlActions;
  readonly routes: readonly AdminRoute[];
}

interface RouteSpec<Query, Body> extends RouteDoc {
  readonly query?: z.ZodType<Query>;
  /** `example` of a body is part of its documentation and checked by a test. */
  readonly body?: { readonly schema: z.ZodType<Body>; readonly example: unknown };
  handle(call: Call<Query, Body>): Answer | Promise<Answer>;
}

/** What came over the wire, not checked yet. */
export interface RawCall extends Omit<Call<unknown, unknown>, 'query' | 'body'> {
  readonly query: URLSearchParams;
  readonly body: unknown;
}

export interface AdminRoute extends RouteDoc {
  readonly query: z.ZodType | null;
  readonly body: { readonly schema: z.ZodType; readonly example: unknown } | null;
  /** Checks query and body, then handles. Throws LeasewayError. */
  run(call: RawCall): Promise<Answer>;
}

/** Ties the types of a route's schemas to its handler, then forgets them, so that all routes fit in one table. */
export function route<Query = undefined, Body = undefined>(spec: RouteSpec<Query, Body>): AdminRoute {
  const { query: querySchema, body: bodyDoc } = spec;
  return {
    ...spec,
    query: querySchema ?? null,
    body: bodyDoc ?? null,
    async run(call) {
      const query = querySchema && checked(querySchema, queryObject(call.query), 'query');
      const body = bodyDoc && checked(bodyDoc.schema, call.body ?? {}, 'body');
      return spec.handle({ ...call, query: query as Query, body: body as Body });
    },
  };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, part: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${[part, ...path].map(String).join('.')}: ${message}`,
  );
  throw new LeasewayError('BAD_REQUEST', problems.join('; '));
}

/** A parameter given twice becomes a list, which no schema here takes: it is refused rather than half read. */
function queryObject(query: URLSearchParams): Record<string, string | string[]> {
  const found: Record<string, string | string[]> = Object.create(null);
  for (const name of new Set(query.keys())) {
    const values = query.getAll(name);
    found[name] = values.length === 1 ? values[0]! : values;
  }
  return found;
}
