// Events that operators and programs told the admin API: written down before they are answered, forgotten when over.

import { z } from 'zod';
import { LeasewayError, messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { readStateFile, writeStateFile } from '../../core/state-file.ts';
import { loadState, readEntries } from '../backend/durable-file.ts';
import type { Announcement } from './ports.ts';

const MAX_ANNOUNCED = 256;

const Stored = z.object({
  id: z.string(),
  cluster: z.string(),
  name: z.string(),
  backends: z.array(z.string()).nullable(),
  factor: z.number().min(0).max(50),
  startMs: z.number(),
  endMs: z.number(),
});

export type Announced = z.output<typeof Stored>;

export class Announcements {
  readonly #path: string;
  #list: readonly Announced[];

  constructor(path: string, log: Log) {
    this.#path = path;
    const { entries, damaged } = parse(loadState(path, log).content);
    if (damaged > 0) log.error(`${path}: ${damaged} events cannot be read and are ignored`, { path });
    this.#list = entries;
  }

  of(cluster: string): readonly Announced[] {
    return this.#list.filter(event => event.cluster === cluster);
  }

  get all(): readonly Announced[] {
    return this.#list;
  }

  /** Throws CONFLICT when there are too many, INTERNAL when it cannot be written; then nothing has changed. */
  add(event: Announcement, id: string, nowWallMs: number): Announced {
    const announced = { id, ...event, backends: event.backends === null ? null : [...event.backends] };
    this.#change(list => {
      const open = list.filter(({ endMs }) => endMs > nowWallMs);
      if (open.length >= MAX_ANNOUNCED)
        throw new LeasewayError('CONFLICT', `${MAX_ANNOUNCED} events are announced already; cancel some`);
      return [...open, announced];
    });
    return announced;
  }

  /** Throws NOT_FOUND. */
  cancel(id: string): void {
    if (!this.#list.some(event => event.id === id))
      throw new LeasewayError('NOT_FOUND', `no event ${id} is announced; GET /v1/events lists them`);
    this.#change(list => list.filter(event => event.id !== id));
  }

  /** Reads the file before each change: during an upgrade two processes hold it. */
  #change(edit: (list: readonly Announced[]) => readonly Announced[]): void {
    let current = this.#list;
    try {
      const onDisk = readStateFile(this.#path);
      if (onDisk !== undefined) current = parse(onDisk).entries;
    } catch {
      // Damaged meanwhile: what is known is written anew.
    }
    const next = edit(current);
    try {
      writeStateFile(this.#path, { version: 1, events: next });
    } catch (error) {
      throw new LeasewayError('INTERNAL', `cannot write ${this.#path}: ${messageOf(error)}`, error);
    }
    this.#list = next;
  }
}

const parse = (content: unknown) => readEntries(content, 'events', entry => Stored.safeParse(entry).data);
