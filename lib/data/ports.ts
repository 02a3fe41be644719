// The data plane's one seam. Both directions push; sinks are class instances; nothing above it knows the wire.
//
//   client ──► Incoming ──RequestSink──► Exchange (the request's story) ──Outgoing──► backend
//   client ◄── Incoming ◄─────────────── Exchange ◄────AnswerSink──────── Upstream ◄── backend
//
// Rules every adapter keeps (the contract suites test them):
//  1. A sink hears exactly one last word: `end`, `gone`, `fail` or `upgraded`; nothing after it.
//  2. No sink method is called before the call that was given the sink has returned.
//  3. `write` returning false asks the caller to wait for `writable`/`drained`; what is written meanwhile is still taken.
//  4. `abort` is idempotent, silences the sink and frees the connection or stream at once.
//  5. An answer cut short is never delivered as complete: it ends with `fail`, and the client side is aborted.
//  6. Bytes are lent for the time of a call, both ways: who keeps some keeps a copy (`owned` in lent.ts).
//  7. Adapters never retry and never follow; they pass 1xx but 100 and 101 on by `informational`.

import type { Duplex } from 'node:stream';
import type { ErrorCode } from '../core/errors.ts';
import type { Fields } from '../core/fields.ts';

/** Why something ended. `code` is of core/errors.ts; `detail` goes to the log, never to the client. */
export interface Reason {
  readonly code: ErrorCode;
  readonly detail: string;
}

/** A reason that says when to come again. */
export interface Refusal extends Reason {
  readonly retryAfterS?: number;
}

/** The connection a request came on. */
export interface ClientConnection {
  /** Unique within the worker. */
  readonly id: number;
  /** Of the peer, or what the PROXY protocol said. IPv4-mapped addresses are written as IPv4. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** The listener's address as configured. */
  readonly listener: string;
  readonly tls: ClientTls | null;
}

export interface ClientTls {
  /** SNI, lower case; empty when none was sent. */
  readonly serverName: string;
  /** Names of the certificate that was shown, lower case, wildcards as `*.example.org`. */
  readonly certificateNames: readonly string[];
  readonly protocol: string;
  /** A verified client certificate, if any. */
  readonly client: { readonly subject: string; readonly fingerprint256: string } | null;
}

/** The head of a request as it came, already unambiguous: adapters refuse what is not. */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host or :authority, as received; empty only for HTTP/1.0 without Host. */
  readonly authority: string;
  /** As received: origin-form, absolute-form or `*`. */
  readonly target: string;
  /** As received, without pseudo-fields; connection-specific fields included. */
  readonly fields: Fields;
  readonly version: '1.0' | '1.1' | '2';
  /** `websocket` for an upgrade or an RFC 8441 CONNECT, else empty. Other upgrades are not upgrades here. */
  readonly protocol: '' | 'websocket';
  /** 0 none, -1 unknown. */
  readonly bodyLength: number;
  /** `Expect: 100-continue` was sent: the story calls `continue()` when it wants the body. */
  readonly expectsContinue: boolean;
  /** Of a field section that may come again on its connection: the same for as long as it is the same. */
  readonly memo?: FieldsMemo | null;
}

/** A place for what was made of a field section. */
export interface FieldsMemo {
  made: object | null;
}

/** Fields that were sent before, with the lines they became. */
export interface KnownFields {
  readonly fields: Fields;
  /** Null until somebody has written them. */
  lines: string | null;
}

/** The head that goes to a backend: origin-form target, fields ready to send (Host included, no connection-specific fields). */
export interface UpstreamHead {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly scheme: 'http' | 'https';
  readonly fields: Fields;
  readonly protocol: '' | 'websocket';
  readonly bodyLength: number;
  /** Not on a connection that was used before: the last try met one that had just been closed, and its like would be too. */
  readonly fresh?: boolean;
  /** What `fields` begins with, when it was sent before. */
  readonly known?: KnownFields | null;
}

export interface AnswerHead {
  readonly status: number;
  /** As received from the backend adapter with connection-specific fields removed. */
  readonly fields: Fields;
  /** Of fields that may come again on the backend's connection: the same for as long as they are the same. */
  readonly memo?: FieldsMemo | null;
  /** These fields, when they were sent before. */
  readonly known?: KnownFields | null;
}

/** One request of a client: implemented by http1/ and http2/, driven by the story. */
export interface Incoming {
  readonly connection: ClientConnection;
  readonly head: RequestHead;
  /** Once, in the call that brings the Incoming: who hears the body and the client's fate. */
  listen(sink: RequestSink): void;
  /** Sends 100 (Continue). */
  continue(): void;
  pause(): void;
  resume(): void;
  informational(head: AnswerHead): void;
  /** The final head. `bodyless` when no body follows whatever the fields say (HEAD, 204, 304). */
  answer(head: AnswerHead, bodyless: boolean): void;
  write(chunk: Uint8Array): boolean;
  end(trailers?: Fields): void;
  /** Cuts: RST_STREAM or a closed connection, so that the client never takes a part for the whole. */
  abort(reason: Reason): void;
  /** The connection closes after this answer (HTTP/1.1) or gets a GOAWAY (HTTP/2). Call before `answer`. */
  closeAfter(): void;
  /** Accepts the WebSocket: 101 or 200 with these fields; from then on the bytes are the caller's. Only when head.protocol is set. */
  tunnel(fields: Fields): { readonly socket: Duplex; readonly rest: Uint8Array };
}

export interface RequestSink {
  data(chunk: Uint8Array): void;
  end(trailers?: Fields): void;
  /** What was written has drained. */
  drained(): void;
  /** The client left, or broke the protocol in mid-body, or was too slow: the exchange is over. */
  gone(reason: Reason): void;
  /** The whole answer has been handed to the kernel. Comes after Incoming.end, unless `gone` does. */
  sent(): void;
}

/** What listeners hand every request to. */
export interface RequestHandler {
  request(incoming: Incoming): void;
  /** A request that was refused before it became one (malformed, too large, too slow), already answered: for log and count. */
  refused(connection: ClientConnection, reason: Reason, status: number): void;
}

/** One backend as the data plane reaches it: its connection pool. */
export interface Upstream {
  open(head: UpstreamHead, sink: AnswerSink): Outgoing;
  /** Takes no new requests; closes idle connections; the others when they fall idle. */
  close(): void;
  /** Open connections, for the metrics. */
  readonly connections: number;
}

/** The request side of one attempt. */
export interface Outgoing {
  write(chunk: Uint8Array): boolean;
  end(trailers?: Fields): void;
  /** Stop and go for the answer. */
  pause(): void;
  resume(): void;
  abort(reason: Reason): void;
}

/** The answer side of one attempt. */
export interface AnswerSink {
  informational(head: AnswerHead): void;
  head(head: AnswerHead): void;
  data(chunk: Uint8Array): void;
  /** The request body may flow again. */
  writable(): void;
  end(trailers?: Fields): void;
  /** 101 or an accepted CONNECT: the bytes are the caller's from now on. */
  upgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void;
  /** `sent`: the backend may have begun to process the request. False only when that is certain not to be so. */
  fail(reason: Reason, sent: boolean): void;
}
