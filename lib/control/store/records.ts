// The tables of the embedded store, and the statements on them. Synchronous; knows SQLite and nothing else.

import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { LeasewayError } from '../../core/errors.ts';
import type { Draft } from './limits.ts';
import type { CommitResult, Listing, Revision, StoreEvent, Versioned } from './store.ts';

/** "lswy": a file of another program is not written to. */
const APPLICATION_ID = 0x6c737779;
const FORMAT = 1;
/** Changes read at a time for one watcher, rounded up to whole commits. */
const PAGE = 256;
/** The other process of an upgrade may be writing. */
const BUSY_MS = 2_000;

// WITHOUT ROWID: the key is the tree. `change` is the history that watchers read; a NULL text is a deletion.
const SCHEMA = `
  CREATE TABLE record (key TEXT PRIMARY KEY, text TEXT NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID, STRICT;
  CREATE TABLE change (revision INTEGER NOT NULL, key TEXT NOT NULL, text TEXT, PRIMARY KEY (revision, key))
    WITHOUT ROWID, STRICT;
  CREATE TABLE history (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER NOT NULL,
    forgotten INTEGER NOT NULL) STRICT;
`;

interface RecordRow {
  readonly key: string;
  readonly text: string;
  readonly revision: number;
}

interface ChangeRow {
  readonly key: string;
  readonly text: string | null;
  readonly revision: number;
}

export interface Changes {
  readonly events: readonly StoreEvent[];
  /** Where to read on. */
  readonly revision: Revision;
  /** There was nothing more. */
  readonly whole: boolean;
}

export class Records {
  readonly #db: DatabaseSync;
  readonly #history: number;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #list: StatementSync;
  readonly #now: StatementSync;
  readonly #advance: StatementSync;
  readonly #note: StatementSync;
  readonly #since: StatementSync;
  readonly #rest: StatementSync;
  readonly #forget: StatementSync;
  readonly #forgotten: StatementSync;
  readonly #dataVersion: StatementSync;
  /** Commits until the history is cut again. */
  #untilCut = 0;

  /** Throws what SQLite throws, and STORE_UNAVAILABLE for a file of another program or a later version. */
  constructor(path: string, firstRevision: Revision, history: number) {
    this.#history = history;
    // SQLite makes files with the mode of the umask; its side files take the mode of this one.
    closeSync(openSync(path, 'a', 0o600));
    chmodSync(path, 0o600);
    const db = new DatabaseSync(path, { timeout: BUSY_MS });
    this.#db = db;
    try {
      prepareFile(db, path, firstRevision);
    } catch (error) {
      db.close();
      throw error;
    }
    this.#get = db.prepare('SELECT key, text, revision FROM record WHERE key = ?');
    this.#put = db.prepare(
      'INSERT INTO record VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET text = excluded.text, revision = excluded.revision',
    );
    this.#delete = db.prepare('DELETE FROM record WHERE key = ?');
    // Keys are visible ASCII: DEL is above all that may follow the prefix.
    this.#list = db.prepare(
      "SELECT key, text, revision FROM record WHERE key >= ?1 AND key < ?1 || '\u007f' ORDER BY key",
    );
    this.#now = db.prepare('SELECT revision, forgotten FROM history');
    this.#advance = db.prepare('UPDATE history SET revision = ?');
    this.#note = db.prepare('INSERT INTO change VALUES (?, ?, ?)');
    this.#since = db.prepare(
      'SELECT revision, key, text FROM change WHERE revision > ? ORDER BY revision, key LIMIT ?',
    );
    this.#rest = db.prepare(
      'SELECT revision, key, text FROM change WHERE revision = ? AND key > ? ORDER BY key',
    );
    this.#forget = db.prepare('DELETE FROM change WHERE revision <= ?');
    this.#forgotten = db.prepare('UPDATE history SET forgotten = ?');
    this.#dataVersion = db.prepare('PRAGMA data_version');
  }

  list(prefix: string): Listing {
    return this.#transaction('BEGIN', () => ({
      records: (this.#list.all(prefix) as unknown as RecordRow[]).map(versioned),
      revision: this.#revision(),
    }));
  }

  /** One transaction, one sync of the disk; a draft whose checks fail leaves the others alone. */
  commit(drafts: readonly Draft[]): readonly CommitResult[] {
    return this.#transaction('BEGIN IMMEDIATE', () => {
      const first = this.#revision();
      let revision = first;
      const results = drafts.map((draft): CommitResult => {
        const found = draft.checks.flatMap(({ key, revision }) => {
          const row = this.#get.get(key) as unknown as RecordRow | undefined;
          return (row?.revision ?? 0) === revision
            ? []
            : [{ key, record: row === undefined ? null : versioned(row) }];
        });
        if (found.length > 0) return { ok: false, revision, found };
        if (this.#apply(draft, revision + 1)) revision += 1;
        return { ok: true, revision };
      });
      if (revision !== first) this.#advance.run(revision);
      this.#cut(revision);
      return results;
    });
  }

  /** Changes after `from` under `prefix`; never part of a commit. */
  changes(prefix: string, from: Revision): Changes {
    return this.#transaction('BEGIN', () => {
      const { revision, forgotten } = this.#state();
      // `from` ahead of us: a file from before a loss; the caller's state is of another history.
      if (from < forgotten || from > revision) return { events: [{ kind: 'reset' }], revision, whole: false };
      const rows = this.#since.all(from, PAGE) as unknown as ChangeRow[];
      const last = rows.at(-1);
      const whole = rows.length < PAGE;
      if (last !== undefined && !whole)
        rows.push(...(this.#rest.all(last.revision, last.key) as unknown as ChangeRow[]));
      const events = rows.filter(({ key }) => key.startsWith(prefix)).map(eventOf);
      return { events, revision: last?.revision ?? from, whole };
    });
  }

  /** Another number when another process has committed since. */
  dataVersion(): number {
    return (this.#dataVersion.get() as { data_version: number }).data_version;
  }

  close(): void {
    this.#db.close();
  }

  /** False when there was nothing to change: deleting what is not there is no event. */
  #apply({ writes }: Draft, revision: Revision): boolean {
    let changed = false;
    for (const { key, text } of writes) {
      if (text !== null) this.#put.run(key, text, revision);
      else if (this.#delete.run(key).changes === 0) continue;
      this.#note.run(revision, key, text);
      changed = true;
    }
    return changed;
  }

  #cut(revision: Revision): void {
    if (--this.#untilCut > 0) return;
    this.#untilCut = Math.ceil(this.#history / 8);
    const upTo = revision - this.#history;
    if (upTo <= this.#state().forgotten) return;
    this.#forget.run(upTo);
    this.#forgotten.run(upTo);
  }

  #state(): { readonly revision: Revision; readonly forgotten: Revision } {
    return this.#now.get() as { revision: number; forgotten: number };
  }

  #revision(): Revision {
    return this.#state().revision;
  }

  #transaction<T>(begin: string, run: () => T): T {
    this.#db.exec(begin);
    try {
      const result = run();
      this.#db.exec('COMMIT');
      return result;
    } catch (error) {
      // A full disk may have rolled back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}

function prepareFile(db: DatabaseSync, path: string, firstRevision: Revision): void {
  // FULL: a commit that was answered survives the loss of power, not only of the process.
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  const { application_id: application } = db.prepare('PRAGMA application_id').get() as {
    application_id: number;
  };
  const { user_version: format } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as { tables: number };
  if (application === 0 && tables === 0) {
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${FORMAT}; ${SCHEMA}`);
    db.prepare('INSERT INTO history VALUES (1, ?1, ?1)').run(firstRevision);
  } else if (application !== APPLICATION_ID || format !== FORMAT)
    throw new LeasewayError(
      'STORE_UNAVAILABLE',
      application === APPLICATION_ID
        ? `${path} was written by another version of leaseway (format ${format}, this one reads ${FORMAT})`
        : `${path} is a database of another program`,
    );
  db.exec('COMMIT');
}

const versioned = ({ key, text, revision }: RecordRow): Versioned => ({
  key,
  value: JSON.parse(text),
  revision,
});

const eventOf = ({ key, text, revision }: ChangeRow): StoreEvent =>
  text === null
    ? { kind: 'delete', key, revision }
    : { kind: 'put', record: { key, value: JSON.parse(text), revision } };
