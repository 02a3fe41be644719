// Whether moves are frozen, of all clusters or of some: on disk before it is answered, since a restart must not thaw.

import { z } from 'zod';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';
import { loadState, readEntries } from '../backend/durable-file.ts';
import type { Freeze } from './ports.ts';

const MAX_FREEZES = 4_096;
const Stored = z.object({ cluster: z.string().nullable(), sinceMs: z.number() });

export class Freezer {
  readonly #path: string;
  #freezes: readonly Freeze[];

  constructor(path: string, log: Log) {
    this.#path = path;
    const loaded = loadState(path, log);
    this.#freezes = parse(loaded.content);
    // Somebody wanted something frozen and nobody can tell what: rather too still than a flood of moves.
    if (loaded.damaged) this.#freezes = [{ cluster: null, sinceMs: 0 }];
  }

  get all(): readonly Freeze[] {
    return this.#freezes;
  }

  isFrozen(cluster: string): boolean {
    if (this.#freezes.length === 0) return false;
    return this.#freezes.some(freeze => freeze.cluster === null || freeze.cluster === cluster);
  }

  /** Throws INTERNAL when it cannot be written; then nothing has changed. */
  freeze(cluster: string | null, nowWallMs: number): void {
    if (this.#freezes.some(freeze => freeze.cluster === cluster)) return;
    this.#change(list => [
      ...list.filter(freeze => freeze.cluster !== cluster).slice(1 - MAX_FREEZES),
      { cluster, sinceMs: nowWallMs },
    ]);
  }

  /** Null thaws every cluster. */
  unfreeze(cluster: string | null): void {
    this.#change(list => (cluster === null ? [] : list.filter(freeze => freeze.cluster !== cluster)));
  }

  /** Reads the file before each change: during an upgrade two processes hold it. */
  #change(edit: (list: readonly Freeze[]) => readonly Freeze[]): void {
    let current = this.#freezes;
    try {
      const onDisk = readStateFile(this.#path);
      if (onDisk !== undefined) current = parse(onDisk);
    } catch {
      // Damaged meanwhile: what is known is written anew.
    }
    const next = edit(current);
    try {
      writeStateFile(this.#path, { version: 1, freezes: next });
    } catch (error) {
      throw new LeasewayError('INTERNAL', `cannot write ${this.#path}: ${messageOf(error)}`, error);
    }
    this.#freezes = next;
  }
}

const parse = (content: unknown): readonly Freeze[] =>
  readEntries(content, 'freezes', entry => Stored.safeParse(entry).data).entries;
