// Finds threads that hang: alive, but silent for so long that they are stuck and not busy.

import type { Clock } from '../core/clock.ts';

/** An event loop that does not turn for this long is hung, not busy. */
const SILENT_MS = 10_000;
/** A thread that has just been started loads its code first, on a machine that may be busy. */
const UNBORN_MS = 30_000;

/** A thread, by any name that is unique among those that live. */
interface Watched {
  readonly bornMs: number;
  readonly silentMs: () => number;
  suspect: boolean;
}

/**
 * Two rules against killing the innocent. Silence counts from a thread's birth, or a successor would be blamed for the beat its
 * predecessor missed. And it takes two looks: after the whole process stood still (SIGSTOP, a suspended machine) every thread looks
 * hung at the first, and has spoken by the second.
 */
export class Watchdog<Name> {
  readonly #clock: Clock;
  readonly #watched = new Map<Name, Watched>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `silentMs`: since its last beat, of whatever thread had the place; Infinity when there was none. */
  born(name: Name, silentMs: () => number): void {
    this.#watched.set(name, { bornMs: this.#clock.monotonicMs(), silentMs, suspect: false });
  }

  gone(name: Name): void {
    this.#watched.delete(name);
  }

  /** Those that were silent for too long at this look and at the one before; they are watched no longer. */
  look(): Name[] {
    const hung: Name[] = [];
    for (const [name, watched] of this.#watched) {
      const silent = this.#isSilent(watched);
      if (silent && watched.suspect) hung.push(name);
      watched.suspect = silent;
    }
    for (const name of hung) this.#watched.delete(name);
    return hung;
  }

  #isSilent({ bornMs, silentMs }: Watched): boolean {
    const ageMs = this.#clock.monotonicMs() - bornMs;
    const quietMs = silentMs();
    return quietMs < ageMs ? quietMs >= SILENT_MS : ageMs >= UNBORN_MS;
  }
}
