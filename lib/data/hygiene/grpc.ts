// gRPC as a proxy needs to know it: is this a call, and how long may it take.

import { type Fields, fieldValue, hasField, type MutableFields, setField } from '../../core/fields.ts';

/** Content-Type `application/grpc`, with `+proto`, `-web` or parameters after it (gRPC over HTTP/2, "Requests"). */
export function isGrpc(fields: Fields): boolean {
  const type = fieldValue(fields, 'content-type');
  return type !== undefined && type.length >= 16 && /^application\/grpc(?:$|[+;\s-])/i.test(type);
}

/** A head that is the whole answer, status included (gRPC over HTTP/2, "Responses": Trailers-Only). */
export const isTrailersOnly = (fields: Fields): boolean => isGrpc(fields) && hasField(fields, 'grpc-status');

const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/** No call waits longer than this whatever it asks for; also keeps timers within what they can count. */
export const MAX_GRPC_TIMEOUT_MS = 24 * 3_600_000;

/** `grpc-timeout` in milliseconds (1 to 8 digits and a unit), at most a day; undefined when absent or malformed. */
export function parseGrpcTimeoutMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const match = /^(\d{1,8})([HMSmun])$/.exec(value);
  return match === null ? undefined : Math.min(Number(match[1]) * UNIT_MS[match[2]!]!, MAX_GRPC_TIMEOUT_MS);
}

/** Tells a backend that is asked late how much of the client's deadline is left. */
export function shortenGrpcTimeout(fields: MutableFields, elapsedMs: number): void {
  const asked = isGrpc(fields) ? parseGrpcTimeoutMs(fieldValue(fields, 'grpc-timeout')) : undefined;
  if (asked !== undefined) setField(fields, 'grpc-timeout', formatGrpcTimeout(asked - elapsedMs));
}

/** What is left of a deadline, rounded down so that the backend gives up before we do; never `0m`, which some servers refuse. */
export function formatGrpcTimeout(ms: number): string {
  // A day has 86,400,000 ms: eight digits, as many as the format allows.
  return `${Math.max(1, Math.floor(Math.min(ms, MAX_GRPC_TIMEOUT_MS)))}m`;
}
