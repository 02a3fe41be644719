// Snapshot → what requests meet: routes compiled, clusters joined to those of the snapshot before. Off the hot path.

import { hash32 } from '../core/hash.ts';
import type { IdSource } from '../core/ids.ts';
import type { LeaseKey, Snapshot } from '../orders/snapshot.ts';
import { Tickets } from '../plan/lease/ticket.ts';
import { LeaseTokens } from '../plan/lease/token.ts';
import { Cluster, type ClusterTools } from './cluster/cluster.ts';
import type { PlaneConfig } from './exchange/plane.ts';
import { AnswerHygiene } from './hygiene/answer-fields.ts';
import { RequestHygiene } from './hygiene/request-fields.ts';
import type { CompiledRoute } from './router/route.ts';
import { compileRouter, type Router } from './router/router.ts';

export interface CompileTools extends ClusterTools {
  readonly ids: IdSource;
}

/** One snapshot, ready for use; immutable but for the clusters, which live on from snapshot to snapshot. */
export class Compiled {
  readonly generation: number;
  readonly config: PlaneConfig;
  readonly router: Router;
  readonly clusters: ReadonlyMap<string, Cluster>;
  readonly tokens: LeaseTokens;
  readonly tickets: Tickets;
  readonly requests: RequestHygiene;
  readonly answers: AnswerHygiene;
  readonly hashSeed: number;
  readonly #routeSlots: readonly number[];
  readonly #leaseKeys: readonly LeaseKey[];

  constructor(
    snapshot: Snapshot,
    clusters: ReadonlyMap<string, Cluster>,
    router: Router,
    tokens: LeaseTokens,
    tools: CompileTools,
  ) {
    this.generation = snapshot.generation;
    this.config = snapshot.config;
    this.router = router;
    this.clusters = clusters;
    this.tokens = tokens;
    this.tickets = new Tickets(snapshot.leaseKeys);
    this.requests = new RequestHygiene(snapshot.config, tools.ids);
    this.answers = new AnswerHygiene(snapshot.config.via, tools.clock);
    this.hashSeed = hashSeed(snapshot);
    this.#routeSlots = snapshot.routeSlots;
    this.#leaseKeys = snapshot.leaseKeys;
  }

  /** Whether tokens were signed and remembered under these very keys. */
  signsWith(keys: readonly LeaseKey[]): boolean {
    return (
      keys.length === this.#leaseKeys.length && keys.every((key, i) => key.id === this.#leaseKeys[i]!.id)
    );
  }

  /** Signs what is new. */
  get leaseKey(): LeaseKey {
    return this.#leaseKeys[0]!;
  }

  /** Place of the route's counters on the scoreboard. */
  routeSlot(route: CompiledRoute): number {
    return this.#routeSlots[route.index] ?? 0;
  }
}

/** Clusters of `before` that the snapshot still names take its word and keep their connections; the others are closed. */
export function compile(snapshot: Snapshot, before: Compiled | null, tools: CompileTools): Compiled {
  // May throw: nothing of the snapshot before has been touched yet.
  const router = compileRouter(snapshot.config.routes);
  const tokens = tokensFor(snapshot, before);
  const clusters = new Map<string, Cluster>();
  for (const entry of snapshot.clusters) {
    const known = before?.clusters.get(entry.name);
    if (known === undefined) clusters.set(entry.name, new Cluster(entry, tools));
    else {
      known.update(entry);
      clusters.set(entry.name, known);
    }
  }
  for (const [name, cluster] of before?.clusters ?? []) if (!clusters.has(name)) cluster.close();
  return new Compiled(snapshot, clusters, router, tokens, tools);
}

/** The verified tokens that are remembered outlive a reload, unless the keys changed. */
const tokensFor = (snapshot: Snapshot, before: Compiled | null): LeaseTokens =>
  before?.signsWith(snapshot.leaseKeys) ? before.tokens : new LeaseTokens(snapshot.leaseKeys);

/** Of the hashes that shared tables are kept by: secret, so that nobody can aim at another's place, and the same for all workers. */
export const hashSeed = (snapshot: Snapshot): number =>
  hash32(Buffer.from(snapshot.leaseKeys[0]!.secret).toString('latin1'));
