// The OpenAPI 3.1 document, generated from the table of routes, so that it cannot say anything else.

import * as z from 'zod';
import { isRead } from './guard.ts';
import type { AdminRoute, AnswerDoc } from './route.ts';
import { NAMED, Problem } from './schemas.ts';

const AT = '#/components/schemas/';

/** Statuses that any route may answer, beside its own. */
const SHARED: Readonly<Record<string, string>> = {
  400: 'The request is not as documented here',
  401: 'The token is missing or wrong',
  403: 'The Host or Origin is not one of this API',
  404: 'There is no such thing',
  500: 'It failed; the log has the reason',
};
const SHARED_BY_WRITES: Readonly<Record<string, string>> = {
  409: 'The state does not allow it',
  412: 'If-Match is not the present revision',
  413: 'The body is too large',
  415: 'The body is not sent as JSON',
  422: 'The configuration is not valid',
  428: 'If-Match is missing',
  504: 'It took too long',
};

export function openApiDocument(routes: readonly AdminRoute[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    paths[route.path] ??= {};
    paths[route.path]![route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'leaseway admin API',
      version,
      description:
        'Reads on a loopback address are open; writes need the token, and so does everything on other addresses (or a verified client certificate).',
    },
    paths,
    components: {
      schemas: namedSchemas(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer' },
        certificate: { type: 'mutualTLS' },
      },
    },
  };
}

function operation(route: AdminRoute): object {
  const write = !isRead(route.method);
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    ...(route.details !== undefined && { description: route.details }),
    parameters: [...pathParameters(route), ...queryParameters(route), ...(write ? [IF_MATCH] : [])],
    ...(route.body !== null && {
      requestBody: {
        required: !route.body.schema.safeParse({}).success,
        content: {
          'application/json': { schema: schemaOf(route.body.schema, 'input'), example: route.body.example },
        },
      },
    }),
    responses: {
      ...Object.fromEntries(Object.entries(route.answers).map(([status, doc]) => [status, answer(doc)])),
      ...problems(SHARED, route),
      ...(write && problems(SHARED_BY_WRITES, route)),
    },
    // An empty requirement means: none is needed (on loopback).
    security: [{ token: [] }, { certificate: [] }, ...(write ? [] : [{}])],
  };
}

/** `POST /v1/backends/{cluster}/{id}/drain` → `postBackendsDrain`. */
const operationId = ({ method, path }: AdminRoute): string =>
  method.toLowerCase() +
  (path.includes('/{') && path.endsWith('}') ? 'One' : '') +
  path
    .split('/')
    .filter(part => part !== '' && part !== 'v1' && !part.startsWith('{'))
    .map(part => part.replace(/\W+(\w)?/g, (_, next?: string) => next?.toUpperCase() ?? ''))
    .map(part => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');

const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: true,
  description: 'The ETag of what was read before, or * to write whatever the state is',
  schema: { type: 'string' },
  example: '"12"',
};

const pathParameters = ({ path }: AdminRoute): object[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));

function queryParameters({ query }: AdminRoute): object[] {
  if (query === null) return [];
  const { properties = {}, required = [] } = schemaOf(query, 'input') as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema,
  }));
}

const answer = ({ says, schema, type = 'application/json', example }: AnswerDoc): object => ({
  description: says,
  content: { [type]: { ...(schema !== undefined && { schema: reference(schema) }), example } },
});

const problems = (shared: Readonly<Record<string, string>>, route: AdminRoute): object =>
  Object.fromEntries(
    Object.entries(shared)
      .filter(([status]) => route.answers[Number(status)] === undefined)
      .map(([status, description]) => [
        status,
        { description, content: { 'application/problem+json': { schema: reference(Problem) } } },
      ]),
  );

const NAMES = new Map<z.ZodType, string>(Object.entries(NAMED).map(([name, schema]) => [schema, name]));

function reference(schema: z.ZodType): object {
  const name = NAMES.get(schema);
  return name === undefined ? schemaOf(schema, 'output') : { $ref: AT + name };
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}

function namedSchemas(): object {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of NAMES) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, { uri: id => AT + id });
  // OpenAPI 3.1 takes the dialect from the document, and `$id` would move the base of the references.
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _, $id: __, ...schema }]) => [id, schema]),
  );
}
