// How a pool of probes is ranked: Prequal's hot and cold, fewest in flight, C3's cubed queue.

import type { ProbePool } from './probe-pool.ts';

/** Ranks a pool, which is not empty; what it keeps by slot it learns from probes and answers. */
export interface PoolRule {
  probed(slot: number, inFlight: number, latencyMs: number): void;
  answered(slot: number, latencyMs: number): void;
  /** The slot has another owner. */
  forget(slot: number): void;
  /** Once before `best` and `worst`. */
  prepare(): void;
  /** True when entry `one` is better than entry `other`. */
  better(pool: ProbePool, one: number, other: number): boolean;
}

/** Levels of requests in flight that are told apart; more count as the last. */
const LEVELS = 1024;
/** Probes over which the quantile of requests in flight is taken. */
const REMEMBERED = 128;

/**
 * Hot-cold lexicographic (HCL): an entry is hot when it has more in flight than the quantile of what recent probes said.
 * Any cold one beats any hot one; of two cold the lower latency wins, of two hot the fewer in flight.
 */
export class HotCold implements PoolRule {
  readonly #quantile: number;
  readonly #levels = new Int32Array(LEVELS);
  readonly #recent = new Int32Array(REMEMBERED).fill(-1);
  #next = 0;
  #threshold = 0;

  constructor(quantile: number) {
    this.#quantile = quantile;
  }

  probed(_slot: number, inFlight: number): void {
    const level = Math.min(LEVELS - 1, Math.max(0, Math.round(inFlight)));
    const dropped = this.#recent[this.#next]!;
    if (dropped >= 0) this.#levels[dropped]! -= 1;
    this.#recent[this.#next] = level;
    this.#levels[level]! += 1;
    this.#next = (this.#next + 1) % REMEMBERED;
  }

  answered(): void {}
  forget(): void {}

  prepare(): void {
    const known = this.#recent[REMEMBERED - 1]! >= 0 ? REMEMBERED : this.#next;
    let below = 0;
    let level = 0;
    for (; level < LEVELS; level++) {
      below += this.#levels[level]!;
      if (below >= this.#quantile * known) break;
    }
    this.#threshold = level;
  }

  better({ inFlight, latencyMs }: ProbePool, one: number, other: number): boolean {
    const oneHot = inFlight[one]! > this.#threshold;
    const otherHot = inFlight[other]! > this.#threshold;
    if (oneHot !== otherHot) return otherHot;
    return oneHot ? inFlight[one]! < inFlight[other]! : latencyMs[one]! < latencyMs[other]!;
  }
}

/** Fewest in flight, the best single signal in Prequal's comparison. */
export class FewestInFlight implements PoolRule {
  probed(): void {}
  answered(): void {}
  forget(): void {}
  prepare(): void {}
  better({ inFlight }: ProbePool, one: number, other: number): boolean {
    return inFlight[one]! < inFlight[other]!;
  }
}

/** Weight of the newest value in C3's averages; 0.9 is the paper's for what is kept. */
const NEWEST = 0.1;

/**
 * C3 (Suresh et al., NSDI 2015): R − T + q³·T with R the response time that the client sees, T the service time that the
 * server reports, and q = 1 + own outstanding × clients + reported queue. Over Prequal's pool, as Prequal compares it.
 */
export class CubedQueue implements PoolRule {
  readonly #responseMs: Float64Array;
  readonly #serviceMs: Float64Array;
  readonly #queue: Float64Array;
  #fleetMs = 1;
  readonly #clients: number;
  readonly #outstanding: (slot: number) => number;

  constructor(slots: number, clients: number, outstanding: (slot: number) => number) {
    this.#responseMs = new Float64Array(slots).fill(Number.NaN);
    this.#serviceMs = new Float64Array(slots).fill(Number.NaN);
    this.#queue = new Float64Array(slots).fill(Number.NaN);
    this.#clients = clients;
    this.#outstanding = outstanding;
  }

  probed(slot: number, inFlight: number, latencyMs: number): void {
    blend(this.#queue, slot, inFlight);
    blend(this.#serviceMs, slot, latencyMs);
    if (!Number.isNaN(latencyMs)) this.#fleetMs += NEWEST * (latencyMs - this.#fleetMs);
  }

  answered(slot: number, latencyMs: number): void {
    blend(this.#responseMs, slot, latencyMs);
  }

  forget(slot: number): void {
    this.#responseMs[slot] = Number.NaN;
    this.#serviceMs[slot] = Number.NaN;
    this.#queue[slot] = Number.NaN;
  }

  prepare(): void {}

  better(pool: ProbePool, one: number, other: number): boolean {
    return this.#score(pool, one) < this.#score(pool, other);
  }

  #score({ slots, inFlight }: ProbePool, entry: number): number {
    const slot = slots[entry]!;
    // Of a backend that said nothing yet the fleet's is assumed: 0 would make its queue cost nothing, however long.
    const known = this.#serviceMs[slot]!;
    const service = Number.isNaN(known) ? this.#fleetMs : known;
    const response = this.#responseMs[slot]!;
    // The average smooths what the probe says; the requests sent since the probe are in the entry alone.
    const queue =
      1 + this.#outstanding(slot) * this.#clients + Math.max(this.#queue[slot]!, inFlight[entry]!);
    return (Number.isNaN(response) ? service : response) - service + queue ** 3 * service;
  }
}

function blend(averages: Float64Array, slot: number, value: number): void {
  if (Number.isNaN(value)) return;
  const before = averages[slot]!;
  averages[slot] = Number.isNaN(before) ? value : before + NEWEST * (value - before);
}
