// The live tunnels of one worker: listed for operators, ended one after the other when their backend leaves.

import type { Clock } from '../../core/clock.ts';
import type { ConnectionReport } from '../../orders/messages.ts';
import type { LiveTunnel } from './live-tunnel.ts';

/** What is known of a tunnel when it opens. */
export interface TunnelFacts {
  readonly client: string;
  readonly route: string;
  readonly cluster: string;
  readonly backend: string;
  readonly slot: number;
}

interface Entry {
  readonly id: string;
  readonly facts: TunnelFacts;
  readonly tunnel: LiveTunnel;
  readonly sinceMs: number;
}

/** RFC 6455, section 7.4.1 and the IANA registry: 1012 Service Restart, the client should come back with a delay. */
const SERVICE_RESTART = 1012;
const TICK_MS = 100;

export class TunnelRegistry {
  readonly #clock: Clock;
  readonly #row: number;
  readonly #live = new Map<string, Entry>();
  /** To be ended, in order; those that end by themselves meanwhile drop out. */
  readonly #leaving = new Set<Entry>();
  #perSecond = 0;
  #credit = 0;
  #timer: Disposable | null = null;
  #next = 1;

  constructor(clock: Clock, row: number) {
    this.#clock = clock;
    this.#row = row;
  }

  get size(): number {
    return this.#live.size;
  }

  add(tunnel: LiveTunnel, facts: TunnelFacts): void {
    const id = `${this.#row}-${this.#next++}`;
    const entry: Entry = { id, facts, tunnel, sinceMs: this.#clock.monotonicMs() };
    this.#live.set(id, entry);
    tunnel.onClose(() => {
      this.#live.delete(id);
      this.#leaving.delete(entry);
    });
  }

  list(limit: number): ConnectionReport[] {
    const reports: ConnectionReport[] = [];
    for (const { id, facts, tunnel, sinceMs } of this.#live.values()) {
      if (reports.length >= limit) break;
      const ageMs = Math.round(this.#clock.monotonicMs() - sinceMs);
      reports.push({
        id,
        protocol: 'websocket',
        ...facts,
        ageMs,
        bytesIn: tunnel.bytesIn,
        bytesOut: tunnel.bytesOut,
      });
    }
    return reports;
  }

  /** Ends one by its id; false when there is none. */
  end(id: string): boolean {
    const entry = this.#live.get(id);
    entry?.tunnel.end(SERVICE_RESTART);
    return entry !== undefined;
  }

  /** Ends the tunnels to these backends, `perSecond` a second; said again, it goes on at the new pace. */
  endSlots(slots: ReadonlySet<number>, perSecond: number): void {
    this.#endWhere(entry => slots.has(entry.facts.slot), perSecond);
  }

  /** Ends them all. */
  endAll(perSecond: number): void {
    this.#endWhere(() => true, perSecond);
  }

  destroyAll(): number {
    const cut = this.#live.size;
    for (const { tunnel } of this.#live.values()) tunnel.destroy();
    return cut;
  }

  #endWhere(leaves: (entry: Entry) => boolean, perSecond: number): void {
    for (const entry of this.#live.values()) if (leaves(entry)) this.#leaving.add(entry);
    this.#perSecond = perSecond;
    if (this.#timer === null && this.#leaving.size > 0) this.#tick();
  }

  /** A steady trickle: clients that come back all at once are what a drain must not cause. */
  #tick(): void {
    this.#timer = null;
    this.#credit += (this.#perSecond * TICK_MS) / 1000;
    for (const entry of this.#leaving) {
      if (this.#credit < 1) break;
      this.#credit -= 1;
      this.#leaving.delete(entry);
      entry.tunnel.end(SERVICE_RESTART);
    }
    if (this.#leaving.size > 0) this.#timer = this.#clock.after(TICK_MS, () => this.#tick());
    else this.#credit = 0;
  }
}
