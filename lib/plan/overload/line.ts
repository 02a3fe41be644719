// Requests that wait for a place at a backend: bounded in number and time, by priority, first come first served while calm
// and newest first in overload.
//
//   calm       the line was empty not long ago: a burst. All are served in order, none is let go before its time.
//   standing   it has not been empty for an interval in which places did fall free: more comes than can be done. Then order
//              of arrival makes everybody wait until their clients have given up. So the newest go first, and who has
//              waited longer than a target is let go while its client can still do something else (adaptive LIFO with a
//              CoDel-like deadline: Maurer, "Fail at scale", ACM Queue 13:8, 2015; CoDel: RFC 8289).
//
// Time alone is no sign: where a place falls free every 100 ms, waiting 20 ms is not late, and in a stall nobody was passed
// over. So both rules count what was served as well.

import { PRIORITIES, type ShedReason } from '../../core/priority.ts';

/** Waits for whatever backend has room first. */
export const ANY_BACKEND = -1;

export interface Waiter {
  /** Index in PRIORITIES. */
  readonly priority: number;
  /** The slot it must have, ANY_BACKEND, or null when its choice is like nobody else's. */
  readonly waitsFor: number | null;
  /** A place was released somewhere. True when the waiter is done with the line. */
  wake(): boolean;
  /** It is out of the line and will not be woken. */
  shed(reason: ShedReason): void;
}

export interface LineOptions {
  capacity: number;
  /** adaptive: first come first served, newest first in overload. The others: always so, and nobody is let go early. */
  order: 'adaptive' | 'fifo' | 'lifo';
  targetMs: number;
  intervalMs: number;
}

/** A waiter's ticket: keep it to leave by. */
export interface Ticket {
  readonly waiter: Waiter;
  readonly sinceMs: number;
  /** How many were served before it came. */
  readonly servedBefore: number;
  older: Ticket | null;
  newer: Ticket | null;
  /** False once it is out. */
  inLine: boolean;
}

/** A lower priority is passed over at most so many times in a row. */
export const PASSED_OVER = 16;
/** Late is only whom so many others were served before, and a line stands when twice as many were and it is not empty. */
const CHANCES = 4;
const STANDING = 2 * CHANCES;
const LONGEST_RETRY_S = 30;

export class WaitingLine {
  readonly #oldest: (Ticket | null)[] = PRIORITIES.map(() => null);
  readonly #newest: (Ticket | null)[] = PRIORITIES.map(() => null);
  readonly #passedOver: number[] = PRIORITIES.map(() => 0);
  /** What had no room in the pass under way. */
  readonly #refused = new Set<number>();
  readonly #options: LineOptions;
  #length = 0;
  #emptyAtMs = Number.NEGATIVE_INFINITY;
  /** While others waited; ever, and until the line was last empty. */
  #served = 0;
  #servedAtEmpty = 0;

  constructor(options: LineOptions) {
    this.#options = { ...options };
  }

  configure(options: LineOptions): void {
    Object.assign(this.#options, options);
  }

  get length(): number {
    return this.#length;
  }

  /** More comes than can be done. */
  standing(nowMs: number): boolean {
    return (
      this.#length > 0 &&
      nowMs - this.#emptyAtMs >= this.#options.intervalMs &&
      this.#served - this.#servedAtEmpty >= STANDING
    );
  }

  /** A newcomer may take a place before those who wait: the newest goes first now, and nobody of higher priority waits. */
  mayOvertake(priority: number, nowMs: number): boolean {
    if (this.#length === 0) return true;
    if (!this.#newestFirst(nowMs)) return false;
    for (let level = PRIORITIES.length - 1; level > priority; level--)
      if (this.#newest[level] !== null) return false;
    return !this.#starves(priority);
  }

  /** A newcomer had a place without waiting in line. */
  overtook(priority: number): void {
    if (this.#length > 0) this.#count(priority);
  }

  /** The ticket of a waiter that is in now, or null when the line is full; may shed others. */
  join(waiter: Waiter, nowMs: number): Ticket | null {
    if (this.#length === 0) {
      this.#emptyAtMs = nowMs;
      this.#servedAtEmpty = this.#served;
    }
    this.#shedLate(nowMs);
    if (this.#length >= this.#options.capacity && !this.#makeRoom(waiter.priority, nowMs)) return null;
    const { priority } = waiter;
    const before = this.#newest[priority]!;
    const ticket: Ticket = {
      waiter,
      sinceMs: nowMs,
      servedBefore: this.#served,
      older: before,
      newer: null,
      inLine: true,
    };
    if (before === null) this.#oldest[priority] = ticket;
    else before.newer = ticket;
    this.#newest[priority] = ticket;
    this.#length += 1;
    return ticket;
  }

  /** Out of the line, at no cost; nothing when it is out already. */
  leave(ticket: Ticket): void {
    if (!ticket.inLine) return;
    ticket.inLine = false;
    const { older, newer } = ticket;
    const { priority } = ticket.waiter;
    if (older === null) this.#oldest[priority] = newer;
    else older.newer = newer;
    if (newer === null) this.#newest[priority] = older;
    else newer.older = older;
    this.#length -= 1;
  }

  /**
   * Lets them try in order; the first may wait for another backend than the one that became free. Who waits for what an
   * earlier one was refused in this pass would be refused too: with a full line a release costs a few tries, not hundreds.
   */
  wake(nowMs: number): void {
    if (this.#length === 0) return;
    this.#refused.clear();
    while (this.#length > 0 && this.#serveOne(nowMs));
    this.#shedLate(nowMs);
  }

  /**
   * When a client that was refused should come again: as long as the overload has lasted so far (what has lasted long
   * lasts long), at least the time that the line takes, and up to twice that by chance, so that they do not come together.
   */
  retryAfterS(nowMs: number, chance: number): number {
    const lastedMs = this.#length === 0 ? 0 : nowMs - this.#emptyAtMs;
    const drainMs = (this.#length * lastedMs) / Math.max(1, this.#served - this.#servedAtEmpty);
    const s = Math.min(LONGEST_RETRY_S, Math.max(drainMs, lastedMs) / 1000);
    return Math.max(1, Math.ceil(s + chance * Math.max(1, s)));
  }

  /** The highest priority first, unless a lower one starves. */
  #serveOne(nowMs: number): boolean {
    const starving = this.#starving();
    if (starving >= 0 && this.#serveFrom(starving, nowMs)) return true;
    for (let level = PRIORITIES.length - 1; level >= 0; level--)
      if (level !== starving && this.#serveFrom(level, nowMs)) return true;
    return false;
  }

  #serveFrom(level: number, nowMs: number): boolean {
    const newestFirst = this.#newestFirst(nowMs);
    let ticket: Ticket | null = (newestFirst ? this.#newest[level] : this.#oldest[level]) ?? null;
    while (ticket !== null) {
      const kind = ticket.waiter.waitsFor;
      if (kind === null || !this.#refused.has(kind)) {
        if (ticket.waiter.wake()) {
          this.leave(ticket);
          this.#count(level);
          return true;
        }
        if (kind !== null) this.#refused.add(kind);
      }
      ticket = newestFirst ? ticket.older : ticket.newer;
    }
    return false;
  }

  #count(level: number): void {
    this.#served += 1;
    this.#passedOver[level] = 0;
    for (let lower = 0; lower < level; lower++)
      this.#passedOver[lower] = this.#oldest[lower] === null ? 0 : this.#passedOver[lower]! + 1;
  }

  /** The lowest priority that was passed over too often; -1 for none. */
  #starving(): number {
    for (let level = 0; level < PRIORITIES.length - 1; level++)
      if (this.#oldest[level] !== null && this.#passedOver[level]! >= PASSED_OVER) return level;
    return -1;
  }

  #starves(below: number): boolean {
    const level = this.#starving();
    return level >= 0 && level < below;
  }

  #newestFirst(nowMs: number): boolean {
    const { order } = this.#options;
    return order === 'lifo' || (order === 'adaptive' && this.standing(nowMs));
  }

  /** Lets go who waited too long in overload: the lowest first, and never the last, who is to have the next place. */
  #shedLate(nowMs: number): void {
    if (this.#options.order !== 'adaptive' || !this.standing(nowMs)) return;
    for (let level = 0; level < PRIORITIES.length; level++) {
      for (;;) {
        const first: Ticket | null = this.#oldest[level] ?? null;
        if (first === null || this.#length <= 1) break;
        if (nowMs - first.sinceMs <= this.#options.targetMs) break;
        if (this.#served - first.servedBefore < CHANCES) break;
        this.#shed(first, 'late');
      }
    }
  }

  /** A full line: the lowest priority gives way to a higher one, and in overload the oldest to one like him. */
  #makeRoom(priority: number, nowMs: number): boolean {
    const newestFirst = this.#newestFirst(nowMs);
    for (let level = 0; level <= priority; level++) {
      if (level === priority && !newestFirst) return false;
      // Who is to be served last: the oldest in overload, the newest while calm.
      const last = newestFirst ? this.#oldest[level]! : this.#newest[level]!;
      if (last === null) continue;
      this.#shed(last, 'displaced');
      return true;
    }
    return false;
  }

  #shed(ticket: Ticket, reason: ShedReason): void {
    this.leave(ticket);
    ticket.waiter.shed(reason);
  }
}
