// The live tunnels of one worker: listed for operators and planners, moved by order, moved or ended one after the other
// when their backend or this process leaves.

import { type Clock, every } from '../../core/clock.ts';
import type {
  ConnectionReport,
  TunnelActivity,
  TunnelEnding,
  TunnelMove,
  TunnelMoved,
} from '../../orders/messages.ts';
import { Entry, type TunnelFacts } from './entry.ts';
import { SERVICE_RESTART } from './frames.ts';
import type { LiveTunnel } from './live-tunnel.ts';

/** Some backends' tunnels, or all, leaving at one pace; the credit is what the pace has allowed and not yet been used. */
interface Leaving {
  readonly slots: readonly number[] | 'all';
  readonly spared: readonly number[];
  readonly perSecond: number;
  credit: number;
}

const TICK_MS = 20;
/** The planner orders so often. */
const ORDERS_EVERY_MS = 250;
/** Moves that end together are told together. */
const TELL_AFTER_MS = 5;

export class TunnelRegistry {
  readonly #clock: Clock;
  readonly #row: number;
  readonly #live = new Map<string, Entry>();
  /** By backend, those that have not been told to end. */
  readonly #staying = new Map<number, Set<Entry>>();
  #leaving: readonly Leaving[] = [];
  #everyone: Leaving | null = null;
  /** Moves to be begun. */
  readonly #orders: TunnelMove[] = [];
  #ordersPerTick = 0;
  #ordersCredit = 0;
  #timer: Disposable | null = null;
  #next = 1;
  #moved: TunnelMoved[] = [];
  #telling: Disposable | null = null;
  #onMoved: (moves: readonly TunnelMoved[]) => void = () => {};
  #watch: Disposable | null = null;

  constructor(clock: Clock, row: number) {
    this.#clock = clock;
    this.#row = row;
  }

  get size(): number {
    return this.#live.size;
  }

  add(tunnel: LiveTunnel, facts: TunnelFacts): void {
    const sequence = this.#next++;
    const id = `${this.#row}-${sequence}`;
    const entry = new Entry(id, sequence, facts, tunnel, this.#clock.monotonicMs());
    this.#live.set(id, entry);
    this.#stay(entry);
    tunnel.onMoved((move, slot) => {
      const from = entry.backend;
      entry.moving = false;
      if (move.result === 'failed') entry.failed = true;
      else this.#settle(entry, move.to, slot);
      const { result, to, holdMs, why } = move;
      this.#tell({ id, from, to, result, holdMs, reason: why });
    });
    tunnel.onClose(() => {
      this.#live.delete(id);
      this.#unstay(entry);
    });
  }

  /** Sessions of the SDK that have a connection to this backend. */
  sessionsOn(slot: number): readonly string[] {
    const sessions: string[] = [];
    for (const { facts, slot: at } of this.#live.values())
      if (at === slot && facts.session !== '') sessions.push(facts.session);
    return sessions;
  }

  list(limit: number): ConnectionReport[] {
    const reports: ConnectionReport[] = [];
    const nowMs = this.#clock.monotonicMs();
    for (const entry of this.#live.values()) {
      if (reports.length >= limit) break;
      reports.push(entry.report(nowMs));
    }
    return reports;
  }

  /** Ends one by its id; false when there is none. */
  end(id: string): boolean {
    const entry = this.#live.get(id);
    if (entry !== undefined) this.#end(entry);
    return entry !== undefined;
  }

  /** One listener: hears of moves, ordered or not. */
  onMoved(listener: (moves: readonly TunnelMoved[]) => void): void {
    this.#onMoved = listener;
  }

  /** What can wait is begun evenly until the next orders come: moves that begin together hold their clients longer. */
  move(moves: readonly TunnelMove[]): void {
    const urgent = moves.filter(({ reason }) => reason === 'failover');
    this.#begin(moves.length === 1 ? moves : urgent);
    if (moves.length > 1) this.#orders.push(...moves.filter(({ reason }) => reason !== 'failover'));
    this.#ordersPerTick = (this.#orders.length * TICK_MS) / ORDERS_EVERY_MS;
    this.#wind();
  }

  #begin(moves: readonly TunnelMove[]): void {
    for (const { id, to, reason } of moves) {
      const entry = this.#live.get(id);
      const fail = (why: string): void =>
        this.#tell({
          id,
          from: entry?.backend ?? '',
          to: to ?? '',
          result: 'failed',
          holdMs: 0,
          reason: why,
        });
      if (entry === undefined) fail('there is no such connection');
      else if (entry.facts.reconnects) {
        this.#end(entry);
        this.#tell({ id, from: entry.backend, to: to ?? '', result: 'ended', holdMs: 0, reason });
      } else if (!this.#move(entry, to, reason)) fail(entry.whyNotMovable);
    }
  }

  /** Calls `tell` so often with what every tunnel did since the time before; 0 ends it. */
  watch(everyMs: number, tell: (activity: TunnelActivity) => void): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = everyMs === 0 ? null : every(this.#clock, everyMs, () => tell(this.activity()));
  }

  /** Since the last call. */
  activity(): TunnelActivity {
    const { size } = this.#live;
    const nowMs = this.#clock.monotonicMs();
    const activity = {
      sequences: new Float64Array(size),
      slots: new Int32Array(size),
      bytes: new Float64Array(size),
      messages: new Float64Array(size),
      ageMs: new Float64Array(size),
      movable: new Uint8Array(size),
    };
    let row = 0;
    for (const entry of this.#live.values()) entry.write(activity, row++, nowMs);
    return activity;
  }

  /** Which backends' tunnels leave, at which pace: the whole truth each time, so that an undrain ends an ending. */
  endSlots(endings: readonly TunnelEnding[]): void {
    const before = this.#leaving;
    this.#leaving = endings.map(({ slots, spared, perSecond }) => {
      const same = before.find(one => one.slots !== 'all' && one.slots.includes(slots[0]!));
      return { slots, spared, perSecond, credit: same?.credit ?? 0 };
    });
    this.#wind();
  }

  /** Ends them all. */
  endAll(perSecond: number): void {
    this.#everyone = { slots: 'all', spared: [], perSecond, credit: 0 };
    this.#wind();
  }

  destroyAll(): number {
    const cut = this.#live.size;
    for (const { tunnel } of this.#live.values()) tunnel.destroy();
    return cut;
  }

  get #idle(): boolean {
    return this.#everyone === null && this.#leaving.length === 0 && this.#orders.length === 0;
  }

  #wind(): void {
    if (this.#timer === null && !this.#idle) this.#tick();
  }

  /** A steady trickle: clients that come back all at once are what a drain must not cause. */
  #tick(): void {
    this.#timer = null;
    if (this.#idle) return;
    for (const group of this.#leaving) this.#advance(group);
    if (this.#everyone !== null) this.#advance(this.#everyone);
    this.#ordersCredit = Math.min(this.#ordersCredit + this.#ordersPerTick, this.#orders.length);
    this.#begin(this.#orders.splice(0, Math.floor(this.#ordersCredit)));
    this.#ordersCredit %= 1;
    this.#timer = this.#clock.after(TICK_MS, () => this.#tick());
  }

  #advance(group: Leaving): void {
    group.credit += (group.perSecond * TICK_MS) / 1000;
    const slots = group.slots === 'all' ? [...this.#staying.keys()] : group.slots;
    for (const slot of slots) {
      for (const entry of this.#staying.get(slot) ?? []) {
        if (group.credit < 1) return;
        if (this.#leave(entry, group)) group.credit -= 1;
      }
    }
    // A pace is not saved up for those that come later.
    group.credit = Math.min(group.credit, 1);
  }

  /** True when it does; one that is being moved already is waited for. */
  #leave(entry: Entry, group: Leaving): boolean {
    if (entry.moving || (entry.plannable && group.spared.includes(entry.slot))) return false;
    // Nowhere else keeps its client connected when this process is what leaves; and one that could not be moved has to end.
    const may = group.slots !== 'all' && !entry.failed;
    if (!may || !this.#move(entry, null, 'its backend leaves')) this.#end(entry);
    return true;
  }

  #move(entry: Entry, to: string | null, why: string): boolean {
    entry.moving = entry.tunnel.move(to, why);
    return entry.moving;
  }

  #end(entry: Entry): void {
    this.#unstay(entry);
    entry.ended = true;
    entry.tunnel.end(SERVICE_RESTART);
  }

  #settle(entry: Entry, backend: string, slot: number): void {
    const stayed = this.#staying.get(entry.slot)?.has(entry) === true;
    this.#unstay(entry);
    entry.arrived(backend, slot);
    if (stayed) this.#stay(entry);
  }

  #stay(entry: Entry): void {
    const staying = this.#staying.get(entry.slot) ?? new Set();
    this.#staying.set(entry.slot, staying.add(entry));
  }

  #unstay(entry: Entry): void {
    const staying = this.#staying.get(entry.slot);
    if (staying?.delete(entry) && staying.size === 0) this.#staying.delete(entry.slot);
  }

  #tell(moved: TunnelMoved): void {
    this.#moved.push(moved);
    this.#telling ??= this.#clock.after(TELL_AFTER_MS, () => {
      const moves = this.#moved;
      this.#moved = [];
      this.#telling = null;
      this.#onMoved(moves);
    });
  }
}
