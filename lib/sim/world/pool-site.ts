// The pool of one proxy: demand from what the backends it uses report, and who of all takes its work.

import type { Candidate } from '../../plan/balance/picker.ts';
import { Pool } from '../../plan/balance/pool.ts';

export const POOL_TICK_MS = 1_000;
/** Share of the newest report in a backend's utilisation. */
const NEWEST = 0.2;

export class PoolSite {
  readonly #pool: Pool;
  readonly #utilization: Float64Array;
  #all: readonly Candidate[] = [];
  #members: readonly Candidate[] = [];

  constructor(name: string, slots: number) {
    this.#pool = new Pool(name);
    this.#utilization = new Float64Array(slots).fill(Number.NaN);
  }

  /** Share of the backends that are in the pool. */
  get share(): number {
    return this.#all.length === 0 ? 1 : this.#members.length / this.#all.length;
  }

  heard(slot: number, utilization: number): void {
    if (!(utilization >= 0)) return;
    const before = this.#utilization[slot]!;
    this.#utilization[slot] = Number.isNaN(before) ? utilization : before + NEWEST * (utilization - before);
  }

  /** The members among `all`, or null when they are the same as before. */
  decide(all: readonly Candidate[], nowMs: number): readonly Candidate[] | null {
    const { joined, left } = this.#pool.decide(
      all.map(({ id }) => id),
      this.#demand(all.length),
      nowMs,
    );
    this.#all = all;
    if (joined.length + left.length === 0) return null;
    const members = new Set(this.#pool.members);
    this.#members = all.filter(({ id }) => members.has(id));
    return this.#members;
  }

  /** All proxies' pools together use all backends alike, so those of one tell of all. */
  #demand(count: number): number {
    let sum = 0;
    let heard = 0;
    for (const { slot } of this.#members) {
      const utilization = this.#utilization[slot]!;
      if (Number.isNaN(utilization)) continue;
      sum += utilization;
      heard += 1;
    }
    return heard === 0 ? Number.NaN : (count * sum) / heard;
  }
}
