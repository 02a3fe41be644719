// The live tunnels of one worker: listed for operators, ended one after the other when their backend or this process leaves.

import type { Clock } from '../../core/clock.ts';
import type { ConnectionReport, TunnelEnding } from '../../orders/messages.ts';
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

/** Some backends' tunnels, or all, leaving at one pace; the credit is what the pace has allowed and not yet been used. */
interface Leaving {
  readonly slots: readonly number[] | 'all';
  readonly perSecond: number;
  credit: number;
}

/** IANA's registry of RFC 6455 close codes: the service restarts, the client should come back after a random delay. */
const SERVICE_RESTART = 1012;
const TICK_MS = 100;

export class TunnelRegistry {
  readonly #clock: Clock;
  readonly #row: number;
  readonly #live = new Map<string, Entry>();
  /** By backend, those that have not been told to end. */
  readonly #staying = new Map<number, Set<Entry>>();
  #leaving: readonly Leaving[] = [];
  #everyone: Leaving | null = null;
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
    const staying = this.#staying.get(facts.slot) ?? new Set();
    this.#staying.set(facts.slot, staying.add(entry));
    tunnel.onClose(() => {
      this.#live.delete(id);
      this.#unstay(entry);
    });
  }

  list(limit: number): ConnectionReport[] {
    const reports: ConnectionReport[] = [];
    for (const { id, facts, tunnel, sinceMs } of this.#live.values()) {
      if (reports.length >= limit) break;
      const ageMs = Math.round(this.#clock.monotonicMs() - sinceMs);
      const { bytesIn, bytesOut } = tunnel;
      reports.push({ id, protocol: 'websocket', ...facts, ageMs, bytesIn, bytesOut });
    }
    return reports;
  }

  /** Ends one by its id; false when there is none. */
  end(id: string): boolean {
    const entry = this.#live.get(id);
    if (entry !== undefined) this.#end(entry);
    return entry !== undefined;
  }

  /** Which backends' tunnels leave, at which pace: the whole truth each time, so that an undrain ends an ending. */
  endSlots(endings: readonly TunnelEnding[]): void {
    const before = this.#leaving;
    this.#leaving = endings.map(({ slots, perSecond }) => {
      const same = before.find(one => one.slots !== 'all' && one.slots.includes(slots[0]!));
      return { slots, perSecond, credit: same?.credit ?? 0 };
    });
    this.#wind();
  }

  /** Ends them all. */
  endAll(perSecond: number): void {
    this.#everyone = { slots: 'all', perSecond, credit: 0 };
    this.#wind();
  }

  destroyAll(): number {
    const cut = this.#live.size;
    for (const { tunnel } of this.#live.values()) tunnel.destroy();
    return cut;
  }

  #wind(): void {
    if (this.#timer === null && (this.#everyone !== null || this.#leaving.length > 0)) this.#tick();
  }

  /** A steady trickle: clients that come back all at once are what a drain must not cause. */
  #tick(): void {
    this.#timer = null;
    if (this.#everyone === null && this.#leaving.length === 0) return;
    for (const group of this.#leaving) this.#advance(group);
    if (this.#everyone !== null) this.#advance(this.#everyone);
    this.#timer = this.#clock.after(TICK_MS, () => this.#tick());
  }

  #advance(group: Leaving): void {
    group.credit += (group.perSecond * TICK_MS) / 1000;
    const slots = group.slots === 'all' ? [...this.#staying.keys()] : group.slots;
    for (const slot of slots) {
      for (const entry of this.#staying.get(slot) ?? []) {
        if (group.credit < 1) return;
        group.credit -= 1;
        this.#end(entry);
      }
    }
    // A pace is not saved up for those that come later.
    group.credit = Math.min(group.credit, 1);
  }

  #end(entry: Entry): void {
    this.#unstay(entry);
    entry.tunnel.end(SERVICE_RESTART);
  }

  #unstay(entry: Entry): void {
    const staying = this.#staying.get(entry.facts.slot);
    if (staying?.delete(entry) && staying.size === 0) this.#staying.delete(entry.facts.slot);
  }
}
