// Where a request goes: the backend of its lease, or the picker's choice, or a place in the waiting line.

import type { ErrorCode } from '../../core/errors.ts';
import type { ShedReason } from '../../core/priority.ts';
import type { PickRequest } from '../../plan/balance/picker.ts';
import { ANY_BACKEND, type Ticket, type Waiter } from '../../plan/overload/line.ts';
import { BackendState } from '../../scoreboard/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { explainCluster, explanationField } from '../cluster/explain.ts';
import type { Member } from '../cluster/member.ts';
import type { Refusal } from '../ports.ts';
import type { Plane } from './plane.ts';
import type { Session } from './session.ts';

/** So many of the picker's choices may be full before everything is searched for a place. */
const PICK_ROUNDS = 8;

export interface PlacementOwner {
  /** A place at this backend is taken: send. */
  placed(member: Member): void;
  /** It waited for nothing. */
  shed(reason: Refusal): void;
}

/** What the route and its client want of a placement. */
export interface PlacementWishes {
  readonly priority: number;
  /** The configuration or a trusted peer wants to know why it went where it went. */
  readonly explained: boolean;
}

const SHED: Readonly<Record<ShedReason, readonly [code: ErrorCode, why: string]>> = {
  full: ['QUEUE_FULL', ''],
  displaced: ['QUEUE_FULL', ': gave way to another'],
  late: ['OVERLOADED', ': waited longer than the target of an overload'],
  timeout: ['QUEUE_TIMEOUT', ''],
  none: ['OVERLOADED', ': no backend is eligible, and requests do not queue (on_none: shed)'],
};

export class Placement implements PickRequest, Waiter {
  readonly cluster: Cluster;
  readonly session: Session;
  readonly priority: number;
  readonly #owner: PlacementOwner;
  readonly #plane: Plane;
  readonly #tried: number[] = [];
  /** Slots that refused a place in the round at hand. */
  readonly #full: number[] = [];
  readonly #explained: boolean;
  /** Why it went where it went; empty unless that was asked for. */
  explanation = '';
  /** While it is in line. */
  #ticket: Ticket | null = null;
  #waitedMs = 0;

  constructor(owner: PlacementOwner, plane: Plane, session: Session, wishes: PlacementWishes) {
    const { priority, explained } = wishes;
    this.#explained = explained;
    this.#owner = owner;
    this.#plane = plane;
    this.session = session;
    this.priority = priority;
    this.cluster = session.cluster;
  }

  /** uint32 that consistent_hash and maglev place by. */
  get key(): number {
    return this.session.key;
  }

  get waitedMs(): number {
    return this.#waitedMs;
  }

  get waitsFor(): number | null {
    if (this.#tried.length > 0) return null;
    return this.#leased()?.slot ?? ANY_BACKEND;
  }

  /** The picker proposes, this vetoes: what was tried, what is full. */
  accepts(slot: number): boolean {
    return !this.#tried.includes(slot) && !this.#full.includes(slot);
  }

  /** This backend failed the request and is not asked again. */
  avoid(member: Member): void {
    this.#tried.push(member.slot);
  }

  /** With nowhere else to go the first failure is the honest answer. */
  get exhausted(): boolean {
    if (this.#tried.length === 0) return false;
    for (const member of this.cluster.members) {
      if (!this.#tried.includes(member.slot) && this.cluster.stateOf(member) === BackendState.up)
        return false;
    }
    return true;
  }

  /** 'placed', 'waiting' in line, or why neither. */
  place(): 'placed' | 'waiting' | Refusal {
    const { cluster, priority } = this;
    const { line } = cluster;
    const nowMs = line.length === 0 ? 0 : this.#plane.clock.monotonicMs();
    // A place that became free just now belongs to whoever waits already, unless the newest goes first.
    if (line.length > 0 && !line.mayOvertake(priority, nowMs)) line.wake(nowMs);
    if (this.#tryPlace()) {
      line.overtook(priority);
      return 'placed';
    }
    if (this.#leased() === null && !cluster.hasCandidates)
      return { code: 'NO_BACKEND', detail: `cluster ${cluster.name}` };
    if (this.exhausted)
      return { code: 'NO_BACKEND', detail: `cluster ${cluster.name}: every backend was tried` };
    if (cluster.config.overload.on_none === 'shed') return this.#refusal('none');
    this.#ticket = line.join(this, this.#plane.clock.monotonicMs());
    if (this.#ticket === null) return this.#refusal('full');
    this.#plane.ledger.add('queued', 1);
    return 'waiting';
  }

  /** A place was released somewhere. */
  wake(): boolean {
    return this.#ticket === null || this.#tryPlace();
  }

  shed(reason: ShedReason): void {
    this.leaveLine();
    this.#owner.shed(this.#refusal(reason));
  }

  /** Steps out of the line, if in it. */
  leaveLine(): void {
    const ticket = this.#ticket;
    if (ticket === null) return;
    this.#ticket = null;
    this.#waitedMs += this.#plane.clock.monotonicMs() - ticket.sinceMs;
    this.cluster.line.leave(ticket);
    this.#plane.ledger.add('queued', -1);
  }

  #refusal(reason: ShedReason): Refusal {
    const { clock, ledger, random } = this.#plane;
    const { name, line } = this.cluster;
    ledger.shed(reason, this.priority);
    const [code, why] = SHED[reason];
    const retryAfterS = line.retryAfterS(clock.monotonicMs(), random.next());
    return { code, detail: `cluster ${name}${why}`, retryAfterS };
  }

  #tryPlace(): boolean {
    const leased = this.#leased();
    // A leased backend that is full is waited for; otherwise the next best is asked.
    if (leased !== null) return this.#take(leased);
    this.#full.length = 0;
    for (let round = 0; round < PICK_ROUNDS; round++) {
      const member = this.cluster.pick(this);
      if (member === null) return false;
      if (this.#take(member)) return true;
      this.#full.push(member.slot);
    }
    return this.cluster.findPlace(member => this.accepts(member.slot) && this.#take(member));
  }

  #take(member: Member): boolean {
    const { ledger, decisions } = this.#plane;
    const { slot, limiter } = member;
    let limit = decisions.concurrency(slot);
    // Of an adaptive one the decision is the ceiling.
    if (limiter !== null) limit = Math.min(limit, decisions.adapted(slot) || limiter.initial);
    if (!ledger.acquire(slot, limit)) return false;
    if (this.#ticket !== null) {
      this.leaveLine();
      ledger.waited(this.priority, this.#waitedMs / 1000);
    }
    if (this.#explained) this.#explain(member);
    this.session.placed(member);
    this.#owner.placed(member);
    return true;
  }

  /** Before the attempt begins, so that the figures are those of the choice. */
  #explain(member: Member): void {
    const explained = explainCluster(this.cluster, this, this.#plane.decisions, this.#plane.row);
    const rule = member === this.#leased() ? 'its lease' : explained.rule;
    this.explanation = explanationField({ ...explained, rule }, member.id);
  }

  /** The backend this session is leased to, unless it failed the request already or failed while the request waited. */
  #leased(): Member | null {
    const member = this.session.preferred();
    if (member === null || this.#tried.includes(member.slot)) return null;
    const state = this.cluster.stateOf(member);
    return state === BackendState.up || state === BackendState.draining ? member : null;
  }
}
