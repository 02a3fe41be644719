// What a listener and the two protocol adapters know of each other.

import type { Socket } from 'node:net';
import type { RequestLimits } from '../../config/proxy.ts';
import type { Clock } from '../../core/clock.ts';
import type { Log } from '../../core/log.ts';
import type { WorkerLedger } from '../../scoreboard/ports.ts';
import type { ClientConnection, RequestHandler } from '../ports.ts';

/** Shared by all sessions of a listener. `limits` is swapped by a reload and read anew at each use. */
export interface SessionEnv {
  limits: RequestLimits;
  /** While draining, how long a connection without a request may still bring one. */
  drainIdleMs: number;
  readonly handler: RequestHandler;
  readonly clock: Clock;
  readonly log: Log;
  readonly ledger: Pick<WorkerLedger, 'add'>;
  /** The connection is a tunnel from here on: its session need not be kept. */
  tunnelled(accepted: Accepted): void;
}

/** A connection that is ready to speak HTTP. `raw` is the TCP socket under `socket`, the same without TLS. */
export interface Accepted {
  readonly connection: ClientConnection;
  readonly socket: Socket;
  readonly raw: Socket;
}

/** One connection as its protocol sees it. It is over when its socket closes; nothing else needs to be told. */
export interface Session {
  /** Looks at every time-out; called a few times within the shortest of them. */
  sweep(nowMs: number): void;
  /** Finishes what runs and takes nothing new: the connection closes when it is idle. Idempotent. */
  drain(nowMs: number): void;
  /** Draining it makes its client come back at once (GOAWAY): told at a pace. */
  readonly paced: boolean;
  /** Tunnels (WebSockets) on it right now. */
  readonly tunnels: number;
  destroy(): void;
}

/** What a protocol adapter does for a listener. */
export interface Protocol {
  serve(accepted: Accepted): Session;
}

/** Bytes the kernel still holds for the peer; falls as the peer takes them, also in the middle of one write. */
export function unsentBytes(raw: Socket): number {
  const handle = (raw as unknown as { _handle?: { writeQueueSize?: number } | null })._handle;
  return handle?.writeQueueSize ?? 0;
}
