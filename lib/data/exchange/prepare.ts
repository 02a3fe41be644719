// Head → where it goes and what is sent there, or why not: the decisions that need no backend.

import type { MigrateMode } from '../../config/cluster.ts';
import { RESUME_FIELD, SESSION_FIELD } from '../../core/cooperation.ts';
import type { Fields, MutableFields } from '../../core/fields.ts';
import { fieldValue, removeField } from '../../core/fields.ts';
import { hash32 } from '../../core/hash.ts';
import { removeParameter } from '../../plan/lease/query.ts';
import { signResume } from '../../plan/lease/resume.ts';
import { TICKET_PARAMETER, type Ticket } from '../../plan/lease/ticket.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { isGrpc, parseGrpcTimeoutMs } from '../hygiene/grpc.ts';
import type { Caller } from '../hygiene/request-fields.ts';
import type { Asked } from '../leases/ports.ts';
import type { Incoming, KnownFields, Reason, Refusal } from '../ports.ts';
import { fixedAnswer, type OwnAnswer, redirectAnswer } from '../router/answers.ts';
import { servedOn } from '../router/misdirected.ts';
import { isReason, normalForm, type Target } from '../router/normal-form.ts';
import { rewritePath } from '../router/rewrite.ts';
import { admits, type CompiledRoute } from '../router/route.ts';
import type { Plane } from './plane.ts';
import { ReusedFields } from './reuse.ts';

/** A request that has a route. */
export interface Routed {
  readonly route: CompiledRoute;
  readonly target: Target;
  readonly caller: Caller;
}

/** What goes to a backend, but for the trace context, which every attempt has of its own. */
export interface Outbound {
  readonly target: string;
  readonly host: string;
  readonly fields: Fields;
  /** It comes under a lease: its backend is told the epoch. */
  readonly leased: boolean;
  /** What `fields` begins with, when it was made before. */
  readonly known: KnownFields | null;
}

/** The route of the request, or why it has none. */
export function findRoute(plane: Plane, incoming: Asked, caller: Caller): Routed | Reason {
  const { head, connection } = incoming;
  const target = normalForm(head);
  if (isReason(target)) return target;
  if (!servedOn(target.authority.host, connection.tls))
    return { code: 'MISDIRECTED', detail: target.authority.host };
  const route = plane.compiled.router.match(head, target);
  if (route === null) return { code: 'NO_ROUTE', detail: `${target.authority.text}${target.path}` };
  return { route, target, caller };
}

/** What the route's own rules say against it; null when nothing. */
export function refusal(plane: Plane, incoming: Incoming, { route, target, caller }: Routed): Refusal | null {
  const { config } = route;
  const { head } = incoming;
  if (!admits(route, caller.address)) return { code: 'FORBIDDEN', detail: `client ${caller.address}` };
  if (target.encodedSlash && config.encoded_slash === 'refuse') {
    return {
      code: 'BAD_REQUEST',
      detail: 'an encoded slash or backslash in the path (encoded_slash: keep allows it)',
    };
  }
  if (head.protocol !== '' && config.websocket === false)
    return { code: 'UPGRADE_REFUSED', detail: 'websocket: false on this route' };
  if (head.bodyLength > config.max_body)
    return { code: 'BODY_TOO_LARGE', detail: `${head.bodyLength} bytes announced` };
  const rate = config.rate_limit;
  if (rate === undefined) return null;
  const whole = hash32(route.name, plane.compiled.hashSeed);
  const key = rate.by === 'route' ? whole : hash32(caller.address, whole);
  const waitMs = plane.clients.takeToken(key, rate.rate, rate.burst);
  return waitMs === 0
    ? null
    : { code: 'TOO_MANY_REQUESTS', detail: `over ${rate.rate} a second`, retryAfterS: waitMs / 1000 };
}

/** The route's redirect or fixed response; null when it leads to a cluster. */
export function ownAnswer(incoming: Incoming, { route, target }: Routed): OwnAnswer | Reason | null {
  if (route.redirect !== null) return redirectAnswer(route, target);
  return route.config.respond === undefined ? null : fixedAnswer(route, incoming.head);
}

/** What the chosen cluster's backends are sent. */
export function outbound(
  plane: Plane,
  incoming: Incoming,
  routed: Routed,
  cluster: Pick<Cluster, 'carrier' | 'orca' | 'config'>,
  ticket: Ticket | null,
): Outbound | Reason {
  const { route, target, caller } = routed;
  const { carrier, orca } = cluster;
  const { head, connection } = incoming;
  const path = rewritePath(route.rewrite, target.path);
  if (typeof path !== 'string') return path;
  // HTTP/1.0 without Host: a backend that needs one gets the address the client came to.
  const host = target.authority.text === '' ? connection.listener : target.authority.text;
  const hygiene = plane.compiled.requests;
  const known = ReusedFields.of(head, hygiene, route, cluster, host);
  let fields: MutableFields;
  if (known !== null) fields = known.withId(hygiene.idField, caller.requestId);
  else {
    const made = hygiene.forward(connection, head, host, caller, route, carrier);
    if (!Array.isArray(made)) return made as Reason;
    fields = made;
    orca?.ask(fields);
    ReusedFields.keep(fields, hygiene.idField, head, hygiene, route, cluster, host);
  }
  const moves = ticket !== null || (head.protocol !== '' && maySwitch(route, cluster));
  if (moves) offerToMove(fields, ticket?.session ?? plane.ids.hex(8));
  let query = carrier?.by === 'query' ? removeParameter(target.query, carrier.name) : target.query;
  if (ticket !== null) {
    query = removeParameter(query, TICKET_PARAMETER);
    const { session, from, epoch } = ticket;
    const resume = { session, from, epoch, atMs: plane.clock.wallMs() };
    if (from !== '') fields.push(RESUME_FIELD, signResume(resume, plane.compiled.leaseKey));
  }
  const leased = moves || carrier !== null;
  return { target: path + query, host: route.host ?? host, fields, leased, known };
}

/** How a WebSocket on this route is moved, if at all. */
export const migrateOf = ({ config }: CompiledRoute, cluster: Pick<Cluster, 'config'>): MigrateMode =>
  typeof config.websocket === 'object' ? config.websocket.migrate : cluster.config.websocket.migrate;

/** Its client's connection is kept when its backend changes. */
export const maySwitch = (route: CompiledRoute, cluster: Pick<Cluster, 'config'>): boolean =>
  migrateOf(route, cluster) === 'transparent';

/** A backend may compress over the bounds of messages, and the next one would not know by what; and it is told whose session it has. */
function offerToMove(fields: MutableFields, session: string): void {
  removeField(fields, 'sec-websocket-extensions');
  fields.push(SESSION_FIELD, session);
}

/** Until when the exchange must be over, in ms from now; 0 for no limit. */
export function timeLimitMs(incoming: Incoming, route: CompiledRoute): number {
  const own = route.config.timeout ?? 0;
  const { fields } = incoming.head;
  const asked = isGrpc(fields) ? (parseGrpcTimeoutMs(fieldValue(fields, 'grpc-timeout')) ?? 0) : 0;
  return own > 0 && asked > 0 ? Math.min(own, asked) : own + asked;
}

/** Of an answer: why this backend. Of a request from a trusted peer: that it wants to know. */
export const EXPLAIN_FIELD = 'Leaseway-Explain';
const EXPLAIN_LOWER = EXPLAIN_FIELD.toLowerCase();

/** True when the answer is to say why its backend was chosen. */
export function explains(plane: Plane, incoming: Incoming, { caller }: Routed): boolean {
  const mode = plane.compiled.config.debug.explain_header;
  if (mode !== 'trusted') return mode === 'always';
  return caller.trusted && fieldValue(incoming.head.fields, EXPLAIN_LOWER) !== undefined;
}
