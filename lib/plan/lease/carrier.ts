// How a cluster's leases travel: as a cookie, a request header or a query parameter, and under which name.

import { type Fields, fieldValue, nameIs } from '../../core/fields.ts';
import { cookieWriter, findCookie } from './cookie.ts';
import type { SessionLease } from './lease.ts';
import { findParameter } from './query.ts';
import type { LeaseTokens, TokenRejection } from './token.ts';

/** What a cluster's `sticky` says, as far as it is about carrying. */
export interface CarrierOptions {
  readonly by: 'cookie' | 'header' | 'query';
  readonly name?: string | undefined;
  readonly path: string;
  readonly same_site: 'Lax' | 'Strict' | 'None';
  readonly secure: 'auto' | 'always' | 'never';
  /** Milliseconds. */
  readonly term: number;
  readonly remember: number;
}

/** Every lease cookie of ours begins so unless the operator named it: none of them is a backend's business. */
export const LEASE_COOKIE_PREFIX = 'leaseway-';

export interface LeaseCarrier {
  readonly by: 'cookie' | 'header' | 'query';
  /** Lower case for a header. */
  readonly name: string;
  /** Cluster whose leases travel so. */
  readonly cluster: string;
  /** The field an answer carries a new lease in: flat name and value. */
  write(token: string, encrypted: boolean): readonly [name: string, value: string];
}

/**
 * One name for each cluster, so that two clusters behind one host do not overwrite each other's cookie:
 * `leaseway-CLUSTER`, `Leaseway-Lease`, `leaseway_lease`.
 */
export function leaseCarrier(options: CarrierOptions, cluster: string): LeaseCarrier {
  const { by } = options;
  if (by !== 'cookie') {
    const given = options.name ?? (by === 'header' ? 'Leaseway-Lease' : 'leaseway_lease');
    // A client that names its lease in the query reads the next one from the answer's header: it has no other place.
    const field = by === 'header' ? given : 'Leaseway-Lease';
    return {
      by,
      cluster,
      name: by === 'header' ? given.toLowerCase() : given,
      write: token => [field, token],
    };
  }
  const name = options.name ?? `${LEASE_COOKIE_PREFIX}${cluster}`;
  const write = cookieWriter({
    name,
    path: options.path,
    sameSite: options.same_site,
    secure: options.secure,
    maxAgeMs: Math.max(options.remember, options.term),
  });
  return {
    by,
    cluster,
    name,
    write: (token, encrypted) => ['Set-Cookie', write(token, encrypted)],
  };
}

/** The lease this request brings, why what it brings is none, or null when it brings nothing. Fields are the client's own. */
export function readLease(
  carrier: LeaseCarrier,
  tokens: LeaseTokens,
  fields: Fields,
  query: string,
): SessionLease | TokenRejection | 'other_cluster' | null {
  if (carrier.by === 'cookie') return readCookies(carrier, tokens, fields);
  const token =
    carrier.by === 'header' ? fieldValue(fields, carrier.name) : findParameter(query, carrier.name);
  return token ? ofCluster(carrier, tokens.verify(token)) : null;
}

/** The first that is genuine counts: a forged or foreign cookie before it (from a sibling domain, say) costs nothing but its MAC. */
function readCookies(
  carrier: LeaseCarrier,
  tokens: LeaseTokens,
  fields: Fields,
): SessionLease | TokenRejection | 'other_cluster' | null {
  let rejection: TokenRejection | 'other_cluster' | null = null;
  let tried = 0;
  for (let i = 0; i < fields.length; i += 2) {
    if (!nameIs(fields[i]!, 'cookie')) continue;
    const candidates = findCookie(fields[i + 1]!, carrier.name);
    if (candidates === null) continue;
    for (const token of candidates) {
      const read = ofCluster(carrier, tokens.verify(token));
      if (typeof read !== 'string') return read;
      rejection = read;
      if (++tried >= MAX_TRIED) return rejection;
    }
  }
  return rejection;
}

/** Each costs a MAC; HTTP/2 may split cookies over many fields. */
const MAX_TRIED = 4;

const ofCluster = (
  carrier: LeaseCarrier,
  read: SessionLease | TokenRejection,
): SessionLease | TokenRejection | 'other_cluster' =>
  typeof read === 'string' || read.cluster === carrier.cluster ? read : 'other_cluster';
