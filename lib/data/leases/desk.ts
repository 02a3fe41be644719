// Leases as one worker serves them to clients of the SDK: the calls, the streams, the moves. What another worker has is reached
// through the control thread.

import type {
  GrantedLease,
  LeaseNews,
  LeaseOrder,
  MigrationAnswer,
  MigrationSaid,
  MigrationVerdict,
  SessionNews,
} from '../../orders/leases.ts';
import type { Report } from '../../orders/messages.ts';
import type { Plane } from '../exchange/plane.ts';
import { Grants } from './grants.ts';
import { Handovers, rowOf } from './handovers.ts';
import { type Asked, type LeaseCalls, LeaseRefusal, type Watcher } from './ports.ts';
import { Watches } from './watches.ts';

/** The control thread, or the other worker, is gone or hangs: the client tries again. */
const ANSWER_MS = 1_500;
const MAX_ASKED = 4_096;

export class LeaseDesk implements LeaseCalls {
  readonly grants: Grants;
  readonly handovers: Handovers;
  readonly #plane: Plane;
  readonly #watches: Watches;
  readonly #asked = new Map<number, (verdict: MigrationVerdict | null) => void>();
  #report: (report: Report) => void = () => {};
  #nextRequest = 1;
  #waiting: SessionNews[] = [];

  constructor(plane: Plane) {
    this.#plane = plane;
    this.grants = new Grants(plane);
    this.handovers = new Handovers(plane.clock, plane.row);
    this.#watches = new Watches(plane.clock, (stream, on) =>
      this.#report({ kind: 'lease-watch', streams: [stream], on }),
    );
  }

  /** The (new) control thread: it is told who watches here. */
  connect(report: (report: Report) => void): void {
    this.#report = report;
    const { streams } = this.#watches;
    if (streams.length > 0) report({ kind: 'lease-watch', streams, on: true });
  }

  obey(order: LeaseOrder): void {
    switch (order.kind) {
      case 'lease-news':
        for (const { session, news } of order.items) this.#watches.heard(session, news);
        return;
      case 'lease-unheard':
        for (const id of order.migrations) this.handovers.unheard(id);
        return;
      case 'lease-answer': {
        const { migration, session, said, row, requestId } = order.answer;
        const verdict = this.handovers.said(migration, session, said);
        return this.#report({ kind: 'lease-answered', row, requestId, verdict });
      }
      case 'lease-answered':
        return this.#asked.get(order.requestId)?.(order.verdict);
      case 'backend-status':
        for (const session of this.#plane.tunnels.sessionsOn(order.slot))
          this.tell(session, { kind: 'status', status: order.status });
    }
  }

  /** To whoever watches the session, on any worker. */
  tell(session: string, news: LeaseNews): void {
    if (this.#watches.has(session)) return this.#watches.heard(session, news);
    this.#waiting.push({ session, news });
    if (this.#waiting.length > 1) return;
    queueMicrotask(() => {
      const items = this.#waiting;
      this.#waiting = [];
      this.#report({ kind: 'lease-news', items });
    });
  }

  /** This process leaves: its streams would be waited for. */
  close(): void {
    this.#watches.endAll('leaving');
  }

  // ── what clients call ──────────────────────────────────────────────────────────────────────────────────

  register(asked: Asked, path: string, token: string): { lease: GrantedLease; ticket: string } {
    return this.grants.register(asked, path, token);
  }

  watch(token: string, watcher: Watcher): Disposable {
    if (this.#plane.draining) throw new LeaseRefusal('unavailable', 'this proxy is leaving');
    const lease = this.grants.inTerm(token);
    return this.#watches.add(lease.id, lease.expiresMs, watcher);
  }

  extend(token: string): GrantedLease {
    const lease = this.grants.extend(token);
    this.#extended(lease);
    return lease;
  }

  async answer(token: string, migration: string, said: MigrationSaid): Promise<GrantedLease | null> {
    const session = this.grants.verified(token).id;
    const row = rowOf(migration);
    const verdict =
      row === this.#plane.row
        ? this.handovers.said(migration, session, said)
        : row === null
          ? null
          : await this.#ask({
              migration,
              session,
              said,
              row: this.#plane.row,
              requestId: this.#nextRequest++,
            });
    if (verdict?.known !== true) throw new LeaseRefusal('not_found', 'there is no such migration');
    if (verdict.lease !== null) this.#extended(verdict.lease);
    return verdict.lease;
  }

  #extended({ session, termMs }: GrantedLease): void {
    this.tell(session, { kind: 'extended', untilMs: this.#plane.clock.wallMs() + termMs });
  }

  #ask(answer: MigrationAnswer): Promise<MigrationVerdict> {
    const { requestId } = answer;
    return new Promise((resolve, reject) => {
      const lost = (): void =>
        reject(new LeaseRefusal('unavailable', 'whoever has the connection did not answer'));
      if (this.#asked.size >= MAX_ASKED) return lost();
      const timer = this.#plane.clock.after(ANSWER_MS, () => this.#asked.get(requestId)!(null));
      this.#asked.set(requestId, verdict => {
        timer[Symbol.dispose]();
        this.#asked.delete(requestId);
        if (verdict === null) lost();
        else resolve(verdict);
      });
      this.#report({ kind: 'lease-answer', answer });
    });
  }
}
