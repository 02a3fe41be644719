// Decides whether a parsed HTTP/1 head is one unambiguous request. Pure; what the parser refuses never comes here.

import type { RequestLimits } from '../../config/proxy.ts';
import { type Fields, nameIs } from '../../core/fields.ts';
import { type Refusal, refusal } from '../listener/refusal.ts';
import { isAuthority, targetFault } from '../listener/syntax.ts';
import type { RequestHead } from '../ports.ts';
import { websocketFault } from './upgrade.ts';

type HeadLimits = Pick<RequestLimits, 'header_bytes' | 'header_count' | 'uri_bytes'>;

/** Methods the parser knows from RTSP, from ICE or as the HTTP/2 preface; none is HTTP's (RFC 9110, section 16.1). */
const FOREIGN = new Set(
  'PRI SOURCE DESCRIBE ANNOUNCE SETUP PLAY PAUSE TEARDOWN GET_PARAMETER SET_PARAMETER REDIRECT RECORD FLUSH'.split(
    ' ',
  ),
);
/** Digits without a leading zero, small enough to be exact in a double. */
const LENGTH = /^(0|[1-9]\d{0,14})$/;

export interface ParsedHead {
  readonly method: string;
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly fields: Fields;
  /** The parser has left HTTP behind this request: it is a WebSocket or nothing. */
  readonly upgraded: boolean;
}

/** The four fields that decide where a message ends and whom it is for, gathered in one pass. */
class Framing {
  hosts = 0;
  host = '';
  lengths = 0;
  length = '';
  codings = 0;
  coding = '';
  expects = 0;
  expect = '';
  bytes = 0;

  constructor(fields: Fields) {
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!;
      const value = fields[i + 1]!;
      this.bytes += name.length + value.length + 4;
      // By length first: most fields are none of the four.
      switch (name.length) {
        case 4:
          if (nameIs(name, 'host')) {
            this.hosts += 1;
            this.host = value;
          }
          break;
        case 6:
          if (nameIs(name, 'expect')) {
            this.expects += 1;
            this.expect = value;
          }
          break;
        case 14:
          if (nameIs(name, 'content-length')) {
            this.lengths += 1;
            this.length = value;
          }
          break;
        case 17:
          if (nameIs(name, 'transfer-encoding')) {
            this.codings += 1;
            this.coding = value;
          }
      }
    }
  }
}

/** The request, or why it is refused. Implements RFC 9112, sections 2.2, 3.2, 6.1 to 6.3 on the strict side. */
export function checkHead(
  parsed: ParsedHead,
  scheme: 'http' | 'https',
  limits: HeadLimits,
): RequestHead | Refusal {
  const { method, target, fields } = parsed;
  if (parsed.major !== 1 || parsed.minor > 1)
    return refusal('BAD_REQUEST', `HTTP/${parsed.major}.${parsed.minor}`);
  const modern = parsed.minor === 1;
  if (FOREIGN.has(method)) return refusal('BAD_REQUEST', `${method} is not a method of HTTP`);
  if (method === 'TRACE' || method === 'CONNECT') return refusal('METHOD_REFUSED', method);
  if (target.length > limits.uri_bytes) return refusal('URI_TOO_LONG', `${target.length} bytes`);
  if (fields.length > limits.header_count * 2)
    return refusal('HEAD_TOO_LARGE', `${fields.length / 2} fields`);
  const framing = new Framing(fields);
  if (framing.bytes > limits.header_bytes)
    return refusal('HEAD_TOO_LARGE', `${framing.bytes} bytes of fields`);
  const fault = targetFault(method, target) || hostFault(framing, modern) || framingFault(framing, modern);
  if (fault !== '') return refusal('BAD_REQUEST', fault);
  // RFC 9110, section 10.1.1: expectations of an HTTP/1.0 client are ignored.
  const expects = modern && framing.expects > 0;
  if (expects && (framing.expects > 1 || framing.expect.toLowerCase() !== '100-continue'))
    return refusal('BAD_REQUEST', 'an expectation other than 100-continue', 417);
  const bodyLength = framing.codings > 0 ? -1 : framing.lengths > 0 ? Number(framing.length) : 0;
  if (parsed.upgraded) {
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
    protocol: parsed.upgraded ? 'websocket' : '',
    bodyLength,
    expectsContinue: expects && bodyLength !== 0,
  };
}

function hostFault(framing: Framing, modern: boolean): string {
  if (framing.hosts === 0) return modern ? 'no Host' : '';
  if (framing.hosts > 1) return 'more than one Host';
  return isAuthority(framing.host) ? '' : 'Host is not host[:port]';
}

function framingFault(framing: Framing, modern: boolean): string {
  if (framing.codings > 0) {
    if (framing.lengths > 0) return 'both Transfer-Encoding and Content-Length';
    if (!modern) return 'Transfer-Encoding in HTTP/1.0';
    if (framing.codings > 1 || framing.coding.toLowerCase() !== 'chunked')
      return 'Transfer-Encoding is not chunked';
  }
  if (framing.lengths > 1) return 'more than one Content-Length';
  return framing.lengths === 1 && !LENGTH.test(framing.length) ? 'Content-Length is not a plain number' : '';
}
