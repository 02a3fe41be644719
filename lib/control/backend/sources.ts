// Runs the discoveries of one cluster and passes on what they say; a reload restarts only those whose settings changed.

import type { BackendConfig, ClusterConfig } from '../../config/cluster.ts';
import { type Clock, sleep } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { Random } from '../../core/random.ts';
import type { LoadBackendFile } from './discovery/backend-list.ts';
import { dnsDiscovery } from './discovery/dns.ts';
import { fileDiscovery } from './discovery/file.ts';
import type { DiscoverySettings } from './discovery/settings.ts';
import { staticDiscovery } from './discovery/static.ts';
import { type NamedBackend, named } from './identity.ts';
import type { SourceKind } from './membership.ts';
import type { BackendChange, Discovery } from './ports.ts';

export interface SourceHands {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly load: LoadBackendFile;
  /** Backends that the API added to this cluster. */
  added(): readonly BackendConfig[];
  /** What this source has said so far. */
  known(source: SourceKind): readonly NamedBackend[];
  apply(source: SourceKind, change: BackendChange): void;
}

/** Adapters do not throw; should one, it is started again after this. */
const RESTART_MS = 5_000;

interface Running {
  /** The settings it was started with, as text. */
  readonly key: string;
  readonly aborter: AbortController;
  readonly answered: Promise<void>;
}

export class Sources implements Disposable {
  readonly #cluster: string;
  readonly #hands: SourceHands;
  readonly #running = new Map<SourceKind, Running>();

  constructor(cluster: string, hands: SourceHands) {
    this.#cluster = cluster;
    this.#hands = hands;
  }

  configure(config: ClusterConfig): void {
    const { dns, file } = config.discovery ?? {};
    const list = config.backends.map(named);
    this.#warnOfNames(config);
    this.#want('static', JSON.stringify(list), settings => staticDiscovery(list, settings));
    this.#want('file', file, settings => fileDiscovery(file!, this.#hands.load, settings));
    this.#want('dns', dns && JSON.stringify(dns), settings => dnsDiscovery(dns!, settings));
    // What is kept from before; orders that come later take effect before they are answered (see Cluster).
    this.#want('api', 'api', settings => staticDiscovery(this.#hands.added().map(named), settings));
  }

  /** Resolves when every source has answered once. */
  async answered(): Promise<void> {
    await Promise.all([...this.#running.values()].map(running => running.answered));
  }

  [Symbol.dispose](): void {
    for (const running of this.#running.values()) running.aborter.abort();
    this.#running.clear();
  }

  #want(source: SourceKind, key: string | undefined, make: (settings: DiscoverySettings) => Discovery): void {
    const running = this.#running.get(source);
    if (running?.key === key) return;
    running?.aborter.abort();
    this.#running.delete(source);
    if (key === undefined) {
      for (const { id } of this.#hands.known(source)) this.#hands.apply(source, { kind: 'remove', id });
      return;
    }
    const aborter = new AbortController();
    const answered = Promise.withResolvers<void>();
    this.#running.set(source, { key, aborter, answered: answered.promise });
    void this.#run(source, make, aborter.signal, () => answered.resolve());
  }

  async #run(
    source: SourceKind,
    make: (settings: DiscoverySettings) => Discovery,
    signal: AbortSignal,
    answered: () => void,
  ): Promise<void> {
    const { clock, random, log } = this.#hands;
    while (!signal.aborted) {
      try {
        const known = this.#hands.known(source);
        const discovery = make({ cluster: this.#cluster, clock, random, log, known, answered });
        for await (const change of discovery.watch(signal)) {
          // A later source of the same kind may have spoken since.
          if (signal.aborted) return;
          this.#hands.apply(source, change);
        }
        return;
      } catch (error) {
        log.error(`discovery of cluster ${this.#cluster} failed: ${messageOf(error)}; starting it again`, {
          source,
        });
        answered();
        await sleep(clock, RESTART_MS, signal);
      }
    }
  }

  /** A collision or a missing name is no error, but surely not what was meant. */
  #warnOfNames({ backends, discovery, tls }: ClusterConfig): void {
    const { log } = this.#hands;
    const seen = new Set<string>();
    for (const { id } of backends.map(named)) {
      if (seen.has(id)) log.warn(`cluster ${this.#cluster} names backend ${id} twice; the first is taken`);
      seen.add(id);
    }
    if (discovery?.dns?.scheme === 'https' && tls.verify && tls.server_name === undefined)
      log.warn(
        `cluster ${this.#cluster}: certificates of backends found by DNS are verified against their addresses; ` +
          'set tls.server_name to verify a name',
      );
  }
}
