// What an error of undici, of a socket or of TLS means for a request over HTTP/1.1: a code, and whether it may have been processed.

import { type ErrorCode, LeasewayError, messageOf } from '../../core/errors.ts';
import type { Reason } from '../ports.ts';

/** How far the request had come. */
export interface Progress {
  /** Some of it was, or may have been, written to the connection. */
  readonly started: boolean;
  /** The first byte of an answer has come. */
  readonly answerBegun: boolean;
  /** A whole final head has come. */
  readonly headSeen: boolean;
  /** The connection had carried a request before. */
  readonly reused: boolean;
}

export interface Failure {
  readonly reason: Reason;
  readonly sent: boolean;
}

/** What undici will not send: it says so before anything is written. */
const UNSENDABLE: ReadonlySet<string> = new Set([
  'UND_ERR_INVALID_ARG',
  'UND_ERR_NOT_SUPPORTED',
  'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH',
]);
/** A connection that ended under the request, by whatever side and means. */
const CLOSED: ReadonlySet<string> = new Set([
  'UND_ERR_SOCKET',
  'ECONNRESET',
  'EPIPE',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_STREAM_WRITE_AFTER_END',
]);

export function failureOf(error: unknown, progress: Progress): Failure {
  const code = codeOf(error, progress);
  return { reason: { code, detail: messageOf(error) }, sent: progress.started };
}

function codeOf(error: unknown, { started, answerBegun, headSeen, reused }: Progress): ErrorCode {
  if (error instanceof LeasewayError) return error.code;
  const code = String((error as { code?: unknown }).code ?? '');
  if (UNSENDABLE.has(code)) return 'BAD_REQUEST';
  if (code === 'UND_ERR_CLOSED' || code === 'UND_ERR_DESTROYED') return 'NO_BACKEND';
  // undici says so of every parser error once a length was read, be it in a head that is wrong.
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH') return headSeen ? 'ANSWER_CUT' : 'BAD_ANSWER';
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return 'BAD_ANSWER';
  // The parser's own code does not come through, only its words.
  if ((error as Error).name === 'HTTPParserError')
    return /invalid eof/i.test(messageOf(error)) ? 'ANSWER_CUT' : 'BAD_ANSWER';
  // An alert that comes after our side of the handshake: a refused client certificate, for one (RFC 8446, section 4.4.2.4).
  if (code.startsWith('ERR_SSL_')) return 'TLS_FAILED';
  // undici's words for an answer nobody asked for, and for 100 or 101 where none may be.
  if (code === 'UND_ERR_SOCKET' && /^bad (response|upgrade)/.test(messageOf(error))) return 'BAD_ANSWER';
  if (!CLOSED.has(code)) return 'INTERNAL';
  if (!started) return 'CONNECT_FAILED';
  return reused && !answerBegun ? 'STALE_CONNECTION' : 'ANSWER_CUT';
}
