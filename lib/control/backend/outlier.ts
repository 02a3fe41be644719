// Outlier ejection: a backend that fails real requests in a row is left out for a while, longer each time it relapses.
//
//            run of failures ≥ threshold              time is over
//   in service ───────────────────────► ejected ─────────────────────► probation
//        ▲                                 ▲   one failure, none good      │  │
//        │                                 └──────────────────────────────┘  │
//        └──────────────────────── first success ────────────────────────────┘
//
// Pure: the registry feeds it the scoreboard's totals four times a second. After Envoy's outlier detection, with
// probation added: a full run of failures again after each return would cost clients `threshold` errors a time.

import type { BackendTotals } from '../../scoreboard/ports.ts';

export interface OutlierRules {
  /** Failures in a row that eject; 0 switches off. */
  readonly consecutive_failures: number;
  /** Milliseconds of the first ejection. */
  readonly base_ejection: number;
  readonly max_ejection: number;
  /** Never more of the cluster than this at once. */
  readonly max_ejected: number;
}

type Seen = Pick<BackendTotals, 'successes' | 'failures' | 'consecutiveFailures'>;

/** What is remembered of one backend. Immutable; times are monotonic. */
export interface OutlierRecord {
  /** Ejections that still count; the next one lasts base × 2^level. */
  readonly level: number;
  readonly ejectedUntilMs: number | null;
  readonly lastEjectionMs: number;
  /** Since when it has been in service, for the decay of `level`. */
  readonly servesSinceMs: number;
  /** Back from ejection and without a success since. */
  readonly probation: boolean;
  /**
   * A run of failures that was counted already. A worker's run ends only by a success on that same worker, so after a
   * return the old figure may stand for long and must not eject again by itself.
   */
  readonly staleRun: number;
  /** Totals at the last look; at the return while on probation. */
  readonly seen: Seen;
}

/** The beginning of a backend whose slot already shows `totals`. */
export function freshOutlier(totals: Seen, nowMs: number): OutlierRecord {
  return {
    level: 0,
    ejectedUntilMs: null,
    lastEjectionMs: 0,
    servesSinceMs: nowMs,
    probation: false,
    staleRun: totals.consecutiveFailures,
    seen: pick(totals),
  };
}

/** Time and totals move on: returns, ends of probation and decay. Never ejects. */
export function observeOutlier(
  record: OutlierRecord,
  totals: Seen,
  nowMs: number,
  rules: OutlierRules,
): OutlierRecord {
  if (rules.consecutive_failures === 0) return freshOutlier(totals, nowMs);
  if (record.ejectedUntilMs !== null) {
    const run = totals.consecutiveFailures;
    if (nowMs < record.ejectedUntilMs) return { ...record, staleRun: run, seen: pick(totals) };
    return {
      ...record,
      ejectedUntilMs: null,
      servesSinceMs: nowMs,
      probation: true,
      staleRun: run,
      seen: pick(totals),
    };
  }
  const staleRun = Math.min(record.staleRun, totals.consecutiveFailures);
  // Totals fall when a worker dies; what was seen falls with them, or no success would ever count.
  if (record.probation && totals.successes <= record.seen.successes)
    return { ...record, staleRun, seen: lower(record.seen, totals) };
  const calm = { ...record, staleRun, probation: false, seen: pick(totals) };
  const decays =
    record.level > 0 && !record.probation && nowMs - record.servesSinceMs >= record.lastEjectionMs;
  return decays ? { ...calm, level: record.level - 1, servesSinceMs: nowMs } : calm;
}

/** Do these totals call for an ejection? Asked after `observeOutlier` has seen them. */
export function wantsEjection(record: OutlierRecord, totals: Seen, rules: OutlierRules): boolean {
  if (rules.consecutive_failures === 0 || record.ejectedUntilMs !== null) return false;
  const run = totals.consecutiveFailures > record.staleRun ? totals.consecutiveFailures : 0;
  if (run >= rules.consecutive_failures) return true;
  return record.probation && (run > 0 || totals.failures > record.seen.failures);
}

/** Out for base × 2^level, at most `max_ejection`. */
export function ejectOutlier(record: OutlierRecord, nowMs: number, rules: OutlierRules): OutlierRecord {
  // 2^30 ms is 12 days: no ejection is longer, and the product stays a safe integer.
  const lengthMs = Math.min(rules.max_ejection, rules.base_ejection * 2 ** Math.min(record.level, 30));
  return {
    ...record,
    level: Math.min(record.level + 1, 30),
    ejectedUntilMs: nowMs + lengthMs,
    lastEjectionMs: lengthMs,
    probation: false,
  };
}

/**
 * How many more of a cluster may be ejected. A share that rounds down to nothing still allows one (10 % of four backends
 * means few, not none; 0 means none), but never the last usable one: that would turn some errors into only errors.
 */
export function ejectionRoom(eligible: number, ejected: number, usable: number, share: number): number {
  if (share <= 0) return 0;
  const most = Math.max(1, Math.floor(share * eligible));
  return Math.max(0, Math.min(most - ejected, usable - 1));
}

const pick = ({ successes, failures, consecutiveFailures }: Seen): Seen => ({
  successes,
  failures,
  consecutiveFailures,
});

const lower = (a: Seen, b: Seen): Seen => ({
  successes: Math.min(a.successes, b.successes),
  failures: Math.min(a.failures, b.failures),
  consecutiveFailures: Math.min(a.consecutiveFailures, b.consecutiveFailures),
});
