// The embedded store: one SQLite file, in the control thread. All commits of one turn of the event loop share a transaction.

import { LeasewayError, messageOf } from '../../core/errors.ts';
import { type Draft, draftOf } from './limits.ts';
import { Records } from './records.ts';
import type { Check, CommitResult, LeaseStore, Listing, Revision, StoreEvent, Write } from './store.ts';
import { Wakeups } from './wakeups.ts';

export interface EmbeddedSettings {
  /** Made when missing, mode 0600. */
  readonly path: string;
  /** The first revision of a new file: above all that a lost file may have granted. The wall clock in ms will do. */
  readonly firstRevision: Revision;
  /** Calls `run` again and again until disposed: looks for commits of another process (two run during an upgrade). */
  poll(run: () => void): Disposable;
  /** Changes that a watcher may lag behind. */
  readonly history?: number;
}

/** Commits that may wait for the next transaction. */
const MAX_PENDING = 10_000;
const HISTORY = 10_000;

interface Pending {
  readonly draft: Draft;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/** Throws STORE_UNAVAILABLE when the file cannot be opened or is none of ours. */
export function openEmbeddedStore(settings: EmbeddedSettings): LeaseStore {
  return new EmbeddedStore(settings);
}

class EmbeddedStore implements LeaseStore {
  readonly #path: string;
  readonly #records: Records;
  readonly #wakeups = new Wakeups();
  readonly #polling: Disposable;
  #pending: Pending[] = [];
  #closed = false;

  constructor({ path, firstRevision, poll, history = HISTORY }: EmbeddedSettings) {
    this.#path = path;
    this.#records = this.#guard(() => new Records(path, firstRevision, history));
    let seen = this.#records.dataVersion();
    this.#polling = poll(() => {
      if (this.#wakeups.size === 0) return;
      const version = this.#records.dataVersion();
      if (version !== seen) this.#wakeups.wake();
      seen = version;
    });
  }

  async list(prefix: string): Promise<Listing> {
    return this.#guard(() => this.#records.list(prefix));
  }

  async commit(checks: readonly Check[], writes: readonly Write[]): Promise<CommitResult> {
    const draft = draftOf(checks, writes);
    if (this.#closed) throw new LeasewayError('STORE_UNAVAILABLE', 'it is closed');
    if (this.#pending.length >= MAX_PENDING)
      throw new LeasewayError('STORE_BUSY', `${MAX_PENDING} commits wait already`);
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    this.#pending.push({ draft, resolve, reject });
    // After all that this turn of the loop still asks for: syncing the disk is what costs, and it is done once.
    if (this.#pending.length === 1) setImmediate(() => this.#flush());
    return promise;
  }

  async *watch(
    prefix: string,
    from: Revision,
    signal: AbortSignal,
  ): AsyncGenerator<readonly StoreEvent[], void, undefined> {
    let at = from;
    while (!signal.aborted && !this.#closed) {
      // Asked for before reading: a commit in between is not slept through.
      const wakeup = this.#wakeups.next(signal);
      const changes = this.#guard(() => this.#records.changes(prefix, at));
      at = changes.revision;
      if (changes.events.length > 0) yield changes.events;
      if (changes.events[0]?.kind === 'reset') return;
      // A page may be all there was room for.
      if (changes.events.length === 0 && changes.whole) await wakeup;
    }
  }

  /** What was asked for is still written. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    this.#closed = true;
    this.#polling[Symbol.dispose]();
    this.#wakeups.close();
    this.#records.close();
  }

  #flush(): void {
    const batch = this.#pending;
    if (batch.length === 0) return;
    this.#pending = [];
    let results: readonly CommitResult[];
    try {
      results = this.#guard(() => this.#records.commit(batch.map(({ draft }) => draft)));
    } catch (error) {
      for (const { reject } of batch) reject(error as Error);
      return;
    }
    for (let i = 0; i < batch.length; i++) batch[i]!.resolve(results[i]!);
    this.#wakeups.wake();
  }

  #guard<T>(run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof LeasewayError) throw error;
      throw new LeasewayError('STORE_UNAVAILABLE', `${this.#path}: ${messageOf(error)}`, error);
    }
  }
}
