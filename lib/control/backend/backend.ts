// One backend as the registry holds it: its place, its standing, and what was seen of it.

import type { BackendTotals } from '../../scoreboard/ports.ts';
import { type Standing, UNCHECKED } from './health/rise-fall.ts';
import type { NamedBackend } from './identity.ts';
import type { Standpoint } from './judge.ts';
import type { SourceKind } from './membership.ts';
import { freshOutlier, type OutlierRecord } from './outlier.ts';
import type { AdminRecord } from './ports.ts';
import type { Slot } from './slots.ts';

export class Backend {
  readonly id: string;
  readonly url: string;
  readonly slot: Slot;
  /** Of the source that named it. */
  weight: number;
  source: SourceKind;
  standing: Standing = UNCHECKED;
  /** What the last check said. */
  checkDetail = 'not checked';
  /** Why it was ejected last. */
  ejectionDetail = '';
  outlier: OutlierRecord;
  upSinceMs: number | null = null;
  check: Disposable | undefined;
  /** What the slot had counted before it was this backend's. */
  readonly #before: BackendTotals;
  readonly #judged = Promise.withResolvers<void>();

  constructor(named: NamedBackend, source: SourceKind, slot: Slot, totals: BackendTotals, nowMs: number) {
    this.id = named.id;
    this.url = named.url;
    this.weight = named.weight;
    this.source = source;
    this.slot = slot;
    this.outlier = freshOutlier(totals, nowMs);
    this.#before = totals;
  }

  /** Resolves with the first check's result, or when none will come. */
  get judged(): Promise<void> {
    return this.#judged.promise;
  }

  settleJudged(): void {
    this.#judged.resolve();
  }

  /** No more checks. */
  stop(): void {
    this.check?.[Symbol.dispose]();
    this.check = undefined;
    this.#judged.resolve();
  }

  /** Requests of this backend alone, and those of them that failed or were answered with 5xx. */
  counts(totals: BackendTotals): { readonly requests: number; readonly failures: number } {
    const bad = (t: BackendTotals): number => t.failures + t.serverErrors;
    return {
      requests: Math.max(0, totals.attempts - this.#before.attempts),
      failures: Math.max(0, bad(totals) - bad(this.#before)),
    };
  }

  standpoint(admin: AdminRecord, checked: boolean, wallMs: number): Standpoint {
    return {
      admin: stateAt(admin, wallMs),
      health: this.standing.health,
      checked,
      ejected: this.outlier.ejectedUntilMs !== null,
      probation: this.outlier.probation,
      weight: admin.weight ?? this.weight,
      upSinceMs: this.upSinceMs,
    };
  }
}

/** A drain whose deadline has passed is maintenance, also before anyone has written that down. */
export function stateAt(admin: AdminRecord, wallMs: number): AdminRecord['state'] {
  const over = admin.state === 'drain' && wallMs >= (admin.drainUntilMs ?? 0);
  return over ? 'maintenance' : admin.state;
}
