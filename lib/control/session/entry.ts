// One movable session as its worker told of it, and where it stands in the table of its cluster.

import type { Move } from '../../plan/session/planner.ts';
import type { ClusterSessions } from './cluster-sessions.ts';

export interface Ordered extends Move {
  readonly sinceMs: number;
  /** Planned, and not done. */
  readonly shadow: boolean;
}

export class Entry {
  readonly cluster: ClusterSessions;
  readonly worker: number;
  readonly sequence: number;
  /** In the table. */
  readonly row: number;
  /** Monotonic ms of the last activity that was counted. */
  countedMs: number;
  /** Known since, monotonic ms. */
  readonly sinceMs: number;
  ordered: Ordered | null = null;
  /** Its row has been given back; its connection may still be told of for a moment. */
  over = false;

  constructor(cluster: ClusterSessions, worker: number, sequence: number, row: number, nowMs: number) {
    this.cluster = cluster;
    this.worker = worker;
    this.sequence = sequence;
    this.row = row;
    this.countedMs = nowMs;
    this.sinceMs = nowMs;
  }

  /** That of its connection. */
  get id(): string {
    return `${this.worker}-${this.sequence}`;
  }
}
