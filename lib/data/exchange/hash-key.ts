// What consistent_hash and maglev place a request by: the client, a header, a cookie, a query parameter or the path.

import { fieldValue } from '../../core/fields.ts';
import { hash32 } from '../../core/hash.ts';
import { findCookie } from '../../plan/lease/cookie.ts';
import { findParameter } from '../../plan/lease/query.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { Asked } from '../leases/ports.ts';
import type { Routed } from './prepare.ts';

/** uint32. A request without the header, cookie or parameter is placed by its client. */
export function hashKey(cluster: Cluster, incoming: Asked, routed: Routed): number {
  const { by, name = '' } = cluster.config.balance.hash;
  return hash32(hashedValue(by, name, incoming, routed) ?? routed.caller.address);
}

function hashedValue(by: string, name: string, incoming: Asked, routed: Routed): string | null | undefined {
  switch (by) {
    case 'header':
      return fieldValue(incoming.head.fields, name.toLowerCase());
    case 'cookie':
      return findCookie(fieldValue(incoming.head.fields, 'cookie') ?? '', name)?.[0];
    case 'query':
      return findParameter(routed.target.query, name);
    case 'path':
      return routed.target.path;
    default:
      return null;
  }
}
