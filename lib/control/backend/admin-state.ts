// What operators decided (drain, maintenance, weight) and the backends they added: written before it is answered.

import { z } from 'zod';
import type { BackendConfig } from '../../config/cluster.ts';
import { Capacity, type CapacityConfig } from '../../config/forecast.ts';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';
import { loadState, readEntries, setAside } from './durable-file.ts';
import type { AdminRecord } from './ports.ts';

/** Records kept, for backends that are away too: a drained address that DNS forgets for a minute stays drained. */
const MAX_RECORDS = 8192;
const MAX_ADDED = 4096;

const READY: AdminRecord = Object.freeze({ state: 'ready' });

const StoredRecord = z
  .object({
    cluster: z.string(),
    id: z.string(),
    state: z.enum(['ready', 'drain', 'maintenance']),
    weight: z.number().min(0).max(1000).optional(),
    drainUntilMs: z.number().optional(),
  })
  .transform(({ weight, drainUntilMs, ...rest }) => ({
    ...rest,
    ...(weight === undefined ? {} : { weight }),
    ...(drainUntilMs === undefined ? {} : { drainUntilMs }),
  }));
const StoredBackend = z.object({
  cluster: z.string(),
  id: z.string(),
  url: z.string().refine(text => URL.canParse(text)),
  weight: z.number().min(0).max(1000),
  capacity: Capacity.optional(),
});
type StoredRecord = AdminRecord & { readonly cluster: string; readonly id: string };
type StoredBackend = z.output<typeof StoredBackend>;

interface Content {
  readonly records: readonly StoredRecord[];
  readonly added: readonly StoredBackend[];
}

export class AdminState {
  readonly #path: string;
  readonly #log: Log;
  #records = new Map<string, StoredRecord>();
  #added = new Map<string, StoredBackend>();

  constructor(path: string, log: Log) {
    this.#path = path;
    this.#log = log;
    const loaded = loadState(path, log);
    const { content, damaged } = parse(loaded.content);
    if (damaged > 0) {
      log.error(
        `${path}: ${damaged} entries cannot be read and are ignored; the file is kept as ${path}.bad`,
      );
      setAside(path, log);
    }
    this.#adopt(content);
    if (damaged > 0) this.#write(content);
  }

  get(cluster: string, id: string): AdminRecord {
    return this.#records.get(key(cluster, id)) ?? READY;
  }

  /** Throws INTERNAL when it cannot be written; then nothing has changed. */
  set(cluster: string, id: string, record: AdminRecord): void {
    const plain = record.state === 'ready' && record.weight === undefined;
    this.#change(content => {
      const others = content.records.filter(r => r.cluster !== cluster || r.id !== id);
      // The oldest give way: an operator's newest word matters most.
      return {
        ...content,
        records: plain ? others : [...others, { cluster, id, ...record }].slice(-MAX_RECORDS),
      };
    });
  }

  /** Backends that the API added to `cluster`. */
  added(cluster: string): readonly BackendConfig[] {
    return [...this.#added.values()]
      .filter(entry => entry.cluster === cluster)
      .map(({ cluster: _, ...backend }) => backend);
  }

  add(
    cluster: string,
    backend: {
      readonly id: string;
      readonly url: string;
      readonly weight: number;
      readonly capacity?: CapacityConfig | undefined;
    },
  ): void {
    if (this.#added.size >= MAX_ADDED)
      throw new LeasewayError('CONFLICT', `${MAX_ADDED} backends were added by the API already; remove some`);
    this.#change(content => ({ ...content, added: [...content.added, { cluster, ...backend }] }));
  }

  remove(cluster: string, id: string): void {
    this.#change(content => ({
      ...content,
      added: content.added.filter(entry => entry.cluster !== cluster || entry.id !== id),
    }));
  }

  /**
   * Reads the file before each change: during an upgrade two processes hold it, and neither may undo what the other
   * was told.
   */
  #change(edit: (content: Content) => Content): void {
    let current: Content = { records: [...this.#records.values()], added: [...this.#added.values()] };
    try {
      const onDisk = readStateFile(this.#path);
      if (onDisk !== undefined) {
        const read = parse(onDisk);
        if (read.damaged === 0) current = read.content;
      }
    } catch (error) {
      this.#log.error(`state file ${this.#path} was damaged meanwhile: ${messageOf(error)}; writing it anew`);
    }
    const next = edit(current);
    this.#write(next);
    this.#adopt(next);
  }

  #write(content: Content): void {
    try {
      writeStateFile(this.#path, { version: 1, ...content });
    } catch (error) {
      throw new LeasewayError('INTERNAL', `cannot write ${this.#path}: ${messageOf(error)}`, error);
    }
  }

  #adopt(content: Content): void {
    this.#records = new Map(content.records.map(record => [key(record.cluster, record.id), record]));
    this.#added = new Map(content.added.map(entry => [key(entry.cluster, entry.id), entry]));
  }
}

/** Cluster names hold no slash, so the key is unambiguous. */
const key = (cluster: string, id: string): string => `${cluster}/${id}`;

function parse(content: unknown): { readonly content: Content; readonly damaged: number } {
  const records = readEntries(content, 'records', entry => StoredRecord.safeParse(entry).data);
  const added = readEntries(content, 'added', entry => StoredBackend.safeParse(entry).data);
  const shapeless = content !== undefined && (typeof content !== 'object' || content === null) ? 1 : 0;
  return {
    content: { records: records.entries, added: added.entries },
    damaged: records.damaged + added.damaged + shapeless,
  };
}
