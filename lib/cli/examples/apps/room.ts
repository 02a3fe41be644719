// What a chat room and a shared counter have in common: numbered entries that everybody gets once and in order, wherever they are connected.
//
// It stands for what real backends share (a database, a broker). It also keeps, by session, how far its client has got: the backend
// that takes a session over goes on from there, when the one before has let go.

import { type Clock, sleep } from '../../../core/clock.ts';

export interface Entry {
  readonly n: number;
  /** The backend that took it. */
  readonly backend: string;
  readonly by: string;
  readonly value: string | number;
}

interface Seat {
  /** The last entry its client was sent. */
  at: number;
  /** Resolves when nobody holds it. */
  free: Promise<void>;
}

const MAX_ENTRIES = 1_000;
const MAX_SEATS = 10_000;
/** A backend that does not let go is not waited for longer. */
const LET_GO_MS = 2_000;

export class Room {
  readonly #clock: Clock;
  readonly #entries: Entry[] = [];
  readonly #listeners = new Set<() => void>();
  /** By session, the longest unused first. */
  readonly #seats = new Map<string, Seat>();
  /** Of the newest entry. */
  last = 0;
  /** Of all values that are numbers. */
  total = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  append(backend: string, by: string, value: string | number): void {
    this.last += 1;
    if (typeof value === 'number') this.total += value;
    this.#entries.push({ n: this.last, backend, by, value });
    if (this.#entries.length > MAX_ENTRIES) this.#entries.shift();
    for (const listener of this.#listeners) listener();
  }

  since(n: number): readonly Entry[] {
    return this.#entries.slice(Math.max(0, this.#entries.length - (this.last - n)));
  }

  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  unlisten(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  /** How far the session had got, when whoever had it has let go; null when it is not known. */
  async seat(session: string): Promise<number | null> {
    const seat = this.#seats.get(session);
    if (seat === undefined) return null;
    await Promise.race([seat.free, sleep(this.#clock, LET_GO_MS)]);
    return seat.at;
  }

  /** Whoever calls has the session from now on; it says how far it gets, and when it lets go. */
  hold(session: string): { got(n: number): void; release(): void } {
    const { promise, resolve } = Promise.withResolvers<void>();
    const seat: Seat = { at: this.last, free: promise };
    this.#seats.delete(session);
    this.#seats.set(session, seat);
    if (this.#seats.size > MAX_SEATS) this.#seats.delete(this.#seats.keys().next().value!);
    return {
      got(n) {
        seat.at = n;
      },
      release: resolve,
    };
  }
}
