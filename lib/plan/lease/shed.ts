// Which leases leave a backend that sheds, and where each goes: by hashes alone, so that all workers and proxies agree,
// and the parallel requests of one client.

import { hash32, mix32 } from '../../core/hash.ts';

/** Places on the unit: fractions count in 1/65,536. */
const PLACE_BITS = 16;

/** Does this lease lie in the part that leaves in this turn? Allocates nothing. */
export const isShed = (
  id: string,
  { shedFraction, shedTurn }: { readonly shedFraction: number; readonly shedTurn: number },
): boolean => hash32(id, shedTurn) >>> (32 - PLACE_BITS) < shedFraction;

export interface ShedTarget {
  /** Of the backend's name: the same on every proxy. */
  readonly seed: number;
  readonly weight: number;
}

/**
 * Weighted rendezvous (Thaler and Ravishankar 1998; weights after Schindelhauer and Schomaker 2005): each target takes its share, and when one
 * goes only its own are shared out anew. Undefined without targets.
 */
export function shedTarget<T extends ShedTarget>(
  id: string,
  turn: number,
  targets: Iterable<T>,
): T | undefined {
  const key = hash32(id, mix32(turn + 1));
  let best: T | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const target of targets) {
    const unit = (mix32(key ^ target.seed) + 1) / 4_294_967_297;
    const score = -Math.log(unit) / target.weight;
    if (score >= least) continue;
    least = score;
    best = target;
  }
  return best;
}
