// The fence: refuses what comes under an epoch older than one that was seen, however late it comes.

import { EPOCH_FIELD } from '../core/cooperation.ts';
import type { Headers } from './resume.ts';

/** Remembers the highest epoch of each key: a session, a shard, whatever has one holder at a time. */
export class EpochCheck {
  readonly #highest = new Map<string, number>();
  readonly #maxKeys: number;

  /** The key that was asked about longest ago is forgotten first; it then accepts any epoch. Keep the epoch with the data to be sure. */
  constructor(maxKeys = 100_000) {
    this.#maxKeys = maxKeys;
  }

  /** False: a newer holder is known, so refuse (409, say). */
  accept(key: string, epoch: number): boolean {
    const highest = this.#highest.get(key) ?? 0;
    this.#highest.delete(key);
    this.#highest.set(key, Math.max(highest, epoch));
    if (this.#highest.size > this.#maxKeys) this.#highest.delete(this.#highest.keys().next().value!);
    return epoch >= highest;
  }
}

/** What the proxy says in Leaseway-Epoch; null when it says nothing, or nothing that can be read. */
export function epochOf(headers: Headers): number | null {
  const value = headers[EPOCH_FIELD.toLowerCase()];
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : null;
}
