// Was an HTTP/2 answer whole? Pure, since this is where a part is mistaken for the whole most easily.

import { constants } from 'node:http2';
import { type Fields, fieldValue, hasField } from '../../core/fields.ts';
import type { Reason } from '../ports.ts';
import type { Failure } from './failure.ts';

const {
  NGHTTP2_NO_ERROR,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_FRAME_SIZE_ERROR,
  NGHTTP2_REFUSED_STREAM,
  NGHTTP2_COMPRESSION_ERROR,
  NGHTTP2_ENHANCE_YOUR_CALM,
} = constants;

/** What our own codec resets a stream with when the answer breaks the protocol or our bounds. */
const OUR_VERDICTS: ReadonlySet<number> = new Set([
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_FRAME_SIZE_ERROR,
  NGHTTP2_COMPRESSION_ERROR,
  NGHTTP2_ENHANCE_YOUR_CALM,
]);

/** Bytes of content the head promises, or -1 (RFC 9110, section 8.6). */
export function promisedBytes(method: string, status: number, fields: Fields): number {
  if (method === 'HEAD' || status === 204 || status === 304) return -1;
  const length = fieldValue(fields, 'content-length');
  return length === undefined ? -1 : Number(length);
}

/** A gRPC answer ends with a status, in trailers or, without messages, in the head; gRPC-Web has it in its content. */
export function isGrpc(status: number, fields: Fields): boolean {
  const type = fieldValue(fields, 'content-type');
  return status === 200 && type !== undefined && /^application\/grpc(\+|;|$)/i.test(type);
}

export interface EndedAnswer {
  readonly status: number;
  readonly fields: Fields;
  readonly trailers: Fields;
  /** From `promisedBytes`. */
  readonly promised: number;
  readonly received: number;
  /** END_STREAM was seen; a stream that is reset with NO_ERROR ends without. */
  readonly endStream: boolean;
}

/** Empty when the answer is whole, else what it lacks. */
export function lackOf(answer: EndedAnswer): string {
  if (!answer.endStream) return 'the stream ended without END_STREAM';
  if (answer.promised >= 0 && answer.promised !== answer.received)
    return `${answer.received} bytes came of ${answer.promised}`;
  if (isGrpc(answer.status, answer.fields)) {
    const told = hasField(answer.trailers, 'grpc-status') || hasField(answer.fields, 'grpc-status');
    if (!told) return 'a gRPC answer without grpc-status';
  }
  return '';
}

export interface ResetFacts {
  readonly rstCode: number;
  readonly headSeen: boolean;
  /** By GOAWAY, or because it never left. */
  readonly neverProcessed: boolean;
  /** The connection had carried streams before and is gone. */
  readonly stale: boolean;
  /** Of the connection, when that is what failed. */
  readonly connection: Reason | null;
}

/** Code and honesty about a stream that ended before its answer was whole (RFC 9113, sections 7 and 8.7). */
export function resetFailure(facts: ResetFacts): Failure {
  const { rstCode, headSeen, connection } = facts;
  const detail = connection?.detail ?? `the stream was reset with code ${rstCode}`;
  if (!headSeen && (facts.neverProcessed || rstCode === NGHTTP2_REFUSED_STREAM))
    return { reason: { code: 'REFUSED_STREAM', detail }, sent: false };
  if (headSeen) return { reason: { code: 'ANSWER_CUT', detail }, sent: true };
  if (connection !== null) return { reason: connection, sent: true };
  if (facts.stale) return { reason: { code: 'STALE_CONNECTION', detail }, sent: true };
  if (rstCode === NGHTTP2_NO_ERROR)
    return { reason: { code: 'ANSWER_CUT', detail: 'the stream ended without an answer' }, sent: true };
  const code = OUR_VERDICTS.has(rstCode) ? 'BAD_ANSWER' : 'ANSWER_CUT';
  return { reason: { code, detail }, sent: true };
}
