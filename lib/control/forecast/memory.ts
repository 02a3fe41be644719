// What forecasts learned, kept for the next life: one line of JSON per backend, written whole, a little at a time.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { setAside } from '../backend/durable-file.ts';

const VERSION = 1;
/** Of a backend, at most: two are 30 KB as a rule. */
const MAX_LINE = 512 * 1024;
/** Backends remembered, those that are away included; the one saved longest ago is forgotten first. */
const MAX_LINES = 4_096;
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** A crash costs so much of what takes hours to learn; each round turns everything into text, and that into garbage. */
const EVERY_MS = 300_000;
/** Large files are written less often: on average no more than this. */
const MOST_BYTES_PER_S = 200_000;
/** Turned into text in one tick, so that a thousand do not hold up the decisions. */
const PER_TICK = 8;
/** Taken up again in one tick, 0.2 ms each. */
const RECALLS_PER_TICK = 32;
/** Text of all lines together; beyond it the one saved longest ago is forgotten. */
const MOST_TEXT = 64 * 1024 * 1024;
/** Written at once; between two pieces the loop turns. */
const PIECE = 1024 * 1024;
/** A disk in trouble is said so often. */
const SAY_AGAIN_MS = 600_000;

/** There is something, but too much was asked in this tick. */
export const LATER = Symbol('later');

export interface Remembered {
  /** What an earlier life knew of it; undefined when nothing, LATER when it is to be asked again at the next tick. */
  recall(cluster: string, id: string): unknown;
}

export interface Learned {
  readonly cluster: string;
  readonly id: string;
  read(): unknown;
}

export class ForecastMemory implements Remembered {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By cluster and id, the longest unsaved first. */
  readonly #lines: Map<string, string>;
  /** Characters in them. */
  #size = 0;
  #recalls = 0;
  #pending: Iterator<Learned> | null = null;
  #writing: Promise<void> | null = null;
  #dueMs: number;
  #saidMs = Number.NEGATIVE_INFINITY;
  #stopped = false;

  constructor(path: string, clock: Clock, log: Log) {
    this.#path = path;
    this.#clock = clock;
    this.#log = log;
    this.#lines = this.#load();
    for (const { length } of this.#lines.values()) this.#size += length;
    this.#dueMs = clock.monotonicMs() + EVERY_MS;
  }

  recall(cluster: string, id: string): unknown {
    const line = this.#lines.get(keyOf(cluster, id));
    if (line === undefined) return undefined;
    if (this.#recalls >= RECALLS_PER_TICK) return LATER;
    this.#recalls += 1;
    return (JSON.parse(line) as { learned: unknown }).learned;
  }

  /** Once a tick: takes a few more, and writes when all were taken. `all` is asked at the beginning of each round. */
  tick(all: () => Iterator<Learned>): void {
    this.#recalls = 0;
    if (this.#stopped || this.#writing !== null) return;
    if (this.#pending === null) {
      if (this.#clock.monotonicMs() < this.#dueMs) return;
      this.#pending = all();
    }
    for (let i = 0; i < PER_TICK; i++) {
      const { value, done } = this.#pending.next();
      if (done === true) {
        this.#pending = null;
        this.#writing = this.#write().finally(() => {
          this.#writing = null;
        });
        return;
      }
      this.#take(value);
    }
  }

  /** Everything, now. Throws nothing: forecasts can be learned again. */
  async close(all: () => Iterator<Learned>): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    await this.#writing;
    const round = all();
    for (let { value, done } = round.next(); done !== true; { value, done } = round.next()) this.#take(value);
    try {
      this.#writeNow();
    } catch (error) {
      this.#trouble(error);
    }
  }

  /** A successor writes from now on. */
  stop(): void {
    this.#stopped = true;
  }

  #take({ cluster, id, read }: Learned): void {
    const line = JSON.stringify({ cluster, id, learned: read() });
    if (line.length > MAX_LINE) return;
    const key = keyOf(cluster, id);
    this.#forget(key);
    this.#lines.set(key, line);
    this.#size += line.length;
    while (this.#lines.size > MAX_LINES || this.#size > MOST_TEXT)
      this.#forget(this.#lines.keys().next().value!);
  }

  #forget(key: string): void {
    this.#size -= this.#lines.get(key)?.length ?? 0;
    this.#lines.delete(key);
  }

  *#pieces(): Generator<string> {
    this.#dueMs = this.#clock.monotonicMs() + Math.max(EVERY_MS, (1000 * this.#size) / MOST_BYTES_PER_S);
    let piece = `${JSON.stringify({ version: VERSION })}\n`;
    for (const line of this.#lines.values()) {
      piece += `${line}\n`;
      if (piece.length < PIECE) continue;
      yield piece;
      piece = '';
    }
    yield piece;
  }

  /** A crash at any point leaves the old file or the new. */
  async #write(): Promise<void> {
    const temporary = `${this.#path}.new`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      const file = await open(temporary, 'w', 0o600);
      try {
        for (const piece of this.#pieces()) await file.writeFile(piece);
        await file.sync();
      } finally {
        await file.close();
      }
      // The successor's file must not be replaced by an older one.
      if (!this.#stopped) await rename(temporary, this.#path);
    } catch (error) {
      this.#trouble(error);
    }
  }

  #writeNow(): void {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.new`;
    const file = openSync(temporary, 'w', 0o600);
    try {
      for (const piece of this.#pieces()) writeFileSync(file, piece);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, this.#path);
  }

  #trouble(error: unknown): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#saidMs < SAY_AGAIN_MS) return;
    this.#saidMs = nowMs;
    this.#log.error(`cannot write ${this.#path}: ${messageOf(error)}; forecasts begin anew after a restart`, {
      path: this.#path,
    });
  }

  #load(): Map<string, string> {
    const lines = new Map<string, string>();
    let damaged = 0;
    try {
      if (statSync(this.#path).size > MAX_FILE_BYTES) throw new Error('it is larger than it could be');
      const [head = '', ...rest] = readFileSync(this.#path, 'utf8').split('\n');
      const { version } = JSON.parse(head) as { version?: unknown };
      if (version !== VERSION) throw new Error(`it has version ${String(version)}, expected ${VERSION}`);
      for (const line of rest.slice(0, MAX_LINES)) {
        if (line === '') continue;
        const key = keyOfLine(line);
        if (key === null) damaged += 1;
        else lines.set(key, line);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return lines;
      this.#log.error(`${this.#path} cannot be read: ${messageOf(error)}; forecasts begin anew`, {
        path: this.#path,
        kept: `${this.#path}.bad`,
      });
      setAside(this.#path, this.#log);
    }
    if (damaged > 0)
      this.#log.error(`${this.#path}: ${damaged} lines cannot be read; those backends begin anew`, {
        path: this.#path,
      });
    return lines;
  }
}

/** Cluster names hold no slash. */
const keyOf = (cluster: string, id: string): string => `${cluster}/${id}`;

function keyOfLine(line: string): string | null {
  if (line.length > MAX_LINE) return null;
  try {
    const { cluster, id } = JSON.parse(line) as { cluster?: unknown; id?: unknown };
    return typeof cluster === 'string' && typeof id === 'string' ? keyOf(cluster, id) : null;
  } catch {
    return null;
  }
}
