// What was decided of sessions, and why: the latest in a ring, all of it counted.

import type { DecisionCount, DecisionRecord } from './ports.ts';

const KEPT = 4_096;
/** Clusters come and go with reloads; their counts stay, up to this many. */
const MOST_COUNTS = 4_096;

export type NewDecision = Omit<DecisionRecord, 'sequence'>;

export class DecisionRing {
  readonly #ring: DecisionRecord[] = [];
  readonly #counts = new Map<string, DecisionCount>();
  readonly #hear: (record: DecisionRecord) => void;
  #next = 1;

  /** `hear` is told of each. */
  constructor(hear: (record: DecisionRecord) => void) {
    this.#hear = hear;
  }

  add(decision: NewDecision): DecisionRecord {
    const record: DecisionRecord = { sequence: this.#next++, ...decision };
    this.#ring[(record.sequence - 1) % KEPT] = record;
    const { cluster, kind, reason, outcome } = record;
    const key = `${cluster} ${kind} ${reason} ${outcome}`;
    const count = this.#counts.get(key)?.count ?? 0;
    if (count > 0 || this.#counts.size < MOST_COUNTS)
      this.#counts.set(key, { cluster, kind, reason, outcome, count: count + 1 });
    this.#hear(record);
    return record;
  }

  /** The newest first. */
  latest({
    cluster,
    limit,
  }: {
    readonly cluster?: string | undefined;
    readonly limit: number;
  }): DecisionRecord[] {
    const found: DecisionRecord[] = [];
    const oldest = Math.max(1, this.#next - KEPT);
    for (let sequence = this.#next - 1; sequence >= oldest && found.length < limit; sequence--) {
      const record = this.#ring[(sequence - 1) % KEPT]!;
      if (cluster === undefined || record.cluster === cluster) found.push(record);
    }
    return found;
  }

  counts(): readonly DecisionCount[] {
    return [...this.#counts.values()];
  }
}
