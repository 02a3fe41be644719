// Leases and tickets for clients of the SDK: granted, taken up, extended; forged, lapsed and foreign ones refused.

import { hash32 } from '../../core/hash.ts';
import type { GrantedLease } from '../../orders/leases.ts';
import { decideSession } from '../../plan/lease/decide.ts';
import { grantLease, type LeaseTerms, type SessionLease } from '../../plan/lease/lease.ts';
import { holdsOn } from '../../plan/lease/token.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Member } from '../cluster/member.ts';
import { hashKey } from '../exchange/hash-key.ts';
import type { Plane } from '../exchange/plane.ts';
import { findRoute, migrateOf, type Routed } from '../exchange/prepare.ts';
import { viewOf } from '../exchange/session.ts';
import { admits } from '../router/route.ts';
import { type Asked, LeaseRefusal } from './ports.ts';

/** Of a cluster that says nothing of sessions. */
const TERMS: LeaseTerms = Object.freeze({ type: 'dynamic', termMs: 60_000, rememberMs: 24 * 3_600_000 });
/** For the client to open its connection. */
export const TICKET_MS = 30_000;
/** Tickets for one lease, and for all that come from one address: a client that opens them without end is refused. */
const OF_A_LEASE = { perSecond: 0.5, burst: 10 };
const OF_A_CLIENT = { perSecond: 200, burst: 2_000 };
const PATH = /^\/[\x21-\x7e]*$/;

export interface Place {
  readonly cluster: Cluster;
  readonly member: Member;
  readonly route: string;
}

export class Grants {
  readonly #plane: Plane;

  constructor(plane: Plane) {
    this.#plane = plane;
  }

  /** For a connection that will ask for `path`; `token` is the lease from before, or empty. */
  register(asked: Asked, path: string, token: string): { lease: GrantedLease; ticket: string } {
    const plane = this.#plane;
    const { compiled, clients } = plane;
    const routed = this.#route(asked, path);
    const held = token === '' ? null : this.verified(token);
    const cluster = this.#clusterFor(routed, held);
    const { route } = routed;
    if (held !== null && !holdsOn(held, cluster.name, route.name)) throw this.#foreign();
    const ofAll = hash32(`tickets ${routed.caller.address}`, compiled.hashSeed);
    const ofOne = held === null ? 0 : hash32(`tickets ${held.id}`, compiled.hashSeed);
    if (
      clients.takeToken(ofAll, OF_A_CLIENT.perSecond, OF_A_CLIENT.burst) > 0 ||
      (held !== null && clients.takeToken(ofOne, OF_A_LEASE.perSecond, OF_A_LEASE.burst) > 0)
    )
      throw new LeaseRefusal('exhausted', 'too many tickets: use those you have');
    plane.decisions.refresh();
    const leased = held === null ? undefined : cluster.member(held.backend);
    const { action } = decideSession(
      held,
      viewOf(plane, cluster, leased),
      this.#terms(cluster),
      plane.clock.wallMs(),
    );
    const id = held === null || action === 'grant' ? plane.ids.hex(8) : held.id;
    const leaves = action === 'move';
    const stays = !leaves && action !== 'grant';
    const key = cluster.keyed ? hashKey(cluster, askedFor(asked, path), routed) : hash32(id);
    const member = stays ? leased! : cluster.pick({ key, accepts: slot => !leaves || slot !== leased!.slot });
    if (member === null || member === undefined)
      throw new LeaseRefusal('unavailable', `no backend of cluster ${cluster.name} takes it now`);
    const place = { cluster, member, route: route.name };
    const from = leaves && leased !== undefined ? leased : null;
    return { lease: this.grant(id, place), ticket: this.ticket(id, place, from) };
  }

  /** A new term; refused where its backend gives none. */
  extend(token: string): GrantedLease {
    const plane = this.#plane;
    const held = this.verified(token);
    const cluster = plane.compiled.clusters.get(held.cluster)!;
    plane.decisions.refresh();
    const member = cluster.member(held.backend);
    const view = viewOf(plane, cluster, member);
    const { action, reason } = decideSession(held, view, this.#terms(cluster), plane.clock.wallMs());
    if (action === 'grant' || member === undefined) throw this.#rejected('it is forgotten: register again');
    if (action !== 'move') return this.grant(held.id, { cluster, member, route: held.route });
    const gone = view.standing === 'down' || view.standing === 'maintenance' || reason === 'superseded';
    // Where it has gone is not known here. Somebody has to be named for when it comes again.
    const other = gone ? cluster.pick({ key: hash32(held.id), accepts: slot => slot !== member.slot }) : null;
    if (other === null) throw new LeaseRefusal('not_now', `its backend gives none: ${reason}`);
    return this.grant(held.id, { cluster, member: other, route: held.route });
  }

  /** A lease for the place from now on. */
  grant(id: string, { cluster, member, route }: Place): GrantedLease {
    const { clock, compiled, decisions } = this.#plane;
    const terms = this.#terms(cluster);
    const termMs = decisions.leaseMs(member.slot) || terms.termMs;
    const to = { cluster: cluster.name, route, backend: member.id, generation: member.entry.generation };
    const lease = grantLease(id, to, { ...terms, termMs }, clock.wallMs());
    return { token: compiled.tokens.sign(lease), session: id, termMs };
  }

  /** `from`: the backend that the session leaves. */
  ticket(session: string, { cluster, member, route }: Place, from: Member | null): string {
    const { clock, compiled, ids } = this.#plane;
    return compiled.tickets.sign({
      ...{ nonce: ids.hex(8), session, cluster: cluster.name, route, backend: member.id },
      ...{ expiresMs: Math.round(clock.wallMs() + TICKET_MS) },
      ...{ from: from?.id ?? '', epoch: from?.entry.generation ?? 0 },
    });
  }

  /** Genuine, and of a cluster that is here. Says nothing about its term. */
  verified(token: string): SessionLease {
    const { compiled } = this.#plane;
    const read = compiled.tokens.verify(token);
    if (typeof read === 'string') throw this.#rejected('it is no lease of ours');
    if (!compiled.clusters.has(read.cluster)) throw this.#foreign();
    return read;
  }

  /** As `verified`, and in its term. */
  inTerm(token: string): SessionLease {
    const lease = this.verified(token);
    if (lease.expiresMs <= this.#plane.clock.wallMs()) throw this.#rejected('it has lapsed');
    return lease;
  }

  #route(asked: Asked, path: string): Routed {
    const plane = this.#plane;
    const { limits } = plane.compiled.config;
    if (!PATH.test(path) || path.length > limits.uri_bytes)
      throw new LeaseRefusal('invalid', 'path: expected that of the WebSocket, from its slash on');
    const meant = askedFor(asked, path);
    const caller = plane.compiled.requests.caller(asked.connection, meant.head);
    const routed = findRoute(plane, meant, caller);
    if ('code' in routed) throw new LeaseRefusal('invalid', `no route for ${path}`);
    if (!admits(routed.route, caller.address)) throw new LeaseRefusal('forbidden', 'not for this client');
    return routed;
  }

  #clusterFor({ route }: Routed, held: SessionLease | null): Cluster {
    const { compiled, random } = this.#plane;
    const names = route.split?.clusters;
    const brought = names?.find(name => name === held?.cluster);
    const name = route.cluster ?? brought ?? route.split?.choose(random, undefined);
    const cluster = name === undefined ? undefined : compiled.clusters.get(name);
    if (cluster === undefined || migrateOf(route, cluster) !== 'sdk')
      throw new LeaseRefusal('invalid', `route ${route.name} gives no leases: websocket.migrate is not sdk`);
    return cluster;
  }

  #terms(cluster: Cluster): LeaseTerms {
    return cluster.terms ?? TERMS;
  }

  #foreign(): LeaseRefusal {
    return this.#rejected('it is of another cluster or route');
  }

  #rejected(why: string): LeaseRefusal {
    this.#plane.ledger.add('leaseTokensRejected', 1);
    return new LeaseRefusal('unauthenticated', `the lease: ${why}`);
  }
}

/** The request that the client will make for its WebSocket. */
const askedFor = ({ head, connection }: Asked, path: string): Asked => ({
  connection,
  head: {
    ...{ method: 'GET', scheme: head.scheme, authority: head.authority, target: path, fields: head.fields },
    ...{ version: head.version, protocol: 'websocket', bodyLength: 0, expectsContinue: false },
  },
});
