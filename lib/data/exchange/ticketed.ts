// A WebSocket that its client opens with a ticket: which session it is, where it goes, and why a ticket is refused.

import { hash32 } from '../../core/hash.ts';
import { findParameter } from '../../plan/lease/query.ts';
import { TICKET_PARAMETER, type Ticket } from '../../plan/lease/ticket.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import { TICKET_MS } from '../leases/grants.ts';
import type { Incoming, Reason } from '../ports.ts';
import type { CompiledRoute } from '../router/route.ts';
import type { Plane } from './plane.ts';
import { migrateOf, type Routed } from './prepare.ts';
import type { Session } from './session.ts';

export interface BroughtTicket {
  readonly ticket: Ticket;
  /** As the client has it. */
  readonly text: string;
}

/** The ticket of the request; null when it brings none, or its route gives none: the parameter is the application's own then. */
export function ticketOf(
  plane: Plane,
  { head }: Incoming,
  { route, target }: Routed,
): BroughtTicket | Reason | null {
  if (head.protocol === '') return null;
  const text = findParameter(target.query, TICKET_PARAMETER);
  if (text === null || !clustersOf(route).some(name => givesLeases(plane, route, name))) return null;
  const { compiled, clients, clock, ledger } = plane;
  const ticket = compiled.tickets.verify(text, clock.wallMs());
  let why = typeof ticket === 'string' ? ticket : '';
  if (typeof ticket !== 'string') {
    const here = ticket.route === route.name && clustersOf(route).includes(ticket.cluster);
    const used = hash32(`ticket ${ticket.nonce}`, compiled.hashSeed);
    if (!here) why = 'of another route or cluster';
    // A bucket of one, which is full again when the ticket has lapsed for long.
    else if (clients.takeToken(used, 500 / TICKET_MS, 1) > 0) why = 'used already';
  }
  if (typeof ticket !== 'string' && why === '') return { ticket, text };
  ledger.add('leaseTokensRejected', 1);
  return { code: 'TICKET_REFUSED', detail: why };
}

const clustersOf = ({ cluster, split }: CompiledRoute): readonly string[] =>
  cluster === null ? (split?.clusters ?? []) : [cluster];

const givesLeases = (plane: Plane, route: CompiledRoute, name: string): boolean =>
  migrateOf(route, plane.compiled.clusters.get(name)!) === 'sdk';

/** Goes where its ticket says, while that takes it; the client has its lease by other means than a cookie. */
export class TicketedSession implements Session {
  readonly cluster: Cluster;
  readonly key: number;
  readonly label = 'ticket';
  readonly leaseId = '';
  readonly #member: Member | null;

  constructor(cluster: Cluster, key: number, { backend }: Ticket) {
    this.cluster = cluster;
    this.key = key;
    this.#member = cluster.member(backend) ?? null;
  }

  preferred(): Member | null {
    return this.#member;
  }

  placed(): void {}

  leaseToSend(): null {
    return null;
  }
}
