// What an application may say about its socket, with what holds when it says nothing.

import type { EnvelopeMaker } from './envelope.ts';
import type { Data } from './leg.ts';
import { type Platform, platform } from './platform.ts';

/** A connection that takes the place of another, before the application's messages go over it. */
export interface Resumption {
  /** `migration`: the one before still stands. `reconnect`: it is lost. */
  readonly cause: 'migration' | 'reconnect';
  /** Goes over the new connection, ahead of all that waits. */
  send(data: Data): void;
}

export interface LeasewayOptions {
  /** Where leases are given: origin, and prefix when there is one. Default: the origin of the URL. null: no leases, it only reconnects. */
  readonly service?: string | null;
  /** Says who this is, subscribes, joins again; what waits is sent when it has returned. Not with an envelope, which goes on where it was. */
  readonly resume?: (resumption: Resumption) => void | Promise<void>;
  /** Exactly-once, with a backend that plays its part: `envelope()`. */
  readonly envelope?: EnvelopeMaker;
  /** Which ends of a connection are no end of the conversation. Default: 1001, 1006 and 1011 to 1014. */
  readonly reconnectOn?: (code: number) => boolean;
  /** Tries in a row, with full jitter, before it gives up. Default 20. */
  readonly maxAttempts?: number;
  /** The first try waits for up to this. Default 250. */
  readonly retryBaseMs?: number;
  /** No try waits for longer. Default 15,000. */
  readonly retryCapMs?: number;
  /** What is sent while there is no connection waits, up to this. Default 1 MiB. */
  readonly maxHeldBytes?: number;
  /** Time, chance and network, for tests. */
  readonly platform?: Platform;
}

export const withDefaults = (options: LeasewayOptions) => ({
  reconnectOn: (code: number) => code === 1001 || code === 1006 || (code >= 1011 && code <= 1014),
  maxAttempts: 20,
  retryBaseMs: 250,
  retryCapMs: 15_000,
  maxHeldBytes: 1024 * 1024,
  platform,
  ...options,
});

export type Settings = ReturnType<typeof withDefaults>;
