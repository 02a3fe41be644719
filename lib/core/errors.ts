// Every operational error leaseway can answer or print: one class, one table of codes. Programmer errors are asserts.

interface Meaning {
  /** HTTP status a client sees when the error ends its request. */
  readonly status: number;
  /** May another attempt succeed without anyone changing anything? */
  readonly retryable: boolean;
  /** What happened, in words a client may read. */
  readonly says: string;
}

/** The table. README's "What it does when things break" lists the same codes; a test compares the two. */
export const ERRORS = {
  // the client's request
  BAD_REQUEST: { status: 400, retryable: false, says: 'the request is malformed or ambiguous' },
  FORBIDDEN: { status: 403, retryable: false, says: 'this client may not use this route' },
  TICKET_REFUSED: {
    status: 403,
    retryable: false,
    says: 'the ticket of this WebSocket is not valid, or was used: register again',
  },
  NO_ROUTE: { status: 404, retryable: false, says: 'no route matches this host and path' },
  METHOD_REFUSED: { status: 405, retryable: false, says: 'CONNECT and TRACE are not served' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, says: 'the request did not arrive in time' },
  BODY_TOO_LARGE: {
    status: 413,
    retryable: false,
    says: 'the request body is larger than this route allows',
  },
  URI_TOO_LONG: { status: 414, retryable: false, says: 'the request target is longer than the limit' },
  MISDIRECTED: { status: 421, retryable: false, says: 'this host is not served on this TLS connection' },
  TOO_MANY_REQUESTS: { status: 429, retryable: true, says: 'this client sends faster than its limit' },
  HEAD_TOO_LARGE: { status: 431, retryable: false, says: 'the request head is larger than the limit' },
  UPGRADE_REFUSED: { status: 400, retryable: false, says: 'only WebSocket upgrades are served' },
  CLIENT_GONE: { status: 499, retryable: false, says: 'the client left before the answer was complete' },
  // the backend
  CONNECT_FAILED: { status: 502, retryable: true, says: 'the backend refused or reset the connection' },
  CONNECT_TIMEOUT: {
    status: 504,
    retryable: true,
    says: 'the backend did not accept the connection in time',
  },
  TLS_FAILED: { status: 502, retryable: false, says: 'the TLS handshake with the backend failed' },
  STALE_CONNECTION: {
    status: 502,
    retryable: true,
    says: 'the backend closed a kept-alive connection as it was reused',
  },
  REFUSED_STREAM: { status: 502, retryable: true, says: 'the backend refused the stream unprocessed' },
  HEAD_TIMEOUT: { status: 504, retryable: true, says: 'the backend did not begin its answer in time' },
  BODY_TIMEOUT: { status: 504, retryable: false, says: 'the backend stopped in the middle of its answer' },
  BAD_ANSWER: {
    status: 502,
    retryable: false,
    says: 'the backend answered something that is not valid HTTP',
  },
  ANSWER_CUT: { status: 502, retryable: true, says: 'the backend closed before its answer was complete' },
  DEADLINE: { status: 504, retryable: false, says: 'the deadline of the request has passed' },
  // the proxy
  NO_BACKEND: { status: 503, retryable: true, says: 'no backend of this cluster can take the request' },
  QUEUE_FULL: { status: 503, retryable: true, says: 'the waiting line of this cluster is full' },
  QUEUE_TIMEOUT: { status: 503, retryable: true, says: 'no backend became free in time' },
  OVERLOADED: {
    status: 503,
    retryable: true,
    says: 'the backends of this cluster have more to do than they can',
  },
  TOO_MANY_CONNECTIONS: {
    status: 503,
    retryable: true,
    says: 'the proxy holds as many connections as it may',
  },
  DRAINING: { status: 503, retryable: true, says: 'the proxy is shutting down' },
  INTERNAL: { status: 500, retryable: false, says: 'the proxy failed; its log has the reason' },
  // operating it
  CONFIG_INVALID: { status: 422, retryable: false, says: 'the configuration is not valid' },
  LISTEN_FAILED: { status: 500, retryable: true, says: 'cannot listen' },
  ALREADY_RUNNING: { status: 409, retryable: false, says: 'another leaseway holds this state directory' },
  UPGRADE_FAILED: {
    status: 500,
    retryable: true,
    says: 'the new process did not become ready; the old one goes on',
  },
  UNAUTHORIZED: { status: 401, retryable: false, says: 'the admin API needs its token' },
  NOT_FOUND: { status: 404, retryable: false, says: 'there is no such thing' },
  CONFLICT: { status: 409, retryable: true, says: 'the state changed meanwhile; read it again' },
  STORE_UNAVAILABLE: { status: 503, retryable: true, says: 'the store cannot be read or written' },
  STORE_BUSY: { status: 503, retryable: true, says: 'the store has more to write than it can take' },
  UNREACHABLE: { status: 503, retryable: true, says: 'no running leaseway answers on the admin address' },
} as const satisfies Record<string, Meaning>;

export type ErrorCode = keyof typeof ERRORS;

/** An operational error: expected, named, with the status it is answered with. `detail` says what, where, what to do. */
export class LeasewayError extends Error {
  readonly code: ErrorCode;
  readonly detail: string;

  constructor(code: ErrorCode, detail = '', cause?: unknown) {
    super(
      detail === '' ? ERRORS[code].says : `${ERRORS[code].says}: ${detail}`,
      cause === undefined ? undefined : { cause },
    );
    this.name = 'LeasewayError';
    this.code = code;
    this.detail = detail;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** The text of anything that was thrown. */
export const messageOf = (thrown: unknown): string =>
  thrown instanceof Error ? thrown.message : String(thrown);

const OUR_LACK: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** The system said no for want of a descriptor, port or memory on our side: nothing is wrong with the peer. */
export const isOurLack = (error: unknown): boolean =>
  OUR_LACK.has(String((error as NodeJS.ErrnoException).code));
