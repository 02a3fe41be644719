// May this request be sent once more? A pure rule (RFC 9110, section 9.2.2).

import type { ErrorCode } from '../../core/errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  /** False only when it is certain that the backend processed nothing. */
  readonly sent: boolean;
  readonly method: string;
  /** `retry.per_try_timeout` is set: one that is slow is given up for another. */
  readonly perTry: boolean;
  /** The body is absent, or what was sent of it is still held. */
  readonly replayable: boolean;
  /** Tries made so far; of them those that no backend began to work on; and the most that may be made. */
  readonly made: number;
  readonly unprocessed: number;
  readonly attempts: number;
}

/** Tries that do not count: a backend that is being restarted sends a GOAWAY on one connection after the other. */
const FREE_TRIES = 3;

/** Asking twice what changes nothing is harmless; anything else only when nothing was processed. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * After these another try may well succeed. One that spoke nonsense would speak it again; one that was too slow costs
 * twice, unless the operator says with a time-out per try that it is worth it.
 */
const WORTH = new Set<ErrorCode>([
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'TLS_FAILED',
  // The backend's connections are all busy, or it was removed a moment ago: another one may do.
  'TOO_MANY_CONNECTIONS',
  'NO_BACKEND',
  'STALE_CONNECTION',
  'REFUSED_STREAM',
  'ANSWER_CUT',
]);

/** These say nothing about the backend itself: it may be asked again at once, on a fresh connection. */
const SAME_BACKEND = new Set<ErrorCode>(['STALE_CONNECTION', 'REFUSED_STREAM']);

const counted = ({ made, unprocessed }: Failure): number => made - Math.min(unprocessed, FREE_TRIES);

/** Whether this is a stream that the backend refused or left behind its GOAWAY: it is as if it had not been sent. */
export const isUnprocessed = (code: ErrorCode, sent: boolean): boolean => code === 'REFUSED_STREAM' && !sent;

/** One attempt means none again, for whatever reason. */
export const mayRetry = (failure: Failure): boolean =>
  failure.attempts > 1 &&
  counted(failure) < failure.attempts &&
  failure.replayable &&
  (WORTH.has(failure.code) || (failure.perTry && failure.code === 'HEAD_TIMEOUT')) &&
  (!failure.sent || SAFE.has(failure.method));

export const avoidsBackend = (code: ErrorCode): boolean => !SAME_BACKEND.has(code);
