// Where a request goes: the backend of its lease, or the picker's choice, or a place in the waiting line.

import type { PickRequest } from '../../plan/balance/picker.ts';
import { BackendState } from '../../scoreboard/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import { ANY_BACKEND, type Waiter } from '../cluster/waiting-line.ts';
import type { Reason } from '../ports.ts';
import type { Plane } from './plane.ts';
import type { Session } from './session.ts';

/** So many of the picker's choices may be full before everything is searched for a place. */
const PICK_ROUNDS = 8;

export interface PlacementOwner {
  /** A place at this backend is taken: send. */
  placed(member: Member): void;
}

export class Placement implements PickRequest, Waiter {
  readonly cluster: Cluster;
  readonly session: Session;
  readonly #owner: PlacementOwner;
  readonly #plane: Plane;
  readonly #tried: number[] = [];
  /** Slots that refused a place in the round at hand. */
  readonly #full: number[] = [];
  #waitingSinceMs = -1;
  #waitedMs = 0;

  constructor(owner: PlacementOwner, plane: Plane, session: Session) {
    this.#owner = owner;
    this.#plane = plane;
    this.session = session;
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
  place(): 'placed' | 'waiting' | Reason {
    const { cluster } = this;
    // A place that became free just now belongs to whoever waits already.
    if (cluster.line.length > 0) cluster.line.wake();
    if (this.#tryPlace()) return 'placed';
    if (this.#leased() === null && !cluster.hasCandidates)
      return { code: 'NO_BACKEND', detail: `cluster ${cluster.name}` };
    if (this.exhausted)
      return { code: 'NO_BACKEND', detail: `cluster ${cluster.name}: every backend was tried` };
    if (!cluster.line.join(this)) {
      this.#plane.ledger.add('shed', 1);
      return { code: 'QUEUE_FULL', detail: `cluster ${cluster.name}` };
    }
    this.#waitingSinceMs = this.#plane.clock.monotonicMs();
    this.#plane.ledger.add('queued', 1);
    return 'waiting';
  }

  /** A place was released somewhere. */
  wake(): boolean {
    return this.#waitingSinceMs < 0 || this.#tryPlace();
  }

  /** Steps out of the line, if in it. */
  leaveLine(): void {
    if (this.#waitingSinceMs < 0) return;
    this.#waitedMs += this.#plane.clock.monotonicMs() - this.#waitingSinceMs;
    this.#waitingSinceMs = -1;
    this.cluster.line.leave(this);
    this.#plane.ledger.add('queued', -1);
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
    if (!ledger.acquire(member.slot, decisions.concurrency(member.slot))) return false;
    this.leaveLine();
    this.session.placed(member);
    this.#owner.placed(member);
    return true;
  }

  /** The backend this session is leased to, unless it failed the request already or failed while the request waited. */
  #leased(): Member | null {
    const member = this.session.preferred();
    if (member === null || this.#tried.includes(member.slot)) return null;
    const state = this.cluster.stateOf(member);
    return state === BackendState.up || state === BackendState.draining ? member : null;
  }
}
