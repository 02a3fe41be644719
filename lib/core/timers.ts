// Coarse timers for the data plane: thousands of time-outs, nearly all cancelled or refreshed, on one system timer.
//
// A hashed timing wheel (Varghese and Lauck 1987). Every wheel slot is a circular doubly linked list whose sentinel is
// the node with the slot's number; one more list holds what is due right now. Nodes live in parallel typed arrays.
//
//   sentinels  0 … SLOTS-1   wheel: a timer stands in slot (tick of its deadline) mod SLOTS
//              SLOTS         due: unlinked from the wheel, not yet called
//   nodes      SLOTS+1 …     timers; free ones are chained through `next`
//
// Why a wheel and not a list per duration: gRPC deadlines come in any length, and a list for each would be unbounded.
// Trade-off: a timer fires up to `resolutionMs` late (never early), and one longer than a turn of the wheel is looked at
// once per turn.

import type { Clock } from './clock.ts';

const SLOTS = 512;
const DUE = SLOTS;
const FIRST_NODE = SLOTS + 1;
const INITIAL_NODES = 1024;
/** Handles are generation × INDEX_SPAN + index, exact in a double for 2^32 uses of each of 2^20 nodes. */
const INDEX_SPAN = 2 ** 20;

export interface TimerTarget {
  onTimeout(tag: number): void;
}

/** Names one start of one timer. A stale handle is harmless: nodes are reused, handles are not. */
export type TimerHandle = number;

/** Fires each timer once, not before its time and at most `resolutionMs` (plus what the event loop is late) after. */
export class CoarseTimers {
  readonly #clock: Clock;
  readonly #resolutionMs: number;
  #next = new Int32Array(FIRST_NODE + INITIAL_NODES);
  #previous = new Int32Array(FIRST_NODE + INITIAL_NODES);
  #generation = new Uint32Array(FIRST_NODE + INITIAL_NODES);
  #tag = new Float64Array(FIRST_NODE + INITIAL_NODES);
  #ms = new Float64Array(FIRST_NODE + INITIAL_NODES);
  #dueMs = new Float64Array(FIRST_NODE + INITIAL_NODES);
  readonly #target: (TimerTarget | null)[] = [];
  #free = 0;
  #active = 0;
  /** The last tick whose slot was looked at. */
  #tick = 0;
  #armed: Disposable | null = null;
  /** One function for the life of the object: re-arming allocates no closure. */
  readonly #onTick = (): void => this.#turn();

  constructor(clock: Clock, resolutionMs = 50) {
    this.#clock = clock;
    this.#resolutionMs = resolutionMs;
    for (let sentinel = 0; sentinel <= DUE; sentinel++) {
      this.#next[sentinel] = sentinel;
      this.#previous[sentinel] = sentinel;
    }
    this.#chainFree(FIRST_NODE, this.#next.length);
  }

  /** Timers running. */
  get active(): number {
    return this.#active;
  }

  /** Calls `target.onTimeout(tag)` once after `ms`. */
  start(ms: number, target: TimerTarget, tag = 0): TimerHandle {
    const now = this.#clock.monotonicMs();
    if (this.#free === 0) this.#grow();
    const node = this.#free;
    this.#free = this.#next[node]!;
    this.#ms[node] = ms;
    this.#dueMs[node] = now + ms;
    this.#tag[node] = tag;
    this.#target[node - FIRST_NODE] = target;
    this.#active += 1;
    if (this.#armed === null) {
      // Nothing ran, so nothing stands in the slots that went by.
      this.#tick = Math.floor(now / this.#resolutionMs);
      this.#arm(now);
    }
    this.#link(node, this.#slotOf(now + ms));
    return this.#generation[node]! * INDEX_SPAN + node;
  }

  /** Runs the timer anew, for as long as at first or for `newMs`. False when it has fired or was cancelled. */
  refresh(handle: TimerHandle, newMs?: number): boolean {
    const node = this.#nodeOf(handle);
    if (node === 0) return false;
    if (newMs !== undefined) this.#ms[node] = newMs;
    const ms = this.#ms[node]!;
    const dueMs = this.#clock.monotonicMs() + ms;
    // A later deadline needs no move: the old slot finds it not yet due and passes it on. This is the common case.
    const earlier = dueMs < this.#dueMs[node]!;
    this.#dueMs[node] = dueMs;
    if (earlier) {
      this.#unlink(node);
      this.#link(node, this.#slotOf(dueMs));
    }
    return true;
  }

  /** False when it has fired or was cancelled before. */
  cancel(handle: TimerHandle): boolean {
    const node = this.#nodeOf(handle);
    if (node === 0) return false;
    this.#release(node);
    return true;
  }

  #turn(): void {
    // Armed before anything is called: a target may throw, or start another timer.
    const now = this.#clock.monotonicMs();
    this.#armed = null;
    if (this.#active > 0) this.#arm(now);
    const last = Math.floor(now / this.#resolutionMs);
    // After a long stall one look at every slot is enough.
    for (let tick = Math.max(this.#tick + 1, last - SLOTS + 1); tick <= last; tick++)
      this.#sort(tick % SLOTS, now);
    this.#tick = last;
    this.#fire();
  }

  /** To the beginning of the next tick, in whole milliseconds: the system's timers round down, and half a tick too early is a turn for nothing. */
  #arm(now: number): void {
    const nextMs = (Math.floor(now / this.#resolutionMs) + 1) * this.#resolutionMs;
    this.#armed = this.#clock.after(Math.ceil(nextMs - now), this.#onTick);
  }

  /** Moves what is due to the due list, what was refreshed to its new slot; leaves what waits for a later turn. */
  #sort(slot: number, now: number): void {
    let node = this.#next[slot]!;
    while (node !== slot) {
      const following = this.#next[node]!;
      const dueMs = this.#dueMs[node]!;
      const home = dueMs <= now ? DUE : this.#slotOf(dueMs);
      if (home !== slot) {
        this.#unlink(node);
        this.#link(node, home);
      }
      node = following;
    }
  }

  /** The due list is a list like the others, so a target may cancel or refresh whatever else is due. */
  #fire(): void {
    for (let node = this.#next[DUE]!; node !== DUE; node = this.#next[DUE]!) {
      const dueMs = this.#dueMs[node]!;
      if (dueMs > this.#clock.monotonicMs()) {
        this.#unlink(node);
        this.#link(node, this.#slotOf(dueMs)); // refreshed by a target that was called before it
        continue;
      }
      const target = this.#target[node - FIRST_NODE]!;
      const tag = this.#tag[node]!;
      this.#release(node);
      target.onTimeout(tag);
    }
  }

  /** The first tick at or after the deadline, and not one that was looked at already. */
  #slotOf(dueMs: number): number {
    return Math.max(Math.ceil(dueMs / this.#resolutionMs), this.#tick + 1) % SLOTS;
  }

  #nodeOf(handle: TimerHandle): number {
    const node = handle % INDEX_SPAN;
    if (node < FIRST_NODE || this.#target[node - FIRST_NODE] == null) return 0;
    return this.#generation[node]! * INDEX_SPAN + node === handle ? node : 0;
  }

  #link(node: number, sentinel: number): void {
    const last = this.#previous[sentinel]!;
    this.#next[last] = node;
    this.#previous[node] = last;
    this.#next[node] = sentinel;
    this.#previous[sentinel] = node;
  }

  #unlink(node: number): void {
    const before = this.#previous[node]!;
    const after = this.#next[node]!;
    this.#next[before] = after;
    this.#previous[after] = before;
  }

  #release(node: number): void {
    this.#unlink(node);
    this.#target[node - FIRST_NODE] = null;
    this.#generation[node]! += 1;
    this.#next[node] = this.#free;
    this.#free = node;
    this.#active -= 1;
  }

  #chainFree(from: number, to: number): void {
    for (let node = from; node < to; node++) {
      this.#next[node] = node + 1 < to ? node + 1 : 0;
      this.#target[node - FIRST_NODE] = null;
    }
    this.#free = from;
  }

  #grow(): void {
    const before = this.#next.length;
    const after = FIRST_NODE + 2 * (before - FIRST_NODE);
    if (after > INDEX_SPAN) throw new RangeError('more than half a million coarse timers at once');
    this.#next = grown(this.#next, after);
    this.#previous = grown(this.#previous, after);
    this.#generation = grown(this.#generation, after);
    this.#tag = grown(this.#tag, after);
    this.#ms = grown(this.#ms, after);
    this.#dueMs = grown(this.#dueMs, after);
    this.#chainFree(before, after);
  }
}

function grown<T extends Int32Array | Uint32Array | Float64Array>(old: T, length: number): T {
  const larger = new (old.constructor as new (length: number) => T)(length);
  larger.set(old);
  return larger;
}
