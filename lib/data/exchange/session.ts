// The request's session: reads the lease it brings, says where it wants to go, and what lease the answer carries.

import { hash32 } from '../../core/hash.ts';
import { readLease } from '../../plan/lease/carrier.ts';
import {
  type BackendStanding,
  type BackendView,
  decideSession,
  type SessionAction,
} from '../../plan/lease/decide.ts';
import { grantLease, type LeaseTerms, type SessionLease } from '../../plan/lease/lease.ts';
import type { Ticket } from '../../plan/lease/ticket.ts';
import { BackendState } from '../../scoreboard/ports.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import type { LeaseToSend } from '../hygiene/answer-fields.ts';
import type { Incoming } from '../ports.ts';
import { hashKey } from './hash-key.ts';
import type { Plane } from './plane.ts';
import type { Routed } from './prepare.ts';
import { TicketedSession } from './ticketed.ts';

const STANDINGS: Readonly<Record<number, BackendStanding>> = {
  [BackendState.none]: 'unknown',
  [BackendState.up]: 'up',
  [BackendState.draining]: 'draining',
  [BackendState.down]: 'down',
  [BackendState.maintenance]: 'maintenance',
};

/** What a lease says of a backend that is not there. */
const UNKNOWN: BackendView = Object.freeze({
  ...{ standing: 'unknown', generation: 0, takesNew: false },
  ...{ shedFraction: 0, shedTurn: 0, leaseMs: 0 },
});

/** A backend as decisions about its leases see it. */
export const viewOf = (
  { decisions }: Pick<Plane, 'decisions'>,
  cluster: Cluster,
  member: Member | undefined,
): BackendView =>
  member === undefined
    ? UNKNOWN
    : {
        standing: STANDINGS[cluster.stateOf(member)]!,
        generation: member.entry.generation,
        takesNew: cluster.takesNew(member),
        shedFraction: cluster.shedFractionOf(member),
        shedTurn: decisions.shedTurn(member.slot),
        leaseMs: decisions.leaseMs(member.slot),
      };

export interface Session {
  readonly cluster: Cluster;
  /** uint32 that consistent_hash and maglev place by. */
  readonly key: number;
  /** The backend the lease names, while it may be used; null otherwise. */
  preferred(): Member | null;
  /** A place at this backend was taken. */
  placed(member: Member): void;
  /** Id of the lease that its client has, or is being given; empty without one. */
  readonly leaseId: string;
  /** What the log says: none, keep, renew, grant, move:REASON … */
  readonly label: string;
  /** The lease for the answer, if the client needs a new one. */
  leaseToSend(encrypted: boolean): LeaseToSend | null;
}

/** Chooses the cluster (a lease decides a split) and reads the lease. */
export function openSession(
  plane: Plane,
  incoming: Incoming,
  routed: Routed,
  ticket: Ticket | null,
): Session {
  const { route } = routed;
  const { clusters } = plane.compiled;
  // Who comes with a lease asks no picker, and would otherwise never hear of a drain.
  plane.decisions.refresh();
  let name = ticket?.cluster ?? route.cluster;
  if (name === null) {
    const held = route.split!.clusters.find(candidate => {
      const carrier = clusters.get(candidate)?.carrier;
      return carrier != null && readFor(plane, candidate, incoming, routed) !== null;
    });
    name = route.split!.choose(plane.random, held);
  }
  // The configuration was checked: a route's cluster exists in its own snapshot.
  const cluster = clusters.get(name)!;
  const key = cluster.keyed ? hashKey(cluster, incoming, routed) : 0;
  if (ticket !== null)
    return new TicketedSession(cluster, cluster.keyed ? key : hash32(ticket.session), ticket);
  return cluster.carrier === null
    ? new FreeSession(cluster, key)
    : new LeasedSession(plane, cluster, key, readFor(plane, name, incoming, routed));
}

/** The lease the request brings for this cluster, or null. */
function readFor(plane: Plane, name: string, incoming: Incoming, routed: Routed): SessionLease | null {
  const carrier = plane.compiled.clusters.get(name)!.carrier!;
  const read = readLease(carrier, plane.compiled.tokens, incoming.head.fields, routed.target.query);
  if (typeof read !== 'string') return read;
  plane.ledger.add('leaseTokensRejected', 1);
  return null;
}

/** Of a cluster without stickiness. */
class FreeSession implements Session {
  readonly cluster: Cluster;
  readonly key: number;
  readonly label = 'none';
  readonly leaseId = '';

  constructor(cluster: Cluster, key: number) {
    this.cluster = cluster;
    this.key = key;
  }

  preferred(): null {
    return null;
  }

  placed(): void {}

  leaseToSend(): null {
    return null;
  }
}

class LeasedSession implements Session {
  readonly cluster: Cluster;
  readonly key: number;
  label = 'none';
  readonly #plane: Plane;
  readonly #lease: SessionLease | null;
  readonly #terms: LeaseTerms;
  readonly #leased: Member | undefined;
  readonly #action: SessionAction;
  readonly #reason: string;
  /** Where a lease that is shed goes; null for others, and where nobody takes it. */
  readonly #target: Member | null;
  #given: SessionLease | null = null;

  constructor(plane: Plane, cluster: Cluster, key: number, lease: SessionLease | null) {
    this.#plane = plane;
    this.cluster = cluster;
    this.key = key;
    this.#lease = lease;
    this.#terms = cluster.terms!;
    this.#leased = lease === null ? undefined : cluster.member(lease.backend);
    const view = viewOf(plane, cluster, this.#leased);
    const decision = decideSession(lease, view, this.#terms, plane.clock.wallMs());
    const followed = lease === null || decision.action === 'grant' ? null : this.#followed(lease);
    this.#action = followed === null ? decision.action : 'move';
    this.#reason = followed === null ? decision.reason : 'followed';
    this.#target = followed;
    if (this.#reason === 'shed' || this.#reason === 'draining')
      this.#target = cluster.shedTargetOf(lease!.id, view.shedTurn, this.#leased!);
  }

  /** Where the WebSocket of this session went, while that serves. */
  #followed(lease: SessionLease): Member | null {
    const backend = this.#plane.followed.leads(lease);
    const member = backend === null ? undefined : this.cluster.member(backend);
    return member !== undefined && this.cluster.stateOf(member) === BackendState.up ? member : null;
  }

  get leaseId(): string {
    return this.#given?.id ?? this.#lease?.id ?? '';
  }

  preferred(): Member | null {
    const stays = this.#action === 'keep' || this.#action === 'renew' || this.#action === 'regrant';
    return stays ? (this.#leased ?? null) : this.#target;
  }

  placed(member: Member): void {
    const { ledger, clock, ids } = this.#plane;
    if (member === this.#leased && this.preferred() !== null) {
      this.label = this.#action;
      if (this.#action === 'keep') {
        this.#given = null;
        return;
      }
      ledger.add('leasesRenewed', 1);
      if (this.#termOf(member) > this.#terms.termMs) ledger.add('leasesExtended', 1);
    } else if (this.#lease === null || this.#action === 'grant') {
      this.label = 'grant';
      ledger.add('leasesGranted', 1);
    } else {
      // A leased backend that was to be kept but could not be reached is a failover.
      this.label = `move:${this.#action === 'move' ? this.#reason : 'failed'}`;
      ledger.add('leasesMoved', 1);
      if (this.#reason === 'shed') ledger.add('leasesShed', 1);
      if (this.#reason !== 'followed') this.#plane.followed.forget(this.#lease);
    }
    const id = this.#lease === null || this.#action === 'grant' ? ids.hex(8) : this.#lease.id;
    const to = {
      cluster: this.cluster.name,
      route: '',
      backend: member.id,
      generation: member.entry.generation,
    };
    const termMs = this.#termOf(member);
    const terms = termMs === this.#terms.termMs ? this.#terms : { ...this.#terms, termMs };
    this.#given = grantLease(id, to, terms, clock.wallMs());
  }

  #termOf(member: Member): number {
    return this.#plane.decisions.leaseMs(member.slot) || this.#terms.termMs;
  }

  leaseToSend(encrypted: boolean): LeaseToSend | null {
    if (this.#given === null) return null;
    const carrier = this.cluster.carrier!;
    return { carrier, field: carrier.write(this.#plane.compiled.tokens.sign(this.#given), encrypted) };
  }
}
