// Which of a cluster's backends take new work while little comes: plan/balance decides, here it hears of demand.

import type { ClusterConfig } from '../../config/cluster.ts';
import { Standing } from '../../plan/balance/gate.ts';
import { Pool } from '../../plan/balance/pool.ts';
import { isSized } from '../../plan/load/score.ts';
import type { BackendForecast } from './backend-forecast.ts';

/** At most this share of the pool leaves at a time. */
const STEP = 0.2;

type PoolConfig = ClusterConfig['balance']['pool'];

export interface PoolSubject {
  readonly id: string;
  readonly standing: Standing;
  readonly forecast: BackendForecast;
}

export class ClusterPool {
  readonly #proxy: string;
  #pool: Pool | null = null;
  #outside: ReadonlySet<string> = new Set();
  /** In backends' capacities; NaN where nobody knows. */
  demand = Number.NaN;

  /** `proxy` tells proxies apart, and is the same each time this one starts. */
  constructor(proxy: string, config: PoolConfig) {
    this.#proxy = proxy;
    this.configure(config);
  }

  configure(config: PoolConfig): void {
    this.#outside = new Set();
    this.#pool =
      config === 'off'
        ? null
        : new Pool(this.#proxy, {
            target: config.target,
            least: config.min,
            holdMs: config.hold,
            step: STEP,
          });
  }

  /** Once a tick, with those that take work. In panic all do. */
  tick(subjects: readonly PoolSubject[], nowMs: number, panic: boolean): void {
    if (this.#pool === null) return;
    // Who is gated takes work when nobody else does: whether it is in the pool says nothing then.
    const open = subjects.filter(({ standing }) => standing === Standing.open);
    this.demand = panic ? Number.NaN : this.#demandOf(subjects);
    const ids = open.map(({ id }) => id);
    this.#pool.decide(ids, this.demand, nowMs);
    const inside = new Set(this.#pool.members);
    this.#outside = new Set(ids.filter(id => !inside.has(id)));
  }

  /** It takes new work only when nobody in the pool can. */
  isOutside(id: string): boolean {
    return this.#outside.has(id);
  }

  /**
   * What is foreseen of all together. A load that is a share of nobody knows what would look the same however few had to bear it: where
   * one in the pool has such a load, nothing is known. Who is outside gets no work, so it may well say nothing.
   */
  #demandOf(subjects: readonly PoolSubject[]): number {
    let [seen, foreseen, known] = [0, 0, false];
    for (const { id, standing, forecast } of subjects) {
      const { score, predicted, base } = forecast;
      if (score === null) continue;
      const outside = this.isOutside(id);
      if (!outside && !isSized(score)) return Number.NaN;
      // What one who gets no work is foreseen to have is of its past, of its own making, or supposed.
      foreseen += standing === Standing.open && !outside ? predicted : base;
      seen += score.load;
      known = true;
    }
    // A forecast follows a crowd that nobody foresaw within seconds; the last second shows it.
    return known ? Math.max(seen, foreseen) : Number.NaN;
  }
}
