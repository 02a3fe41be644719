// Builds the snapshot for the workers out of what the parts of the control plane know.

import { type ProxyConfig, routeName } from '../config/proxy.ts';
import { LeasewayError } from '../core/errors.ts';
import type { ClusterEntry, LeaseKey, ListenerEntry, Snapshot } from '../orders/snapshot.ts';

/** Places for route metrics on the scoreboard. */
const ROUTE_SLOTS = 1024;

export interface SnapshotParts {
  readonly config: ProxyConfig;
  readonly clusters: readonly ClusterEntry[];
  readonly listeners: readonly ListenerEntry[];
  readonly leaseKeys: readonly LeaseKey[];
  readonly ticketKeys: Uint8Array;
}

export class SnapshotBuilder {
  #generation: number;
  /** A route keeps its place over reloads, or its counters would become another's. */
  readonly #routeSlots = new Map<string, number>();

  constructor(generation: number) {
    this.#generation = generation;
  }

  get generation(): number {
    return this.#generation;
  }

  /** Route names by their place on the scoreboard, those that are gone included: their counters remain. */
  get routeNames(): ReadonlyMap<string, number> {
    return this.#routeSlots;
  }

  build(parts: SnapshotParts): Snapshot {
    const { clusters: _, ...config } = parts.config;
    this.#generation += 1;
    return {
      generation: this.#generation,
      config,
      clusters: parts.clusters,
      listeners: parts.listeners,
      leaseKeys: parts.leaseKeys,
      ticketKeys: parts.ticketKeys,
      routeSlots: parts.config.routes.map((route, index) => this.#slotOf(routeName(route, index))),
    };
  }

  #slotOf(name: string): number {
    const known = this.#routeSlots.get(name);
    if (known !== undefined) return known;
    if (this.#routeSlots.size >= ROUTE_SLOTS) {
      throw new LeasewayError(
        'CONFIG_INVALID',
        `more than ${ROUTE_SLOTS} different route names since the start; restart to count anew`,
      );
    }
    this.#routeSlots.set(name, this.#routeSlots.size);
    return this.#routeSlots.size - 1;
  }
}
