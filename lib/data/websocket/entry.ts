// One live tunnel as the registry holds it: what it is known by, where it is now, and what was told of it.

import type { ConnectionReport, TunnelActivity } from '../../orders/messages.ts';
import type { LiveTunnel } from './live-tunnel.ts';

/** What is known of a tunnel when it opens. */
export interface TunnelFacts {
  readonly client: string;
  readonly route: string;
  readonly cluster: string;
  readonly backend: string;
  readonly slot: number;
  /** To move it is to end it: its client comes again (1012). */
  readonly reconnects: boolean;
  /** Id of the lease by which its client opened it; empty without one. */
  readonly session: string;
}

export class Entry {
  readonly id: string;
  readonly facts: TunnelFacts;
  readonly tunnel: LiveTunnel;
  backend: string;
  slot: number;
  /** A move that the registry began has not ended. */
  moving = false;
  /** It was told to end. */
  ended = false;
  /** It was to be moved from where it is, and could not. */
  failed = false;
  readonly #sequence: number;
  readonly #sinceMs: number;
  #bytesTold = 0;
  #messagesTold = 0;

  constructor(id: string, sequence: number, facts: TunnelFacts, tunnel: LiveTunnel, nowMs: number) {
    this.id = id;
    this.#sequence = sequence;
    this.facts = facts;
    this.tunnel = tunnel;
    this.backend = facts.backend;
    this.slot = facts.slot;
    this.#sinceMs = nowMs;
  }

  get whyNotMovable(): string {
    return this.moving
      ? 'it is being moved already'
      : 'it is on a route whose connections stay, or is closing';
  }

  /** Whoever plans may send it elsewhere, be it by telling its client to come again. */
  get plannable(): boolean {
    return this.tunnel.movable || (this.facts.reconnects && !this.ended);
  }

  arrived(backend: string, slot: number): void {
    this.backend = backend;
    this.slot = slot;
    this.failed = false;
  }

  report(nowMs: number): ConnectionReport {
    const { client, route, cluster } = this.facts;
    const { id, backend, slot } = this;
    const { bytesIn, bytesOut, movable } = this.tunnel;
    const ageMs = Math.round(nowMs - this.#sinceMs);
    return {
      ...{ id, protocol: 'websocket', client, route, cluster, backend, slot },
      ...{ ageMs, movable, bytesIn, bytesOut },
    };
  }

  /** Into row `row` of the columns; what is told counts from then on. */
  write(into: TunnelActivity, row: number, nowMs: number): void {
    const { tunnel } = this;
    const bytes = tunnel.bytesIn + tunnel.bytesOut;
    const { messages } = tunnel;
    into.sequences[row] = this.#sequence;
    into.slots[row] = this.slot;
    into.bytes[row] = bytes - this.#bytesTold;
    into.messages[row] = messages - this.#messagesTold;
    into.ageMs[row] = nowMs - this.#sinceMs;
    into.movable[row] = this.plannable ? 1 : 0;
    this.#bytesTold = bytes;
    this.#messagesTold = messages;
  }
}
