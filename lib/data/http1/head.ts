// Decides whether a parsed HTTP/1 head is one unambiguous request. Pure; what a parser refuses never comes here.

import type { RequestLimits } from '../../config/proxy.ts';
import type { Fields } from '../../core/fields.ts';
import { type Refusal, refusal } from '../listener/refusal.ts';
import { targetFault } from '../listener/syntax.ts';
import type { FieldsMemo, RequestHead } from '../ports.ts';
import { Framing } from './codec/framing.ts';
import { websocketFault } from './upgrade.ts';

export type HeadLimits = Pick<RequestLimits, 'header_bytes' | 'header_count' | 'uri_bytes'>;

/** Methods a parser may know from RTSP, from ICE or as the HTTP/2 preface; none is HTTP's (RFC 9110, section 16.1). */
const FOREIGN = new Set(
  'PRI SOURCE DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD FLUSH'.split(
    ' ',
  ),
);

export interface ParsedHead {
  readonly method: string;
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly fields: Fields;
  /** HTTP ends behind this request: it is a WebSocket or nothing. */
  readonly upgraded: boolean;
}

/** The request, or why it is refused. Implements RFC 9112, sections 2.2, 3.2, 6.1 to 6.3 on the strict side. */
export function checkHead(
  parsed: ParsedHead,
  scheme: 'http' | 'https',
  limits: HeadLimits,
): RequestHead | Refusal {
  if (parsed.major !== 1 || parsed.minor > 1)
    return refusal('BAD_REQUEST', `HTTP/${parsed.major}.${parsed.minor}`);
  const { method, target, minor, fields, upgraded } = parsed;
  return judgeHead(method, target, minor, fields, new Framing(fields), upgraded, scheme, limits, null);
}

/** The same for HTTP/1.`minor`, with what decides among the fields gathered already. */
export function judgeHead(
  method: string,
  target: string,
  minor: number,
  fields: Fields,
  framing: Framing,
  upgraded: boolean,
  scheme: 'http' | 'https',
  limits: HeadLimits,
  memo: FieldsMemo | null,
): RequestHead | Refusal {
  const modern = minor === 1;
  if (FOREIGN.has(method)) return refusal('BAD_REQUEST', `${method} is not a method of HTTP`);
  if (method === 'TRACE' || method === 'CONNECT') return refusal('METHOD_REFUSED', method);
  if (target.length > limits.uri_bytes) return refusal('URI_TOO_LONG', `${target.length} bytes`);
  if (fields.length > limits.header_count * 2)
    return refusal('HEAD_TOO_LARGE', `${fields.length / 2} fields`);
  if (framing.bytes > limits.header_bytes)
    return refusal('HEAD_TOO_LARGE', `${framing.bytes} bytes of fields`);
  const fault = targetFault(method, target) || framing.hostFault(modern) || framing.bodyFault(modern);
  if (fault !== '') return refusal('BAD_REQUEST', fault);
  // RFC 9110, section 10.1.1: expectations of an HTTP/1.0 client are ignored.
  const expects = modern && framing.expects > 0;
  if (expects && (framing.expects > 1 || framing.expect.toLowerCase() !== '100-continue'))
    return refusal('BAD_REQUEST', 'an expectation other than 100-continue', 417);
  const length = framing.bodyLength;
  const bodyLength = length === -2 ? 0 : length;
  if (upgraded) {
    const upgradeFault = websocketFault(fields);
    if (upgradeFault !== null) return upgradeFault;
  }
  return {
    method,
    scheme,
    authority: framing.host,
    target,
    fields,
    version: modern ? '1.1' : '1.0',
    protocol: upgraded ? 'websocket' : '',
    bodyLength,
    expectsContinue: expects && bodyLength !== 0,
    memo,
  };
}
