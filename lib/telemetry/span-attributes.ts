// Spans in the words of the stable HTTP semantic conventions, plus what only leaseway knows under `leaseway.`.

import type { AttemptRecord, RequestRecord } from './emit.ts';
import { type QueryPolicy, shownQuery } from './query.ts';

export type Attributes = Record<string, string | number | boolean>;

/** Others are `_OTHER`, so that a client cannot invent span names (RFC 9110 and PATCH, as the conventions list them; QUERY is newer). */
const KNOWN_METHODS: ReadonlySet<string> = new Set([
  'CONNECT',
  'DELETE',
  'GET',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'POST',
  'PUT',
  'QUERY',
  'TRACE',
]);
const MAX_TEXT_LENGTH = 1_024;

const cut = (text: string): string => (text.length > MAX_TEXT_LENGTH ? text.slice(0, MAX_TEXT_LENGTH) : text);

/** `{method} {route}`; an unknown method reads HTTP. */
export function serverSpanName(request: RequestRecord): string {
  const method = KNOWN_METHODS.has(request.method) ? request.method : 'HTTP';
  return request.route === '' ? method : `${method} ${request.route}`;
}

export const clientSpanName = (method: string): string => (KNOWN_METHODS.has(method) ? method : 'HTTP');

/** 5xx, or an answer that broke off. A client's own mistake or leaving is not an error of the server (HTTP conventions, "status"). */
export function isServerError(request: RequestRecord): boolean {
  if (request.status >= 500) return true;
  return request.error !== '' && request.error !== 'CLIENT_GONE' && request.status < 400;
}

/** Every failed attempt, and every answer of 400 and above. */
export const isAttemptError = (attempt: AttemptRecord): boolean =>
  attempt.error !== '' || attempt.status >= 400;

export function serverAttributes(request: RequestRecord, query: QueryPolicy): Attributes {
  const attributes: Attributes = {
    'url.scheme': request.scheme,
    'url.path': cut(request.path),
    'network.protocol.version': request.version,
  };
  putMethod(attributes, request.method);
  put(attributes, 'url.query', cut(shownQuery(request.query, query)));
  putAuthority(attributes, request.authority, request.scheme);
  put(attributes, 'client.address', request.client);
  put(attributes, 'network.peer.address', request.peer);
  if (request.peerPort > 0) attributes['network.peer.port'] = request.peerPort;
  put(attributes, 'user_agent.original', cut(request.userAgent));
  put(attributes, 'http.route', request.route);
  if (request.status > 0) attributes['http.response.status_code'] = request.status;
  if (isServerError(request)) attributes['error.type'] = request.error || String(request.status);
  put(attributes, 'leaseway.error', request.error);
  put(attributes, 'leaseway.listener', request.listener);
  put(attributes, 'leaseway.cluster', request.cluster);
  put(attributes, 'leaseway.backend', request.backend);
  put(attributes, 'leaseway.lease', request.lease);
  put(attributes, 'leaseway.request_id', cut(request.requestId));
  attributes['leaseway.attempts'] = request.attempts.length;
  if (request.queuedMs > 0) attributes['leaseway.queued_ms'] = request.queuedMs;
  return attributes;
}

export function clientAttributes(
  request: RequestRecord,
  attempt: AttemptRecord,
  query: QueryPolicy,
): Attributes {
  const attributes: Attributes = {
    'url.full': fullUrl(attempt, query),
    'server.address': attempt.address,
    'server.port': attempt.port,
    'network.peer.address': attempt.address,
    'network.peer.port': attempt.port,
    'network.protocol.version': attempt.version,
  };
  putMethod(attributes, request.method);
  if (attempt.number > 1) attributes['http.request.resend_count'] = attempt.number - 1;
  if (attempt.status > 0) attributes['http.response.status_code'] = attempt.status;
  if (isAttemptError(attempt)) attributes['error.type'] = attempt.error || String(attempt.status);
  put(attributes, 'leaseway.cluster', request.cluster);
  put(attributes, 'leaseway.backend', attempt.backend);
  return attributes;
}

/** What was asked of the backend; the query as far as it may be kept. */
function fullUrl({ scheme, address, port, target }: AttemptRecord, policy: QueryPolicy): string {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : shownQuery(target.slice(mark), policy);
  return cut(`${scheme}://${address}:${port}${path}${query === '' ? '' : `?${query}`}`);
}

function putMethod(attributes: Attributes, method: string): void {
  if (KNOWN_METHODS.has(method)) attributes['http.request.method'] = method;
  else {
    attributes['http.request.method'] = '_OTHER';
    attributes['http.request.method_original'] = method.slice(0, 64);
  }
}

/** An attribute without a value is left out rather than sent empty. */
function put(attributes: Attributes, name: string, value: string): void {
  if (value !== '') attributes[name] = value;
}

function putAuthority(attributes: Attributes, authority: string, scheme: string): void {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority);
  if (match === null || match[1] === '') return;
  attributes['server.address'] = match[1]!.replace(/^\[|\]$/g, '');
  attributes['server.port'] = match[2] === undefined ? (scheme === 'https' ? 443 : 80) : Number(match[2]);
}
