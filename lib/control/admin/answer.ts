// What a route answers: a value, written to the wire by the server alone.

import { STATUS_CODES } from 'node:http';
import { ERRORS, type ErrorCode, LeasewayError } from '../../core/errors.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const JSON_TYPE = 'application/json';
const PROBLEM_TYPE = 'application/problem+json';
const TEXT_TYPE = 'text/plain; charset=utf-8';

export const json = (
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Answer => ({
  status,
  type: JSON_TYPE,
  body: `${JSON.stringify(value)}\n`,
  headers,
});

export const text = (body: string, status = 200, type = TEXT_TYPE): Answer => ({ status, type, body });

/** A request that is not answered as asked. `detail` says what is wrong and what to do. */
export interface Refusal {
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Extension members of the problem. */
  readonly members?: Readonly<Record<string, string>>;
}

/** RFC 9457. `type` is about:blank in effect, so `title` is the status in words; `code` is for programs. */
export const problem = ({ status, code, detail, headers = {}, members }: Refusal): Answer => ({
  status,
  type: PROBLEM_TYPE,
  body: `${JSON.stringify({
    title: STATUS_CODES[status] ?? 'Unknown',
    status,
    code,
    detail,
    retryable: ERRORS[code].retryable,
    ...members,
  })}\n`,
  headers,
});

/** Operational errors tell their reason; what was not foreseen stays in the log. */
export const refusalFor = (thrown: unknown): Refusal =>
  thrown instanceof LeasewayError
    ? { status: thrown.status, code: thrown.code, detail: thrown.detail || thrown.message }
    : { status: 500, code: 'INTERNAL', detail: ERRORS.INTERNAL.says };
