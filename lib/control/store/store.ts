// The store port: records under keys, changed by compare-and-set, watched. Two adapters keep one contract (test/contract/store.ts).

/** Limits that every adapter keeps, so that what works embedded works with etcd (max-txn-ops 128, max-request-bytes 1.5 MiB). */
export const MAX_OPERATIONS = 128;
export const MAX_KEY_LENGTH = 512;
export const MAX_VALUE_BYTES = 512 * 1024;

/**
 * A point in the history of the whole store. Each commit that changes something raises it, and it never falls, not by a crash
 * either. So an epoch taken from a revision is above every epoch before it, even of records deleted since.
 */
export type Revision = number;

export interface Versioned {
  readonly key: string;
  /** Plain JSON. */
  readonly value: unknown;
  /** Of the commit that wrote this value. */
  readonly revision: Revision;
}

/** Holds when the record was last written at exactly this revision; 0: when there is none. */
export interface Check {
  readonly key: string;
  readonly revision: Revision;
}

/** `value` undefined deletes. */
export interface Write {
  readonly key: string;
  readonly value: unknown;
}

export type CommitResult =
  | { readonly ok: true; readonly revision: Revision }
  /** Nothing was written; `found` are the present records of the checks that failed, null where there is none. */
  | {
      readonly ok: false;
      readonly revision: Revision;
      readonly found: readonly { readonly key: string; readonly record: Versioned | null }[];
    };

export type StoreEvent =
  | { readonly kind: 'put'; readonly record: Versioned }
  | { readonly kind: 'delete'; readonly key: string; readonly revision: Revision }
  /** What lies between is not known any more, and the watch ends: list again, and watch from that revision. */
  | { readonly kind: 'reset' };

export interface Listing {
  /** In the order of their keys. */
  readonly records: readonly Versioned[];
  /** The state that was read; `watch` from here misses nothing. */
  readonly revision: Revision;
}

export interface LeaseStore extends AsyncDisposable {
  /** All records whose key begins with `prefix`. Rejects with STORE_UNAVAILABLE. */
  list(prefix: string): Promise<Listing>;
  /**
   * Writes all or nothing; resolves when it is durable. Without writes it asks whether the checks hold.
   * Rejects with STORE_UNAVAILABLE (then it may or may not have happened: read again), STORE_BUSY (it has not)
   * and CONFLICT for what no store takes: too many operations, a key twice, a key or value too large.
   */
  commit(checks: readonly Check[], writes: readonly Write[]): Promise<CommitResult>;
  /** The changes after `from`, in order, those of one commit together, until `signal` aborts. */
  watch(prefix: string, from: Revision, signal: AbortSignal): AsyncIterable<readonly StoreEvent[]>;
}
