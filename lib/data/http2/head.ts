// Decides whether an HTTP/2 head is one unambiguous request that may be passed on as HTTP/1.1. Pure.
//
// nghttp2 has already refused (RST_STREAM PROTOCOL_ERROR) upper-case names, missing, repeated or late pseudo-fields,
// most connection-specific fields and control characters; what decides whom a request is for is checked here again.

import type { RequestLimits } from '../../config/proxy.ts';
import type { Fields } from '../../core/fields.ts';
import { type Refusal, refusal } from '../listener/refusal.ts';
import { isAuthority, isToken, targetFault } from '../listener/syntax.ts';
import type { RequestHead } from '../ports.ts';

type HeadLimits = Pick<RequestLimits, 'header_bytes' | 'header_count' | 'uri_bytes'>;

/** RFC 9113, section 8.2.2. */
const CONNECTION_SPECIFIC = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);
const FORBIDDEN = /[\0-\x08\x0a-\x1f\x7f]/;

class Gathered {
  readonly pseudo = new Map<string, string>();
  readonly fields: string[] = [];
  host: string | null = null;
  expect: string | null = null;
  length: string | null = null;
  websocketVersion: string | null = null;
  bytes = 0;
  fault = '';
  #cookieAt = -1;

  constructor(raw: Fields) {
    for (let i = 0; i < raw.length; i += 2) this.#take(raw[i]!, raw[i + 1]!);
  }

  #take(name: string, value: string): void {
    this.bytes += name.length + value.length + 4;
    if (FORBIDDEN.test(value)) this.fault = `a control character in ${name}`;
    if (name.startsWith(':')) {
      if (this.pseudo.has(name)) this.fault = `${name} twice`;
      this.pseudo.set(name, value);
      return;
    }
    if (!isToken(name) || name !== name.toLowerCase())
      this.fault = 'a field name that is not a lower-case token';
    if (CONNECTION_SPECIFIC.has(name)) this.fault = `${name} is not for HTTP/2`;
    if (name === 'te' && value.toLowerCase() !== 'trailers') this.fault = 'TE other than trailers';
    if (name === 'host') this.#single(name, this.host, value);
    if (name === 'expect') this.#single(name, this.expect, value);
    if (name === 'content-length') this.#single(name, this.length, value);
    if (name === 'sec-websocket-version') this.websocketVersion = value;
    // Crumbs are one field again outside HTTP/2 (RFC 9113, section 8.2.3).
    if (name === 'cookie' && this.#cookieAt !== -1) this.fields[this.#cookieAt] += `; ${value}`;
    else {
      if (name === 'cookie') this.#cookieAt = this.fields.length + 1;
      this.fields.push(name, value);
    }
  }

  #single(name: 'host' | 'expect' | 'content-length', held: string | null, value: string): void {
    if (held !== null) this.fault = `more than one ${name}`;
    this[name === 'content-length' ? 'length' : name] = value;
  }
}

/** The request, or why it is refused. Implements RFC 9113, section 8.3 and RFC 8441, section 4 on the strict side. */
export function checkHead(
  raw: Fields,
  endStream: boolean,
  scheme: 'http' | 'https',
  limits: HeadLimits,
): RequestHead | Refusal {
  const gathered = new Gathered(raw);
  const { pseudo, fields } = gathered;
  const method = pseudo.get(':method') ?? '';
  const target = pseudo.get(':path') ?? '';
  const protocol = pseudo.get(':protocol');
  if (gathered.fault !== '') return refusal('BAD_REQUEST', gathered.fault);
  if (!isToken(method)) return refusal('BAD_REQUEST', ':method is not a token');
  if (method === 'TRACE' || (method === 'CONNECT' && protocol === undefined))
    return refusal('METHOD_REFUSED', method);
  if (target.length > limits.uri_bytes) return refusal('URI_TOO_LONG', `${target.length} bytes`);
  if (fields.length > limits.header_count * 2)
    return refusal('HEAD_TOO_LARGE', `${fields.length / 2} fields`);
  if (gathered.bytes > limits.header_bytes + target.length)
    return refusal('HEAD_TOO_LARGE', `${gathered.bytes} bytes of fields`);
  const fault = pseudoFault(gathered, method, target);
  if (fault !== '') return refusal('BAD_REQUEST', fault);
  if (protocol !== undefined) {
    if (method !== 'CONNECT' || protocol !== 'websocket')
      return refusal('UPGRADE_REFUSED', `:protocol ${protocol}`);
    if (gathered.websocketVersion !== '13')
      return refusal('UPGRADE_REFUSED', 'Sec-WebSocket-Version is not 13');
  }
  if (gathered.expect !== null && gathered.expect.toLowerCase() !== '100-continue')
    return refusal('BAD_REQUEST', 'an expectation other than 100-continue', 417);
  const bodyLength =
    endStream || protocol !== undefined ? 0 : gathered.length === null ? -1 : Number(gathered.length);
  return {
    // To everything above, a WebSocket is a GET with an upgrade, whichever way it came.
    method: protocol === undefined ? method : 'GET',
    scheme,
    authority: pseudo.get(':authority') ?? gathered.host ?? '',
    target,
    fields,
    version: '2',
    protocol: protocol === undefined ? '' : 'websocket',
    bodyLength,
    expectsContinue: gathered.expect !== null && bodyLength !== 0,
  };
}

function pseudoFault(gathered: Gathered, method: string, target: string): string {
  const { pseudo, host } = gathered;
  const authority = pseudo.get(':authority') ?? host;
  if (authority === null) return 'neither :authority nor Host';
  if (!isAuthority(authority)) return 'the authority is not host[:port]';
  if (host !== null && host.toLowerCase() !== authority.toLowerCase()) return ':authority and Host differ';
  const scheme = pseudo.get(':scheme');
  if (scheme !== 'http' && scheme !== 'https') return ':scheme is neither http nor https';
  if (gathered.length !== null && !/^(0|[1-9]\d{0,14})$/.test(gathered.length))
    return 'Content-Length is not a plain number';
  if (target !== '*' && !target.startsWith('/')) return ':path does not begin with /';
  return targetFault(method, target);
}
