// May this request be sent once more? A pure rule (RFC 9110, section 9.2.2).

import type { ErrorCode } from '../../core/errors.ts';

export interface Failure {
  readonly code: ErrorCode;
  /** False only when it is certain that the backend processed nothing. */
  readonly sent: boolean;
  readonly method: string;
  /** The body is absent, or what was sent of it is still held. */
  readonly replayable: boolean;
  /** Tries made so far, and the most that may be made. */
  readonly made: number;
  readonly attempts: number;
}

/** Asking twice what changes nothing is harmless; anything else only when nothing was processed. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** After these another try may well succeed. A backend that was too slow or spoke nonsense is not asked again. */
const WORTH = new Set<ErrorCode>([
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'STALE_CONNECTION',
  'REFUSED_STREAM',
  'ANSWER_CUT',
]);

/** These say nothing about the backend itself: it may be asked again at once, on a fresh connection. */
const SAME_BACKEND = new Set<ErrorCode>(['STALE_CONNECTION', 'REFUSED_STREAM']);

export const mayRetry = (failure: Failure): boolean =>
  failure.made < failure.attempts &&
  failure.replayable &&
  WORTH.has(failure.code) &&
  (!failure.sent || SAFE.has(failure.method));

export const avoidsBackend = (code: ErrorCode): boolean => !SAME_BACKEND.has(code);
