// What the control plane decides for the data plane at once: one immutable value, built off the path, swapped whole.

import type { ClusterConfig } from '../config/cluster.ts';
import type { ListenerConfig, ProxyConfig } from '../config/proxy.ts';

/** A backend with its place on the scoreboard. */
export interface BackendEntry {
  /** Unique within its cluster. */
  readonly id: string;
  readonly url: string;
  readonly weight: number;
  /** Index into the scoreboard's cells; free again only when nothing is in flight there. */
  readonly slot: number;
  /** Rises each time the slot gets another backend. */
  readonly slotGeneration: number;
  /** Durable: raised by drain, failover and revoke; never falls, across restarts too. Leases carry it. */
  readonly generation: number;
}

export interface ClusterEntry {
  readonly name: string;
  readonly config: ClusterConfig;
  readonly backends: readonly BackendEntry[];
  /** PEM texts of `config.tls`, read by the control plane. */
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

/** A listener's PEM texts, read and checked by the control plane; names are those of the certificate. */
export interface CertificateEntry {
  readonly cert: string;
  readonly key: string;
  /** DNS names and addresses, lower case, wildcards as `*.example.org`. */
  readonly names: readonly string[];
}

export interface ListenerEntry {
  readonly config: ListenerConfig;
  readonly certificates: readonly CertificateEntry[];
  readonly clientCa?: string;
}

/** Signs and verifies lease tokens; the first signs, all verify. `id` is 8 hex digits of the secret's hash. */
export interface LeaseKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

/** Plain data, made for structured clone. */
export interface Snapshot {
  /** Rises by one with each snapshot, across restarts of the control thread too. */
  readonly generation: number;
  /** `clusters` of it are not to be read: see `clusters` below, which holds the backends as discovered. */
  readonly config: Omit<ProxyConfig, 'clusters'>;
  readonly clusters: readonly ClusterEntry[];
  readonly listeners: readonly ListenerEntry[];
  readonly leaseKeys: readonly LeaseKey[];
  /** Place on the scoreboard of each of `config.routes`; a name keeps its place over reloads. */
  readonly routeSlots: readonly number[];
  /** 48 bytes, shared by all workers so that a session resumes on any of them; rotated by the control plane. */
  readonly ticketKeys: Uint8Array;
}
