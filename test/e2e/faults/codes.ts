// Which of the fault tests produces which error code: no code without a test, or without a reason why there is none.

import { basename } from 'node:path';
import type { Test } from 'tap';
import type { ErrorCode } from '../../../lib/core/errors.ts';
import type { Line } from './stage.ts';

/** Typed by ErrorCode, so that a new code does not compile until it is entered here. */
export const PRODUCED: Readonly<Record<ErrorCode, string | { readonly never: string }>> = {
  BAD_REQUEST: 'client-malformed.test.ts',
  FORBIDDEN: 'client-malformed.test.ts',
  TICKET_REFUSED: 'tickets.test.ts',
  NO_ROUTE: 'client-malformed.test.ts',
  METHOD_REFUSED: 'client-malformed.test.ts',
  URI_TOO_LONG: 'client-malformed.test.ts',
  HEAD_TOO_LARGE: 'client-malformed.test.ts',
  BODY_TOO_LARGE: 'client-malformed.test.ts',
  UPGRADE_REFUSED: 'client-malformed.test.ts',
  REQUEST_TIMEOUT: 'client-slow.test.ts',
  CLIENT_GONE: 'client-slow.test.ts',
  MISDIRECTED: 'client-bounds.test.ts',
  TOO_MANY_REQUESTS: 'client-bounds.test.ts',
  TOO_MANY_CONNECTIONS: 'client-bounds.test.ts',
  CONNECT_FAILED: 'backend-connect.test.ts',
  CONNECT_TIMEOUT: 'backend-connect.test.ts',
  TLS_FAILED: 'backend-connect.test.ts',
  HEAD_TIMEOUT: 'backend-answer.test.ts',
  BODY_TIMEOUT: 'backend-answer.test.ts',
  BAD_ANSWER: 'backend-answer.test.ts',
  ANSWER_CUT: 'backend-answer.test.ts',
  DEADLINE: 'backend-answer.test.ts',
  STALE_CONNECTION: 'backend-reuse.test.ts',
  REFUSED_STREAM: 'backend-reuse.test.ts',
  NO_BACKEND: 'health.test.ts',
  QUEUE_FULL: 'overload.test.ts',
  QUEUE_TIMEOUT: 'overload.test.ts',
  OVERLOADED: 'adaptive.test.ts',
  DRAINING: { never: 'names how a tunnel ended at the deadline of a drain; requests are served to the end' },
  INTERNAL: {
    never: 'a fault of the program itself: no outside means brings it about, or it would be mended',
  },
  CONFIG_INVALID: { never: 'of the admin API and the CLI, not of a proxied request' },
  LISTEN_FAILED: { never: 'of the CLI and of a reload' },
  ALREADY_RUNNING: { never: 'of the CLI' },
  UPGRADE_FAILED: { never: 'of the admin API and the CLI' },
  UNAUTHORIZED: { never: 'of the admin API' },
  NOT_FOUND: { never: 'of the admin API' },
  CONFLICT: { never: 'of the admin API' },
  STORE_UNAVAILABLE: { never: 'of the control plane: a request asks no store' },
  STORE_BUSY: { never: 'of the control plane: a request asks no store' },
  UNREACHABLE: { never: 'of the CLI' },
};

/** Asserts that every code this file is named for stands in its access log, as an error or as the end of an attempt. */
export function producedHere(t: Test, file: string, lines: readonly Line[]): void {
  const seen = new Set(lines.flatMap(({ error, attempts }) => [error, ...attempts.map(codeOf)]));
  const own = Object.entries(PRODUCED).filter(([, where]) => where === basename(file));
  t.not(own.length, 0, 'this file has codes to produce');
  for (const [code] of own) t.ok(seen.has(code), `${code} was produced`);
}

/** `BACKEND:CODE:MS`; a backend's id may hold colons. */
const codeOf = (attempt: string): string => attempt.split(':').at(-2)!;
