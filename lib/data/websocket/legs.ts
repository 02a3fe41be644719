// How a relay gets another backend: asked of whoever knows the cluster; answered once, or called off.

import type { Duplex } from 'node:stream';

/** A connection to a backend that has accepted the WebSocket. */
export interface OpenLeg {
  readonly socket: Duplex;
  /** What was read beyond the handshake. */
  readonly rest: Uint8Array;
  /** The backend has agreed to finish what it has on notice, and to say Close then. */
  readonly cooperative: boolean;
  readonly backend: string;
  readonly slot: number;
}

export interface LegSource {
  /**
   * Opens a leg to `to`, or with null to any backend but the one in use and those that failed for this move. `done` hears once, not before this
   * returns: the leg, or why there is none. Disposing the result calls it off.
   */
  dial(to: string | null, done: (leg: OpenLeg | string) => void): Disposable;
  /** The leg opened last is the one in use. */
  switched(leg: OpenLeg): void;
  /** A move is over: what failed may be tried again. */
  settled(): void;
}

/** Of a route whose WebSockets may change their backend. */
export interface RelaySettings {
  readonly source: LegSource;
  readonly mode: 'overlap' | 'strict';
  readonly dialMs: number;
  readonly holdMs: number;
  readonly holdBytes: number;
}
