// Sessions as the control plane plans them and operators see them.

import type { EventCalendar } from '../../plan/forecast/events.ts';
import type { DrainShare } from '../../plan/session/drain-plan.ts';
import type { MoveReason } from '../../plan/session/planner.ts';

/** A backend as whoever plans sessions needs to know it, as of the last tick. */
export interface Seat {
  readonly id: string;
  readonly slot: number;
  readonly slotGeneration: number;
  /** `gone`: of the cluster no more, and some connections are still there. */
  readonly state: 'up' | 'draining' | 'down' | 'maintenance' | 'gone';
  /** It has a weight and is not gated. */
  readonly takesNew: boolean;
  /** It was ever sent; rises. */
  readonly requests: number;
  /** Unix ms; null while it does not drain. */
  readonly drainUntilMs: number | null;
  /** Load score and how old it is; NaN while nothing is known. */
  readonly load: number;
  readonly ageMs: number;
  /** The most that is foreseen up to the gate's horizon; NaN. */
  readonly predicted: number;
  /** What is known to come for it; null where nothing is forecast. */
  readonly calendar: EventCalendar | null;
}

/**
 * migration: to another backend for load, a drain, an operator; failover: because its backend is gone; extension: longer terms of a
 * backend's leases, or back to short ones; shed: the fraction of HTTP sessions that a backend gives up; termination: ended.
 */
export type DecisionKind = 'migration' | 'failover' | 'extension' | 'shed' | 'termination';

/**
 * shadow: planned, not done; ordered: under way; moved, unclean, ended, failed: as the worker reports, see TunnelMoved; lost: its
 * worker died or did not answer; done: nothing is to follow.
 */
export type DecisionOutcome =
  | 'shadow'
  | 'ordered'
  | 'moved'
  | 'unclean'
  | 'ended'
  | 'failed'
  | 'lost'
  | 'done';

export interface DecisionRecord {
  /** Rises by one; what is missing was pushed out. */
  readonly sequence: number;
  /** Unix ms. */
  readonly atMs: number;
  readonly cluster: string;
  readonly kind: DecisionKind;
  readonly reason: MoveReason | 'calm' | 'busy' | 'relief';
  /** Id of the connection; null where it concerns a backend's sessions as such. */
  readonly session: string | null;
  readonly from: string;
  /** Null where nothing goes anywhere. */
  readonly to: string | null;
  /** Loads foreseen: of the source before it, of the target after it; null when unknown. */
  readonly fromLevel: number | null;
  readonly toLevel: number | null;
  readonly outcome: DecisionOutcome;
  /** How long the client was held; null unless it was moved. */
  readonly holdMs: number | null;
  /** In words: a term, a fraction, why it failed; may be empty. */
  readonly detail: string;
}

export interface DecisionCount {
  readonly cluster: string;
  readonly kind: DecisionKind;
  readonly reason: string;
  readonly outcome: DecisionOutcome;
  readonly count: number;
}

/** What is known here of a connection that can move, besides what its worker says of it. */
export interface SessionView {
  /** That of its connection. */
  readonly id: string;
  readonly cluster: string;
  readonly backend: string;
  readonly type: 'dynamic' | 'static';
  /** Since it came to its backend. */
  readonly placedMs: number;
  /** Smoothed over about five seconds, both ways. */
  readonly messagesPerSecond: number;
  /** Null while it stays. */
  readonly movingTo: string | null;
}

export interface ClusterSessionsReport {
  readonly cluster: string;
  readonly mode: 'act' | 'shadow';
  readonly frozen: boolean;
  /** Sessions that can move, and those there was no room to plan for. */
  readonly sessions: number;
  readonly unplanned: number;
  readonly underWay: number;
  /** What was wanted at the last tick and could not be begun. */
  readonly stuck: readonly { readonly backend: string; readonly why: string }[];
  readonly backends: readonly {
    readonly backend: string;
    readonly sessions: number;
    /** Load of its sessions, present and foreseen with the moves under way; null while unknown. */
    readonly now: number | null;
    readonly ahead: number | null;
    /** Term of the leases it is granted. */
    readonly termMs: number | null;
    /** Of its HTTP sessions, the share that is to leave. */
    readonly shed: number;
  }[];
}

/** What draining a backend would do, as of now. */
export interface DrainPlan {
  readonly cluster: string;
  readonly backend: string;
  /** Foreseen of it; null while nothing is known. */
  readonly load: number | null;
  /** Connections that move, and those that end, paced, at the deadline. */
  readonly movable: number;
  readonly ending: number;
  /** When nothing is left at the latest, Unix ms: at once without connections. */
  readonly finishMs: number;
  readonly shares: readonly DrainShare[];
  /** Why it should not be done; empty when nothing is known against it. */
  readonly objection: string;
}

/** Null: all clusters. */
export interface Freeze {
  readonly cluster: string | null;
  readonly sinceMs: number;
}

/** What operators ask of the sessions. */
export interface SessionDesk {
  report(): readonly ClusterSessionsReport[];
  /** The newest first. */
  decisions(filter: {
    readonly cluster?: string | undefined;
    readonly limit: number;
  }): readonly DecisionRecord[];
  counts(): readonly DecisionCount[];
  /** Null for a connection that cannot move, or is not known (yet). */
  find(id: string): SessionView | null;
  /** With null to whichever is emptiest. Throws NOT_FOUND, and CONFLICT when it cannot go there now. */
  move(id: string, to: string | null): DecisionRecord;
  /** Notes that an operator ends it. Throws NOT_FOUND. */
  ended(id: string): void;
  /** `tunnels`: those it has, movable or not. Throws NOT_FOUND. */
  drainPlan(cluster: string, backend: string, tunnels: number, deadlineMs?: number): DrainPlan;
  freezes(): readonly Freeze[];
  /** Null is every cluster. Throws NOT_FOUND, and INTERNAL when it cannot be written. */
  freeze(cluster: string | null): void;
  unfreeze(cluster: string | null): void;
}
