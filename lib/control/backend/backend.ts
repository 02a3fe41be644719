// One backend as the registry holds it: its place, its standing, and what was seen of it.

import type { CapacityConfig } from '../../config/forecast.ts';
import type { BackendTotals } from '../../scoreboard/ports.ts';
import type { AgentSay } from '../signals/agent-line.ts';
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
  capacity: CapacityConfig | undefined;
  source: SourceKind;
  standing: Standing = UNCHECKED;
  /** What the last check said. */
  checkDetail = 'not checked';
  /** Why it was ejected last. */
  ejectionDetail = '';
  outlier: OutlierRecord;
  upSinceMs: number | null = null;
  check: Disposable | undefined;
  /** Its agent said at the last tick that it is down. */
  agentDown = false;
  /** A decision on it was made: from then on the board counts for this backend, no longer for the slot's last. */
  decided = false;
  readonly #judged = Promise.withResolvers<void>();

  constructor(named: NamedBackend, source: SourceKind, slot: Slot, totals: BackendTotals, nowMs: number) {
    this.id = named.id;
    this.url = named.url;
    this.weight = named.weight;
    this.capacity = named.capacity;
    this.source = source;
    this.slot = slot;
    this.outlier = freshOutlier(totals, nowMs);
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

  /** Requests, and those of them that failed or were answered with 5xx. */
  counts(totals: BackendTotals): { readonly requests: number; readonly failures: number } {
    if (!this.decided) return { requests: 0, failures: 0 };
    return { requests: totals.attempts, failures: totals.failures + totals.serverErrors };
  }

  standpoint(admin: AdminRecord, agent: AgentSay, checked: boolean, wallMs: number): Standpoint {
    return {
      admin: stateAt(admin, wallMs),
      health: this.standing.health,
      checked,
      ejected: this.outlier.ejectedUntilMs !== null,
      probation: this.outlier.probation,
      agent,
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
