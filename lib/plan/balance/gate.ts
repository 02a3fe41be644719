// Which backends take no new work for now, because a stall or a collapse is foreseen: prediction as a gate, not a summand.
//
// Judged once a tick per backend from signs that a real proxy can have, then settled for the cluster at once:
//   capacity   least share of its usual capacity foreseen over the horizon is under 30 %
//   memory     the watermark at which it paused before is near, see watermark.ts, and the open ones can do its work as well
//   load       its foreseen load is over max(threshold, the cluster's mean + above), and the open ones can do its work as well
//   stall      requests wait and none was answered for far longer than they take: not shut, but a last resort
// Each opens again at another value than it shuts at. Never more than half of a cluster is shut: were all, the gate would
// know nothing, and work must go somewhere.

import { Watermark } from './watermark.ts';

/** Open backends before those of last resort, those before shut ones. */
export const Standing = { open: 0, lastResort: 1, shut: 2 } as const;
export type Standing = (typeof Standing)[keyof typeof Standing];
export type GateReason = 'capacity' | 'memory' | 'load' | 'stall';

/** What is known of a backend at a tick. NaN where nothing is: no sign shuts nobody. */
export interface Signs {
  /** Least share of its usual capacity foreseen from now to the horizon, the present included; 1 is as usual. */
  readonly capacity: number;
  /** Its load foreseen at the horizon, at the quantile of the caller's choice, never below the present. */
  readonly load: number;
  /** The same on average over the cluster's backends. */
  readonly meanLoad: number;
  /** In use, of its limit, 0 to 1. */
  readonly memory: number;
  /** How long ago that was measured; a sample that repeats an older one carries that one's age. */
  readonly memoryAgeMs: number;
  /** For how long nothing was answered while requests waited, see `standstillMs`; of tunnels and streams nothing. */
  readonly oldestMs: number;
  /** How long a request usually takes there. */
  readonly usualMs: number;
}

export interface GateOptions {
  /** How far ahead the caller foresees. */
  readonly horizonMs: number;
  /** Of predicted load, see above. */
  readonly threshold: number;
  readonly above: number;
}

const GATE_DEFAULTS: GateOptions = { horizonMs: 1_000, threshold: 0.7, above: 0.2 };

/** Share of usual capacity: shuts under the first, opens over the second. From 15 to 50 % little changes. */
const COLLAPSED = 0.3;
const RECOVERED = 0.5;
/** Loads this far under their limit open again. */
const RELIEF = 0.05;
/** A request is stuck when it is older than this and than so many usual ones. */
const STUCK_MS = 150;
const STUCK_TIMES = 3;
const MOST_SHUT = 0.5;

/** One that waits alone may be a long request. */
const LEAST_WAITING = 2;

/** The sign of the oldest request, of how many wait and since when nothing was answered while some did. */
export const standstillMs = (waiting: number, silentMs: number): number =>
  waiting < LEAST_WAITING ? 0 : silentMs;

/** By the two signs of that name. */
export const isStuck = (oldestMs: number, usualMs: number): boolean =>
  oldestMs > Math.max(STUCK_MS, STUCK_TIMES * (Number.isNaN(usualMs) ? 0 : usualMs));

export class Gate {
  readonly #options: GateOptions;
  readonly #standing: Uint8Array;
  readonly #reasons: (GateReason | null)[];
  /** How sure: who is least so is opened first when too many are shut. */
  readonly #severity: Float64Array;
  readonly #watermarks: (Watermark | undefined)[];

  /** Slots are under `slots`. */
  constructor(slots: number, options: GateOptions = GATE_DEFAULTS) {
    this.#options = options;
    this.#standing = new Uint8Array(slots);
    this.#reasons = new Array<GateReason | null>(slots).fill(null);
    this.#severity = new Float64Array(slots);
    this.#watermarks = new Array<Watermark | undefined>(slots);
  }

  /** One backend's tick; `settle` when all of the cluster were judged. */
  judge(slot: number, signs: Signs, nowMs: number): void {
    const shutBy = this.#standing[slot] === Standing.shut ? this.#reasons[slot]! : null;
    const { capacity, load, meanLoad, oldestMs, usualMs } = signs;
    const { threshold, above, horizonMs } = this.#options;
    const stuck = isStuck(oldestMs, usualMs);
    const near = this.#nearsPause(slot, signs, stuck || capacity < COLLAPSED, nowMs, horizonMs);
    const limit = Math.max(threshold, Number.isNaN(meanLoad) ? 0 : meanLoad + above);
    if (capacity < (shutBy === 'capacity' ? RECOVERED : COLLAPSED))
      this.#shut(slot, 'capacity', 2 - capacity);
    else if (near) this.#shut(slot, 'memory', 1.5);
    else if (load > (shutBy === 'load' ? limit - RELIEF : limit)) this.#shut(slot, 'load', 1 - limit / load);
    else if (stuck) {
      this.#standing[slot] = Standing.lastResort;
      this.#reasons[slot] = 'stall';
    } else this.forget(slot, false);
  }

  /**
   * Opens the least certain of the slots given until no more than half of them are shut, then of those with too much load and at
   * last of those near a pause until `bear` says that the open ones can do all the work: else it would go to the few that are
   * left as a herd, and on to the next when these are full and shut. A pause that is met costs a few requests, that herd all.
   */
  settle(slots: readonly number[], bear: (open: readonly number[]) => boolean = () => true): void {
    const shut = this.#leastCertain(slots, slot => this.#standing[slot] === Standing.shut);
    const tooMany = Math.max(0, shut.length - Math.floor(MOST_SHUT * slots.length));
    for (const slot of shut.slice(0, tooMany)) this.#standing[slot] = Standing.lastResort;
    const open = slots.filter(slot => this.#standing[slot] === Standing.open);
    for (const reason of ['load', 'memory'])
      for (const slot of this.#leastCertain(slots, slot => this.#reasons[slot] === reason)) {
        if (bear(open)) return;
        this.forget(slot, false);
        open.push(slot);
      }
  }

  standing(slot: number): Standing {
    return this.#standing[slot] as Standing;
  }

  /** Null when it is open. */
  reason(slot: number): GateReason | null {
    return this.#reasons[slot]!;
  }

  /** The slot is open, and with `all` nothing is known of it: another backend has it. */
  forget(slot: number, all = true): void {
    this.#standing[slot] = Standing.open;
    this.#reasons[slot] = null;
    if (all) this.#watermarks[slot] = undefined;
  }

  #leastCertain(slots: readonly number[], which: (slot: number) => boolean): number[] {
    return slots.filter(which).sort((a, b) => this.#severity[a]! - this.#severity[b]!);
  }

  #shut(slot: number, reason: GateReason, severity: number): void {
    this.#standing[slot] = Standing.shut;
    this.#reasons[slot] = reason;
    this.#severity[slot] = severity;
  }

  #nearsPause(slot: number, { memory, memoryAgeMs }: Signs, paused: boolean, nowMs: number, aheadMs: number) {
    if (!(memory >= 0)) return false;
    const mark = this.#watermarks[slot] ?? new Watermark();
    this.#watermarks[slot] = mark;
    if (paused) mark.paused(nowMs);
    mark.sample(memory, nowMs - Math.max(0, memoryAgeMs));
    return mark.near(nowMs, aheadMs);
  }
}
