// How many backends, and which, take new work: enough for what is foreseen, and few enough that connections stay warm.
//
// The backends stand in one order for ever, by a hash of proxy and backend id (rendezvous, Thaler and Ravishankar 1998): the
// pool is the first so many of those that may take work. A larger pool is the smaller one and some more, and who leaves is
// replaced by the next in order: no change moves anybody else. Proxies have orders of their own, so that all their pools
// together use all backends alike.
//
//   wanted = demand / (TARGET · mean capacity), plus so many that one proxy's chance does not fill them
// It grows at once, and shrinks only after the lower size was enough for a time, a few at a step: growing late costs requests,
// shrinking late only connections.

import { hash32 } from '../../core/hash.ts';

export interface PoolOptions {
  /** Share of the pool's capacity that foreseen demand may fill. */
  readonly target: number;
  /** Never fewer, however little comes. */
  readonly least: number;
  /** The smaller size was enough for so long before it is taken. */
  readonly holdMs: number;
  /** At most this share of the pool leaves at a step. */
  readonly step: number;
}

const POOL_DEFAULTS: PoolOptions = { target: 0.65, least: 3, holdMs: 20_000, step: 0.2 };

export interface PoolChange {
  readonly joined: readonly string[];
  readonly left: readonly string[];
}

/** Sizes within this share of the present one are as good. */
const BAND = 0.05;

const UNCHANGED: PoolChange = Object.freeze({ joined: [], left: [] });

export class Pool {
  readonly #options: PoolOptions;
  readonly #proxy: number;
  #members: readonly string[] = [];
  #size = 0;
  #enoughSinceMs = Number.NaN;
  /** Largest size asked for since a smaller one has been enough. */
  #asked = 0;

  /** `proxy` tells proxies apart; the same each time this one starts. */
  constructor(proxy: string, options: PoolOptions = POOL_DEFAULTS) {
    this.#proxy = hash32(proxy, 0);
    this.#options = options;
  }

  /** In order; the earliest are the last to leave. */
  get members(): readonly string[] {
    return this.#members;
  }

  /**
   * `ids` are those that may take work. `demand` is the foreseen load of all of them together, in backends' capacities: 12
   * means that twelve would be full. What is no number asks for all.
   */
  decide(ids: readonly string[], demand: number, nowMs: number): PoolChange {
    const wanted = this.#wanted(ids.length, demand);
    this.#resize(wanted, nowMs);
    const size = Math.min(ids.length, this.#size);
    const ranks = new Map(ids.map(id => [id, hash32(id, this.#proxy)]));
    const order = [...ranks].sort(([a, one], [b, other]) => one - other || (a < b ? -1 : 1));
    const members = order.slice(0, size).map(([id]) => id);
    const before = new Set(this.#members);
    const after = new Set(members);
    this.#members = members;
    const joined = members.filter(id => !before.has(id));
    const left = [...before].filter(id => !after.has(id));
    return joined.length + left.length === 0 ? UNCHANGED : { joined, left };
  }

  #wanted(count: number, demand: number): number {
    const { target, least } = this.#options;
    if (!(demand >= 0)) return count;
    return Math.min(count, Math.max(least, Math.ceil(demand / target)));
  }

  #resize(wanted: number, nowMs: number): void {
    const { holdMs, step } = this.#options;
    if (wanted >= this.#size) {
      this.#size = wanted;
      this.#enoughSinceMs = Number.NaN;
      this.#asked = 0;
      return;
    }
    this.#asked = Math.max(this.#asked, wanted);
    // What chance asks for now and then is not worth a change.
    if (this.#asked > (1 - BAND) * this.#size) {
      this.#enoughSinceMs = Number.NaN;
      this.#asked = 0;
      return;
    }
    if (Number.isNaN(this.#enoughSinceMs)) this.#enoughSinceMs = nowMs;
    if (nowMs - this.#enoughSinceMs < holdMs) return;
    this.#size = Math.max(this.#asked, this.#size - Math.max(1, Math.floor(step * this.#size)));
    this.#enoughSinceMs = nowMs;
    this.#asked = 0;
  }
}
