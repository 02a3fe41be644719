// A request that is turned away before it becomes one: status, reason and the plain words the client is told.

import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Reason } from '../ports.ts';

export interface Refusal extends Reason {
  readonly status: number;
}

export const refusal = (code: ErrorCode, detail: string, status: number = ERRORS[code].status): Refusal => ({
  code,
  detail,
  status,
});

export const isRefusal = (value: object): value is Refusal => 'code' in value;

/** The body of a refusal: the code and its public meaning, never the detail. */
export const refusalText = (refused: Refusal): string => `${refused.code}: ${ERRORS[refused.code].says}\n`;

/** The whole answer as HTTP/1.1 bytes; the connection closes after it (RFC 9112, section 9.6). HEAD gets no body. */
export function refusalBytes(refused: Refusal, method = ''): string {
  const text = refusalText(refused);
  let more = '';
  if (refused.status === 503) more = 'Retry-After: 1\r\n';
  // RFC 6455, section 4.4, and RFC 9110, section 15.5.6.
  if (refused.status === 426) more = 'Sec-WebSocket-Version: 13\r\n';
  if (refused.status === 405) more = 'Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n';
  return (
    `HTTP/1.1 ${refused.status} ${STATUS_CODES[refused.status] ?? 'Error'}\r\n` +
    `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${text.length}\r\n${more}Connection: close\r\n\r\n${method === 'HEAD' ? '' : text}`
  );
}
