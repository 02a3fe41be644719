// What each error is to a gRPC client: the status codes of google.rpc.Code.

import type { ErrorCode } from '../../core/errors.ts';

const UNAVAILABLE = 14;
const DEADLINE_EXCEEDED = 4;
const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const UNIMPLEMENTED = 12;
const INTERNAL = 13;

const BY_CODE: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: INVALID_ARGUMENT,
  FORBIDDEN: PERMISSION_DENIED,
  NO_ROUTE: UNIMPLEMENTED,
  METHOD_REFUSED: UNIMPLEMENTED,
  REQUEST_TIMEOUT: DEADLINE_EXCEEDED,
  BODY_TOO_LARGE: RESOURCE_EXHAUSTED,
  URI_TOO_LONG: INVALID_ARGUMENT,
  MISDIRECTED: UNAVAILABLE,
  TOO_MANY_REQUESTS: RESOURCE_EXHAUSTED,
  HEAD_TOO_LARGE: RESOURCE_EXHAUSTED,
  UPGRADE_REFUSED: INVALID_ARGUMENT,
  CLIENT_GONE: 1, // CANCELLED
  CONNECT_FAILED: UNAVAILABLE,
  CONNECT_TIMEOUT: UNAVAILABLE,
  TLS_FAILED: UNAVAILABLE,
  STALE_CONNECTION: UNAVAILABLE,
  REFUSED_STREAM: UNAVAILABLE,
  HEAD_TIMEOUT: DEADLINE_EXCEEDED,
  BODY_TIMEOUT: DEADLINE_EXCEEDED,
  DEADLINE: DEADLINE_EXCEEDED,
  ANSWER_CUT: UNAVAILABLE,
  NO_BACKEND: UNAVAILABLE,
  QUEUE_FULL: UNAVAILABLE,
  QUEUE_TIMEOUT: UNAVAILABLE,
  OVERLOADED: UNAVAILABLE,
  TOO_MANY_CONNECTIONS: UNAVAILABLE,
  DRAINING: UNAVAILABLE,
};

/** INTERNAL for whatever a client cannot act on. */
export const grpcStatus = (code: ErrorCode): number => BY_CODE[code] ?? INTERNAL;

/** grpc-message: printable ASCII without `%`, the rest percent-encoded (gRPC over HTTP/2, "Responses"). */
export const encodeGrpcMessage = (message: string): string =>
  message.replace(/[^\x20-\x24\x26-\x7e]+/gu, text =>
    Array.from(
      Buffer.from(text, 'utf8'),
      byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    ).join(''),
  );
