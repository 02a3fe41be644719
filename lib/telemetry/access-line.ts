// One access-log line: a request as JSON. A line put together by hand was tried and was no faster than JSON.stringify of one flat object.

import type { RequestRecord } from './emit.ts';
import { escapeUnsafe } from './json-text.ts';
import { type QueryPolicy, shownQuery } from './query.ts';

/** A client can send 16 KiB of header; a log line shall not be a way to fill a disk. */
const MAX_PATH_LENGTH = 2_048;
const MAX_TEXT_LENGTH = 512;

/** Formats times with the second's text kept, since most lines share it with the one before. One per thread. */
export class AccessLineFormat {
  readonly #query: QueryPolicy;
  #second = Number.NaN;
  #secondText = '';

  constructor(query: QueryPolicy) {
    this.#query = query;
  }

  /** Without the line's end. `time` is when the exchange began. Every line has every field, so that columns can be made of them. */
  line(record: RequestRecord): string {
    const line = JSON.stringify({
      time: this.#time(record.startMs),
      client: cut(record.client),
      method: cut(record.method),
      scheme: record.scheme,
      host: cut(record.authority),
      path: record.path.length > MAX_PATH_LENGTH ? `${record.path.slice(0, MAX_PATH_LENGTH)}…` : record.path,
      query: record.query === '' ? '' : shownQuery(record.query, this.#query),
      version: record.version,
      status: record.status,
      bytes_in: record.bytesIn,
      bytes_out: record.bytesOut,
      duration_ms: rounded(record.endMs - record.startMs),
      first_byte_ms: rounded(record.firstByteMs),
      queued_ms: rounded(record.queuedMs),
      listener: record.listener,
      route: record.route,
      cluster: record.cluster,
      backend: record.backend,
      attempts: record.attempts,
      lease: record.lease,
      error: record.error,
      detail: cut(record.detail),
      request_id: cut(record.requestId),
      trace_id: record.traceId,
      user_agent: cut(record.userAgent),
    });
    return escapeUnsafe(line);
  }

  /** ISO 8601 in UTC with milliseconds. */
  #time(ms: number): string {
    const second = Math.floor(ms / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#secondText = new Date(second * 1_000).toISOString().slice(0, 20);
    }
    const millis = Math.floor(ms - second * 1_000);
    return `${this.#secondText}${millis < 10 ? '00' : millis < 100 ? '0' : ''}${millis}Z`;
  }
}

const cut = (text: string): string =>
  text.length > MAX_TEXT_LENGTH ? `${text.slice(0, MAX_TEXT_LENGTH)}…` : text;

/** To the microsecond; a number that is none would break the line. */
const rounded = (ms: number): number => (Number.isFinite(ms) ? Math.round(ms * 1_000) / 1_000 : -1);
