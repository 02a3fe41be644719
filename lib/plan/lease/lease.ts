// A session lease as the data plane sees it: which session goes to which backend, until when, and how fresh that word is.

/** Dynamic leases may be moved for load and at the start of a drain; static ones only for failure and at a drain's end. */
export type LeaseType = 'dynamic' | 'static';

/** SPEC's ClientSession: affinity, not ownership. Carried by the client, signed, never looked up. */
export interface SessionLease {
  /** 16 hex digits, random; stays the same when the lease is renewed or moved. */
  readonly id: string;
  readonly cluster: string;
  /** Empty when it holds on every route of the cluster. */
  readonly route: string;
  readonly backend: string;
  /** The backend's durable generation when this was granted: its fencing epoch. */
  readonly generation: number;
  readonly type: LeaseType;
  /** Unix time. */
  readonly expiresMs: number;
}

/** How a cluster grants leases; milliseconds. */
export interface LeaseTerms {
  readonly type: LeaseType;
  readonly termMs: number;
  readonly rememberMs: number;
}

/** Where the new lease leads. */
export interface Placement {
  readonly cluster: string;
  readonly route: string;
  readonly backend: string;
  readonly generation: number;
}

/** A lease for the placement from now on. `id` is that of the lease it follows, or a new one. */
export const grantLease = (id: string, to: Placement, terms: LeaseTerms, wallMs: number): SessionLease => ({
  id,
  cluster: to.cluster,
  route: to.route,
  backend: to.backend,
  generation: to.generation,
  type: terms.type,
  expiresMs: Math.floor(wallMs + terms.termMs),
});
