// Between node:http's objects and the values that the rest of the API works on.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { LeasewayError } from '../../core/errors.ts';
import { plainIp } from './address.ts';
import type { Answer } from './answer.ts';
import type { Asked } from './guard.ts';

const one = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value;

/** `clientCa`: do we verify client certificates at all? Without an authority of ours `authorized` means nothing. */
export function askedBy({ method, headers, socket }: IncomingMessage, clientCa: boolean): Asked {
  return {
    method: method ?? '',
    host: headers.host,
    localAddress: plainIp(socket.localAddress ?? ''),
    origin: headers.origin,
    fetchSite: one(headers['sec-fetch-site']),
    fetchMode: one(headers['sec-fetch-mode']),
    authorization: headers.authorization,
    certificate: clientCa && (socket as TLSSocket).authorized === true,
  };
}

/** Only the origin form: what a client sends that talks to us and not to a proxy. */
export function targetOf(target: string): { pathname: string; searchParams: URLSearchParams } {
  if (!target.startsWith('/')) throw new LeasewayError('BAD_REQUEST', 'the request target must begin with /');
  const question = target.indexOf('?');
  return question < 0
    ? { pathname: target, searchParams: new URLSearchParams() }
    : { pathname: target.slice(0, question), searchParams: new URLSearchParams(target.slice(question + 1)) };
}

export function send(response: ServerResponse, { status, type, body, headers = {} }: Answer): void {
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  });
  response.end(body);
}
