// One backend as a worker holds it: its place on the scoreboard, and its connections, made when first needed.

import type { Clock } from '../../core/clock.ts';
import { hash32 } from '../../core/hash.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { BackendEntry, ClusterEntry } from '../../orders/snapshot.ts';
import type { Limiter } from '../../plan/overload/limiter.ts';
import type { Descriptors } from '../descriptors.ts';
import type { Upstream } from '../ports.ts';
import { createUpstream, upstreamKey } from '../upstream/create.ts';
import type { OrcaIntake } from './orca-intake.ts';
import type { Seat } from './seat.ts';

export interface MemberTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly descriptors?: Descriptors | undefined;
  /** Who speaks HTTP/1.1 to it. */
  readonly http1?: 'native' | 'node';
}

export class Member {
  readonly id: string;
  readonly slot: number;
  readonly slotGeneration: number;
  /** Of its name: where leases that are shed go is the same on every proxy. */
  readonly seed: number;
  /** host:port of the URL, for records. */
  readonly address: string;
  readonly port: number;
  readonly scheme: 'http' | 'https';
  /** Changes with anything that matters to open connections. */
  readonly key: string;
  /** Where its load reports go; null when its cluster does not use them. The cluster sets it. */
  orca: OrcaIntake | null = null;
  /** Where its cluster learns of it; null when the policy learns nothing. The cluster sets it. */
  seat: Seat | null = null;
  /** Finds the limit of requests at once; null when it is fixed or there is none. The cluster sets it. */
  limiter: Limiter | null = null;
  /** Its generation as it is told of it. */
  epoch: string;
  #entry: BackendEntry;
  readonly #cluster: ClusterEntry;
  readonly #tools: MemberTools;
  #upstream: Upstream | null = null;

  constructor(cluster: ClusterEntry, entry: BackendEntry, tools: MemberTools) {
    const url = new URL(entry.url);
    this.id = entry.id;
    this.seed = hash32(entry.id);
    this.slot = entry.slot;
    this.slotGeneration = entry.slotGeneration;
    this.scheme = url.protocol === 'https:' ? 'https' : 'http';
    this.address = url.hostname;
    this.port = url.port === '' ? (this.scheme === 'https' ? 443 : 80) : Number(url.port);
    this.key = upstreamKey(cluster, entry);
    this.epoch = String(entry.generation);
    this.#entry = entry;
    this.#cluster = cluster;
    this.#tools = tools;
  }

  get entry(): BackendEntry {
    return this.#entry;
  }

  /** The same backend by a newer snapshot: connections stay. */
  update(entry: BackendEntry): void {
    this.epoch = String(entry.generation);
    this.#entry = entry;
  }

  get upstream(): Upstream {
    this.#upstream ??= createUpstream(this.#cluster, this.#entry, this.#tools);
    return this.#upstream;
  }

  /** What it speaks, as far as the configuration fixes it. */
  get version(): '1.1' | '2' {
    return this.#cluster.config.protocol === 'h2' ? '2' : '1.1';
  }

  get connections(): number {
    return this.#upstream?.connections ?? 0;
  }

  /** What is under way ends in its own time. */
  close(): void {
    this.#upstream?.close();
  }
}
