// The answers the proxy gives itself: its errors, redirects and fixed responses.

import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { fieldValue, type MutableFields } from '../../core/fields.ts';
import { isGrpc } from '../hygiene/grpc.ts';
import type { Reason, RequestHead } from '../ports.ts';
import { applyEdits } from './edits.ts';
import { encodeGrpcMessage, grpcStatus } from './grpc-status.ts';
import type { Target } from './normal-form.ts';
import type { CompiledRoute } from './route.ts';

/** Ready to send but for Date and what the connection needs. `body` is empty where none may be sent (HEAD, 204, 304). */
export interface OwnAnswer {
  readonly status: number;
  readonly fields: MutableFields;
  readonly body: Uint8Array;
}

const NO_BODY = new Uint8Array(0);
const ALLOWED = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const JSON_WANTED = /(?:^|[,\s])application\/(?:[\w.-]+\+)?json\s*(?:$|[,;])/i;

/**
 * The answer to a request that failed: small, with code, message and request id, never internals (`Reason.detail` stays in the log).
 * JSON when Accept names it, else plain text. gRPC clients get a trailers-only answer (gRPC over HTTP/2, "Responses").
 * 429 and 503 carry Retry-After (RFC 9110, section 10.2.3), 405 Allow (section 15.5.6); for gRPC clients a known wait is said as
 * grpc-retry-pushback-ms (gRFC A6, "Pushback").
 */
export function errorAnswer(
  code: ErrorCode,
  head: RequestHead,
  requestId: string,
  retryAfterS?: number,
): OwnAnswer {
  const { status, says } = ERRORS[code];
  if (isGrpc(head.fields)) return grpcError(code, head, requestId, retryAfterS);
  const json = JSON_WANTED.test(fieldValue(head.fields, 'accept') ?? '');
  const text = json
    ? `${JSON.stringify({ error: { code, message: says, request_id: requestId } })}\n`
    : `${status} ${code}: ${says}\nrequest id: ${requestId}\n`;
  const body = Buffer.from(text);
  const fields: MutableFields = [
    'Content-Type',
    json ? 'application/json' : 'text/plain; charset=utf-8',
    'Content-Length',
    String(body.length),
    // A 404 or 405 may be kept by any cache that is not told otherwise (RFC 9110, section 15.1), and routes come and go.
    'Cache-Control',
    'no-store',
  ];
  if (status === 429 || status === 503)
    fields.push('Retry-After', String(Math.max(1, Math.ceil(retryAfterS ?? 1))));
  if (status === 405) fields.push('Allow', ALLOWED);
  return { status, fields, body: head.method === 'HEAD' ? NO_BODY : body };
}

function grpcError(
  code: ErrorCode,
  head: RequestHead,
  requestId: string,
  retryAfterS: number | undefined,
): OwnAnswer {
  const type = fieldValue(head.fields, 'content-type')!;
  const message = `${ERRORS[code].says} (${code}, request id ${requestId})`;
  const fields: MutableFields = [
    'Content-Type',
    type.toLowerCase().startsWith('application/grpc-web') ? 'application/grpc-web' : 'application/grpc',
    'grpc-status',
    String(grpcStatus(code)),
    'grpc-message',
    encodeGrpcMessage(message),
  ];
  if (retryAfterS !== undefined) fields.push('grpc-retry-pushback-ms', String(Math.ceil(retryAfterS * 1000)));
  return { status: 200, fields, body: NO_BODY };
}

/** Trailers that end a gRPC answer whose head has gone out already. */
export const grpcTrailers = (code: ErrorCode): MutableFields => [
  'grpc-status',
  String(grpcStatus(code)),
  'grpc-message',
  encodeGrpcMessage(ERRORS[code].says),
];

/** The redirect of the route (RFC 9110, section 15.4). */
export function redirectAnswer(route: CompiledRoute, target: Target): OwnAnswer | Reason {
  const location = route.redirect!.location(target);
  if (location === null) return { code: 'BAD_REQUEST', detail: 'the redirect needs a Host' };
  const fields: MutableFields = ['Location', location, 'Content-Length', '0'];
  if (route.answerEdits !== null) applyEdits(fields, route.answerEdits);
  return { status: route.redirect!.status, fields, body: NO_BODY };
}

/** The fixed response of the route. */
export function fixedAnswer(route: CompiledRoute, head: RequestHead): OwnAnswer {
  const { status, body: text, headers } = route.config.respond!;
  const body = Buffer.from(text);
  const bodyless = status === 204 || status === 304 || status === 205;
  const fields: MutableFields = [];
  let typed = false;
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() === 'content-length') continue;
    if (name.toLowerCase() === 'content-type') typed = true;
    fields.push(name, value);
  }
  if (!bodyless && !typed && body.length > 0) fields.push('Content-Type', 'text/plain; charset=utf-8');
  // 204 must not have it (RFC 9110, section 8.6), 205 says 0 (section 15.3.6).
  if (!bodyless) fields.push('Content-Length', String(body.length));
  else if (status === 205) fields.push('Content-Length', '0');
  if (route.answerEdits !== null) applyEdits(fields, route.answerEdits);
  return { status, fields, body: bodyless || head.method === 'HEAD' ? NO_BODY : body };
}
