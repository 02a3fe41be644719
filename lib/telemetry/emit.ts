// What the data plane says about what it does. The data plane knows these ports; who listens is wired by the roots.

import type { Fields, MutableFields } from '../core/fields.ts';

/** Decides sampling before a span exists. */
export interface Tracer {
  /** Reads `traceparent`/`tracestate` and decides; a TraceContext is cheap and always there, since the context is passed on also when unsampled. */
  begin(received: Fields): TraceContext;
}

export interface TraceContext {
  readonly sampled: boolean;
  readonly traceId: string;
  /** Of our server span (or, when unsampled, the id that is passed on). */
  readonly spanId: string;
  /** Writes `traceparent` and `tracestate` for one attempt; when sampled the attempt has its own span id. Returns that id. */
  inject(fields: MutableFields): string;
  /** The attempt's client span is over. No-op unless sampled. */
  attemptEnded(attempt: AttemptRecord): void;
  /** The server span is over. No-op unless sampled. */
  requestEnded(request: RequestRecord): void;
}

/** One try at one backend. */
export interface AttemptRecord {
  readonly spanId: string;
  readonly backend: string;
  readonly scheme: string;
  readonly address: string;
  readonly port: number;
  /** Path and query that were asked for. */
  readonly target: string;
  readonly version: '1.1' | '2';
  /** 1 for the first. */
  readonly number: number;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 when no answer began. */
  readonly status: number;
  /** Empty when it went well; otherwise a code of core/errors.ts or the status. */
  readonly error: string;
}

/** One exchange, for the server span and the access log alike. Times are Unix milliseconds with fractions. */
export interface RequestRecord {
  readonly startMs: number;
  readonly endMs: number;
  readonly client: string;
  /** Of the connection, which may be a proxy's in front of us. */
  readonly peer: string;
  readonly peerPort: number;
  readonly method: string;
  readonly scheme: string;
  readonly authority: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  readonly version: '1.0' | '1.1' | '2';
  readonly userAgent: string;
  readonly requestId: string;
  readonly listener: string;
  readonly route: string;
  readonly cluster: string;
  readonly backend: string;
  readonly status: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Each `backend:status-or-code:milliseconds`. */
  readonly attempts: readonly string[];
  readonly queuedMs: number;
  /** Until the answer began; -1 if it never did. */
  readonly firstByteMs: number;
  /** grant, keep, renew, move:REASON, none, … */
  readonly lease: string;
  /** Code of core/errors.ts, or empty. */
  readonly error: string;
  readonly detail: string;
  readonly traceId: string;
}

/** One JSON line per exchange, off the hot path, bounded: what does not fit is dropped and counted. */
export interface AccessLog extends Disposable {
  write(record: RequestRecord): void;
  /** Opens the file anew, after a rotation. */
  reopen(): void;
}
