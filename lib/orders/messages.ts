// The messages between the three kinds of thread. Data plane and control plane know each other by these alone.

import type { MessagePort } from 'node:worker_threads';
import type { ProxyConfig } from '../config/proxy.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Scoreboard } from '../scoreboard/layout.ts';
import type { Explained, ExplainQuestion } from './explained.ts';
import type { LeaseOrder, LeaseReport } from './leases.ts';
import type { Snapshot } from './snapshot.ts';

/** A live tunnel or long request, as `status` and the admin API list it. */
export interface ConnectionReport {
  /** `worker-sequence`; unique within this process. */
  readonly id: string;
  readonly protocol: 'websocket' | 'grpc' | 'http';
  readonly client: string;
  readonly route: string;
  readonly cluster: string;
  readonly backend: string;
  readonly slot: number;
  readonly ageMs: number;
  /** It can go to another backend now, with its client connected. */
  readonly movable: boolean;
  /** From the client and to the client. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Tunnels of these slots end, `perSecond` a second; one that can still be moved goes to any other backend instead. */
export interface TunnelEnding {
  readonly slots: readonly number[];
  readonly perSecond: number;
  /** Of `slots` those whose movable tunnels stay: the planner of sessions says when and where they go. */
  readonly spared: readonly number[];
}

export interface TunnelMove {
  /** Of its report. */
  readonly id: string;
  /** Backend of its cluster; null for any other. */
  readonly to: string | null;
  readonly reason: string;
}

/** The WebSocket of a session went from one backend to another; the session's requests are to follow. */
export interface LeaseFollowed {
  readonly cluster: string;
  /** Id of the lease that came with its handshake. */
  readonly lease: string;
  readonly from: string;
  readonly to: string;
}

/** How a move ended, ordered or not. */
export interface TunnelMoved {
  readonly id: string;
  readonly from: string;
  /** Where it is now, or was to be. */
  readonly to: string;
  /**
   * moved: all that the old backend sent before its Close came first. unclean: it died or was cut without one. ended: the
   * client was told to come again, as its route wants. failed: it is where it was, or over.
   */
  readonly result: 'moved' | 'unclean' | 'ended' | 'failed';
  /** How long the client was held. */
  readonly holdMs: number;
  readonly reason: string;
}

/** All tunnels of one worker, a row each: column by column, since there may be many and they are told often. */
export interface TunnelActivity {
  /** `ROW-sequence` is the id of its report. */
  readonly sequences: Float64Array;
  readonly slots: Int32Array;
  /** Both ways, since the batch before. */
  readonly bytes: Float64Array;
  readonly messages: Float64Array;
  readonly ageMs: Float64Array;
  readonly movable: Uint8Array;
}

/** Control → worker, on the port between them. */
export type Order =
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  /** Answered by `connections` with the same `requestId`. */
  | { readonly kind: 'list-connections'; readonly requestId: number; readonly limit: number }
  /** Answered by `explained` with the same `requestId`. */
  | { readonly kind: 'explain'; readonly requestId: number; readonly question: ExplainQuestion }
  /** The tunnels that are to leave, all of them each time: what is not named any more stays. */
  | { readonly kind: 'end-tunnels'; readonly endings: readonly TunnelEnding[] }
  /** Move these; each is answered in a `tunnels-moved`. */
  | { readonly kind: 'move-tunnels'; readonly moves: readonly TunnelMove[] }
  /** Requests of these sessions go where their WebSocket is. */
  | { readonly kind: 'leases-followed'; readonly moves: readonly LeaseFollowed[] }
  /** Tell `tunnel-activity` this often; 0 not any more. */
  | { readonly kind: 'watch-tunnels'; readonly everyMs: number }
  /** Close one connection by its report's id. */
  | { readonly kind: 'end-connection'; readonly id: string }
  /** The access log was rotated. */
  | { readonly kind: 'reopen-logs' }
  | LeaseOrder
  | { readonly kind: 'ack'; readonly upTo: number };

/** Worker → control, on the port between them. */
export type Report =
  | { readonly kind: 'applied'; readonly generation: number }
  | {
      readonly kind: 'connections';
      readonly requestId: number;
      readonly total: number;
      readonly items: readonly ConnectionReport[];
    }
  /** Null when the worker knows no such cluster. */
  | { readonly kind: 'explained'; readonly requestId: number; readonly explained: Explained | null }
  /** Also of moves that nobody ordered: a drain, a backend that died. */
  | { readonly kind: 'tunnels-moved'; readonly moves: readonly TunnelMoved[] }
  /** To be told to all other workers. */
  | { readonly kind: 'leases-followed'; readonly moves: readonly LeaseFollowed[] }
  | { readonly kind: 'tunnel-activity'; readonly activity: TunnelActivity }
  | LeaseReport
  | {
      readonly kind: 'spans';
      readonly sequence: number;
      readonly spans: readonly SpanRecord[];
      readonly dropped: number;
    };

/** A finished span, as a worker hands it over; times are Unix milliseconds with fractions. */
export interface SpanRecord {
  readonly kind: 'server' | 'client';
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  /** `tracestate` as received. */
  readonly traceState: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly error: boolean;
}

/** Supervisor → worker. */
export type WorkerCommand =
  /** The port to the (new) control thread comes with it. */
  | { readonly kind: 'control'; readonly port: MessagePort }
  /** Stop accepting at once and finish what is there; the worker reports `drained` when nothing is left, at the latest at the deadline. `idleMs`: how long an idle connection may still bring a request. */
  | {
      readonly kind: 'drain';
      readonly deadlineMs: number;
      readonly pacePerSecond: number;
      readonly idleMs: number;
    }
  /** Answered by `listening`. */
  | { readonly kind: 'list-sockets' };

/** Worker → supervisor. */
export type WorkerNotice =
  /** Answer to `list-sockets`. */
  | { readonly kind: 'listening'; readonly sockets: readonly ListeningSocket[] }
  /** The first snapshot is in use and every listener is bound. */
  | { readonly kind: 'ready'; readonly sockets: readonly ListeningSocket[] }
  | { readonly kind: 'listen-failed'; readonly address: string; readonly error: string }
  /** An exception that nobody caught; the thread ends. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** `cut`: connections that were closed because the deadline came. */
  | { readonly kind: 'drained'; readonly cut: number };

/** A bound listening socket: the process-wide file descriptor is what an upgrade hands on. */
export interface ListeningSocket {
  /** As configured; with `#2` and so on behind it where several listeners have the same (port 0). */
  readonly address: string;
  /** With port 0 the one that was given. */
  readonly port: number;
  readonly fd: number;
}

/** PEM texts by the files they were read from. */
export interface TlsTexts {
  readonly pairs: readonly {
    readonly certFile: string;
    readonly keyFile: string;
    readonly cert: string;
    readonly key: string;
  }[];
  readonly authorities: readonly { readonly file: string; readonly pem: string }[];
}

/** What is in use of the secrets that lie in files. */
export interface Secrets {
  readonly adminToken: string;
  /** The state directory's own. */
  readonly leaseSecret: Uint8Array;
}

/** Supervisor → control. */
export type ControlCommand =
  /** The shared memory, made after the first `configured`, with the directory whose lock is held. */
  | { readonly kind: 'board'; readonly board: Scoreboard; readonly stateDir: string }
  /** A (new) worker in this row, with the port to it. */
  | { readonly kind: 'worker'; readonly row: number; readonly port: MessagePort }
  | { readonly kind: 'worker-gone'; readonly row: number }
  /** All workers serve, on these addresses. */
  | {
      readonly kind: 'serving';
      readonly addresses: readonly { readonly address: string; readonly port: number }[];
    }
  | { readonly kind: 'listen-failed'; readonly address: string; readonly error: string }
  | { readonly kind: 'reload' }
  | {
      readonly kind: 'upgrade-result';
      readonly requestId: number;
      readonly pid?: number;
      readonly error?: string;
    }
  /** A successor is being started (or, `false`, could not be): what operators change now would be lost to it. */
  | { readonly kind: 'upgrading'; readonly on: boolean }
  /** The process is on its way out: not ready any more; with `successor` the admin port is left to it. */
  | { readonly kind: 'draining'; readonly successor: boolean }
  /** Flush and end. Answered by `stopped`. */
  | { readonly kind: 'stop' };

/** Control → supervisor. */
export type ControlNotice =
  /** The configuration was read and is valid; sent at first, after each reload, and by a thread that starts again once it has begun. The supervisor keeps it for a control thread that starts again while the files are bad. */
  | { readonly kind: 'configured'; readonly config: ProxyConfig }
  /** What the TLS files hold that are in use; kept likewise, in this process's memory alone. */
  | { readonly kind: 'tls-read'; readonly texts: TlsTexts }
  | { readonly kind: 'secrets-read'; readonly secrets: Partial<Secrets> }
  /** A snapshot of this generation went out; a successor of the control thread goes on from it. */
  | { readonly kind: 'published'; readonly generation: number }
  /** Nothing can be served: why, in a line for the operator. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly error: string }
  | { readonly kind: 'admin-listening'; readonly socket: ListeningSocket }
  | { readonly kind: 'upgrade'; readonly requestId: number }
  | { readonly kind: 'shutdown' }
  | { readonly kind: 'stopped' };

/** `workerData` of a worker thread. */
export interface WorkerBirth {
  readonly board: Scoreboard;
  readonly row: number;
  readonly workers: number;
  /** Inherited listening sockets for this worker, to be used instead of binding. */
  readonly inherited: readonly ListeningSocket[];
  /** Ports that were given for `:0`, by address as configured. */
  readonly ports: Readonly<Record<string, number>>;
  /** The ports must be nobody's yet. */
  readonly exclusive: boolean;
}

/** `workerData` of the control thread. */
export interface ControlBirth {
  readonly configPath: string;
  readonly workers: number | null;
  /** From a control thread that died; null in the first. */
  readonly inherited: {
    readonly config: ProxyConfig;
    readonly generation: number;
    readonly board: Scoreboard;
    readonly stateDir: string;
    readonly tls?: TlsTexts | undefined;
    readonly secrets: Partial<Secrets>;
    /** The start before failed on what the files say now: begin with `config`. */
    readonly distrustFiles: boolean;
  } | null;
  /** Inherited from the process before. */
  readonly adminSocket: ListeningSocket | null;
  /** Of the control thread before: where it was given a port for `:0`, that one is meant. */
  readonly adminPort: number | null;
  /** The process that is replaced holds the admin port until it is gone: traffic must not wait for that. */
  readonly takeover: boolean;
  readonly startedMs: number;
}
