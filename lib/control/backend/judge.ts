// The verdict on every backend of a cluster: what operators, checks, outlier ejection, panic and slow start come to.

import type { AgentSay } from '../signals/agent-line.ts';
import { inPanic } from './panic.ts';
import type { AdminState } from './ports.ts';
import { SLOW_START_FLOOR, slowStartFactor } from './slow-start.ts';

/** All that is known of one backend at one moment. */
export interface Standpoint {
  readonly admin: AdminState;
  /** Unknown counts as up when `checked` is false. */
  readonly health: 'unknown' | 'up' | 'down';
  /** Does the cluster check its backends? */
  readonly checked: boolean;
  readonly ejected: boolean;
  readonly probation: boolean;
  /** Configured, or the operator's. */
  readonly weight: number;
  /** What its agent asks for, see signals/agent-line.ts. */
  readonly agent: AgentSay;
  /** For slow start; null when there from the start. */
  readonly upSinceMs: number | null;
}

export interface Verdict {
  readonly state: 'up' | 'draining' | 'down' | 'maintenance';
  /** 0 takes no new work. */
  readonly effectiveWeight: number;
}

export interface Judgement {
  readonly verdicts: readonly Verdict[];
  readonly panic: boolean;
  /** Passed their checks and not ejected, among `judged`. */
  readonly usable: number;
  /** Ready by their operators, with a weight, and checked at least once. */
  readonly judged: number;
}

export interface JudgeRules {
  readonly slowStartMs: number | undefined;
  readonly panicShare: number;
}

/** Passed its checks (or has none), is not ejected, and its agent does not say that it is down. */
export const isUsable = (s: Standpoint): boolean =>
  (s.checked ? s.health === 'up' : true) && !s.ejected && !s.agent.down;

/** Its agent lets new work come. An agent is no operator: what all agents together take out, panic gives back. */
const isOpen = (s: Standpoint): boolean => s.agent.admin === 'ready' && s.agent.share > 0;

/** Ready by its operators, with a weight: counts in shares of the cluster. */
export const isEligible = (s: Standpoint): boolean => s.admin === 'ready' && s.weight > 0;

/**
 * Precedence: admin state, then the agent's, then health, then ejection; panic lifts all but the first. What operators
 * took out is never given back. A backend that drains and fails is down, since its leases must fail over at once.
 */
export function judge(standpoints: readonly Standpoint[], nowMs: number, rules: JudgeRules): Judgement {
  let judged = 0;
  let usable = 0;
  for (const s of standpoints) {
    if (!isEligible(s) || (s.checked && s.health === 'unknown' && !s.ejected)) continue;
    judged++;
    if (isUsable(s) && isOpen(s)) usable++;
  }
  const panic = inPanic(usable, judged, rules.panicShare);
  // Better an untried backend than none: at a cold start, traffic may come before the first results.
  const tryUnknown = usable === 0;

  const verdictOn = (s: Standpoint): Verdict => {
    if (s.admin === 'maintenance') return { state: 'maintenance', effectiveWeight: 0 };
    const untried = s.checked && s.health === 'unknown' && !s.ejected;
    const alive = panic || isUsable(s) || (untried && tryUnknown);
    if (s.admin === 'drain') {
      const failed = !panic && (s.ejected || s.agent.down || (s.checked && s.health === 'down'));
      return { state: failed ? 'down' : 'draining', effectiveWeight: 0 };
    }
    if (!panic && s.agent.admin === 'maint') return { state: 'maintenance', effectiveWeight: 0 };
    if (!alive) return { state: 'down', effectiveWeight: 0 };
    if (!panic && s.agent.admin === 'drain') return { state: 'draining', effectiveWeight: 0 };
    return { state: 'up', effectiveWeight: s.weight * (panic ? 1 : factor(s, nowMs, rules) * s.agent.share) };
  };
  return { verdicts: standpoints.map(verdictOn), panic, usable, judged };
}

/** In panic nothing is reduced: a ramp would push the failing ones' share up just when they can least bear it. */
function factor(s: Standpoint, nowMs: number, rules: JudgeRules): number {
  const ramp = slowStartFactor(nowMs, s.upSinceMs, rules.slowStartMs);
  return s.probation ? Math.min(ramp, SLOW_START_FLOOR) : ramp;
}
