// The control tick of one proxy: what agents tell becomes a forecast of capacity, and that the gate on its picks.

import { Gate, type Signs, type Standing, standstillMs } from '../../plan/balance/gate.ts';
import type { Ending } from '../../plan/balance/learner.ts';
import { EventCalendar } from '../../plan/forecast/events.ts';
import { Recurrence } from '../../plan/forecast/recurrence.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Announcement } from './fleet.ts';

export const TICK_MS = 250;
/** How far ahead the gate looks. */
const HORIZON_MS = 1_000;
/** Of what a server had on average over the last so many samples, its capacity is a share. */
const USUAL_SAMPLES = 300;
/** Nobody is told of a server's end; a word this old is none. */
const WORD_HOLDS_MS = 5_000;

/** Share of what is to be had at which the open ones can do no more. */
const FULL = 0.9;

/** What an agent tells, and when it was so. */
export interface Word {
  /** What is to be had, of all that is the server's own. */
  readonly capacity: number;
  /** What requests used since the word before, of the same. */
  readonly used: number;
  readonly memory: number;
  readonly atMs: number;
}

export class ControlSite {
  readonly #kernel: Kernel;
  readonly #gate: Gate;
  readonly #slots: readonly number[];
  readonly #words: (Word | undefined)[];
  readonly #usual: Float64Array;
  readonly #heard: Int32Array;
  readonly #foresees: boolean;
  readonly #recurrences: Recurrence[];
  readonly #calendars: EventCalendar[];
  readonly #started: number[][];
  readonly #answeredMs: Float64Array;
  readonly #meanMs: Float64Array;

  constructor(slots: number, kernel: Kernel, foresees: boolean, announced: readonly Announcement[]) {
    this.#kernel = kernel;
    this.#gate = new Gate(slots);
    this.#slots = Array.from({ length: slots }, (_, slot) => slot);
    this.#words = new Array<Word | undefined>(slots);
    this.#usual = new Float64Array(slots);
    this.#heard = new Int32Array(slots);
    this.#foresees = foresees;
    this.#recurrences = this.#slots.map(() => new Recurrence());
    this.#calendars = this.#slots.map(() => new EventCalendar());
    const wallMs = kernel.wallMs() - kernel.monotonicMs();
    for (const { slot, startMs, endMs, capacity } of announced)
      this.#calendars[slot]!.announce({
        name: 'announced',
        startWallMs: wallMs + startMs,
        endWallMs: wallMs + endMs,
        factor: capacity,
      });
    this.#started = this.#slots.map(() => []);
    this.#answeredMs = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.#meanMs = new Float64Array(slots);
  }

  standing(slot: number): Standing {
    return this.#gate.standing(slot);
  }

  told(slot: number, word: Word): void {
    this.#words[slot] = word;
    const heard = Math.min(USUAL_SAMPLES, this.#heard[slot]! + 1);
    this.#heard[slot] = heard;
    this.#usual[slot]! += (word.capacity - this.#usual[slot]!) / heard;
    // What is missing of the usual capacity is the load that others put on it.
    if (this.#foresees) this.#recurrences[slot]!.observe(Math.max(0, 1 - this.#share(slot)), word.atMs);
  }

  started(slot: number): void {
    this.#started[slot]!.push(this.#kernel.monotonicMs());
  }

  ended(slot: number, ending: Ending, latencyMs: number): void {
    const started = this.#started[slot]!;
    const nowMs = this.#kernel.monotonicMs();
    const began = nowMs - latencyMs;
    // A time-out is a failure, and no answer.
    if (ending === 'success') this.#answeredMs[slot] = nowMs;
    let nearest = 0;
    for (let i = 1; i < started.length; i++)
      if (Math.abs(started[i]! - began) < Math.abs(started[nearest]! - began)) nearest = i;
    started.splice(nearest, 1);
    this.#meanMs[slot]! += 0.05 * (latencyMs - this.#meanMs[slot]!);
  }

  tick(): void {
    const nowMs = this.#kernel.monotonicMs();
    for (const slot of this.#slots) this.#gate.judge(slot, this.#signs(slot, nowMs), nowMs);
    this.#gate.settle(this.#slots, open => this.#canBear(open));
  }

  #signs(slot: number, nowMs: number): Signs {
    const word = this.#words[slot];
    const old = word === undefined || nowMs - word.atMs > WORD_HOLDS_MS;
    const started = this.#started[slot]!;
    return {
      capacity: old ? Number.NaN : this.#foresees ? this.#foreseen(slot, nowMs) : this.#share(slot),
      load: Number.NaN,
      meanLoad: Number.NaN,
      memory: old || !this.#foresees ? Number.NaN : word.memory,
      memoryAgeMs: old ? 0 : nowMs - word.atMs,
      oldestMs: standstillMs(started.length, nowMs - Math.max(started[0] ?? nowMs, this.#answeredMs[slot]!)),
      usualMs: this.#meanMs[slot]!,
    };
  }

  /** All work that is done now, by the words of the servers, against what is to be had at the open ones. */
  #canBear(open: readonly number[]): boolean {
    const used = this.#words.reduce((sum, word) => sum + (word?.used ?? 0), 0);
    const capacity = open.reduce((sum, slot) => sum + (this.#words[slot]?.capacity ?? 0), 0);
    return used <= FULL * capacity;
  }

  #share(slot: number): number {
    return this.#words[slot]!.capacity / this.#usual[slot]!;
  }

  /** Least from now to the horizon: as told, as forecast, as announced. */
  #foreseen(slot: number, nowMs: number): number {
    let least = this.#share(slot);
    const again = this.#recurrences[slot]!.worst(nowMs, nowMs + HORIZON_MS);
    if (!Number.isNaN(again)) least = Math.min(least, 1 - again);
    const wallMs = this.#kernel.wallMs();
    for (const { startWallMs, endWallMs, factor } of this.#calendars[slot]!.near(wallMs))
      if (startWallMs < wallMs + HORIZON_MS && endWallMs > wallMs) least = Math.min(least, factor);
    return least;
  }
}
