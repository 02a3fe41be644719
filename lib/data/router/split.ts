// Shares a route's requests among clusters by weight (canary); a client that holds a lease stays with its cluster.

import type { RouteConfig } from '../../config/proxy.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { Random } from '../../core/random.ts';

export interface Split {
  /** In the order of the file; a lease may be of any of them. */
  readonly clusters: readonly string[];
  /**
   * A cluster by weight. `held` is the cluster of a valid lease and wins while its weight is over 0:
   * at 0 the operator has taken the canary back, and its sessions go home.
   */
  choose(random: Random, held?: string): string;
}

export function compileSplit(parts: NonNullable<RouteConfig['split']>, where: string): Split {
  const clusters = parts.map(part => part.cluster);
  const weights = parts.map(part => part.weight);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total <= 0) throw new LeasewayError('CONFIG_INVALID', `${where}.split: expected a weight over 0`);
  return {
    clusters,
    choose(random, held) {
      if (held !== undefined) {
        const at = clusters.indexOf(held);
        if (at >= 0 && weights[at]! > 0) return held;
      }
      let left = random.next() * total;
      let chosen = 0;
      for (let i = 0; i < weights.length; i++) {
        if (weights[i] === 0) continue;
        chosen = i; // the last one that may be taken, should rounding leave a crumb over
        left -= weights[i]!;
        if (left < 0) break;
      }
      return clusters[chosen]!;
    },
  };
}
