// The moves of this worker's SDK connections, by the id that clients answer with: kept a little longer than they take.

import type { Clock } from '../../core/clock.ts';
import type { MigrationSaid, MigrationVerdict } from '../../orders/leases.ts';

/** What is said of a move after it is over: switched, or the same once more. */
const KEPT_MS = 10_000;
export const UNKNOWN: MigrationVerdict = Object.freeze({ known: false, lease: null });

export interface Answerable {
  readonly session: string;
  said(migration: string, said: MigrationSaid): MigrationVerdict;
  /** Nobody listens to what it was told. */
  unheard(migration: string): void;
}

export class Handovers {
  readonly #clock: Clock;
  readonly #row: number;
  readonly #byId = new Map<string, Answerable>();
  #next = 1;

  constructor(clock: Clock, row: number) {
    this.#clock = clock;
    this.#row = row;
  }

  /** An id for its next move: `ROW-number`. */
  begin(one: Answerable): string {
    const id = `${this.#row}-${this.#next++}`;
    this.#byId.set(id, one);
    return id;
  }

  over(id: string): void {
    this.#clock.after(KEPT_MS, () => this.#byId.delete(id));
  }

  said(id: string, session: string, said: MigrationSaid): MigrationVerdict {
    const one = this.#byId.get(id);
    return one === undefined || one.session !== session ? UNKNOWN : one.said(id, said);
  }

  unheard(id: string): void {
    this.#byId.get(id)?.unheard(id);
  }
}

/** Worker of a migration's id; null when it is none. */
export function rowOf(id: string): number | null {
  const row = /^(\d{1,6})-\d{1,15}$/.exec(id)?.[1];
  return row === undefined ? null : Number(row);
}
