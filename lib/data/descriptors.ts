// The process's file descriptors as one worker sees them: who goes without when few are left, so that accept() never finds none.

import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';

/** Given back when none is left, so that the event loop can accept what waits, and close it. */
const SPARES = 3;
const READ_LIMIT_EVERY_MS = 1_000;
const TELL_EVERY_MS = 5_000;
/** After a newcomer was refused. */
const SHORT_FOR_MS = 2_000;

/** What becomes of a connection that was just accepted. */
export type Welcome = 'admit' | 'refuse' | 'close';

export interface DescriptorSystem {
  /** Soft limit of open files, or null where the system does not tell. */
  limit(): number | null;
  /** Opens something that is always there; throws EMFILE or ENFILE when descriptors are out. */
  open(): number;
  close(fd: number): void;
  /** Descriptors in use, or 0 where the system does not tell (Linux does since 6.2). */
  used(): number;
}

export function openFilesLimit(
  read: (path: string) => string = path => readFileSync(path, 'latin1'),
): number | null {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(read('/proc/self/limits'))?.[1];
    return soft === undefined || soft === 'unlimited' ? null : Number(soft);
  } catch {
    return null;
  }
}

const system: DescriptorSystem = {
  limit: openFilesLimit,
  open: () => openSync('/', 'r'),
  close: closeSync,
  used: () => statSync('/proc/self/fd', { throwIfNoEntry: false })?.size ?? 0,
};

/** Of a socket that has one, else -1. */
export const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1;

/**
 * How a limit of open files is shared. A new descriptor has the lowest free number (POSIX, open()), so its number says at once, for
 * all threads and without counting, that so many are in use at least. How many really are is looked up a few times a second.
 */
export function marksOf(limit: number | null): Marks {
  if (limit === null)
    return { limit: Infinity, clients: Infinity, refuse: Infinity, close: Infinity, dial: Infinity };
  const reserve = Math.min(256, limit >> 2);
  return {
    limit,
    clients: (limit - reserve) >> 1,
    refuse: limit - reserve,
    close: limit - reserve + (reserve >> 2),
    dial: limit - (reserve >> 2),
  };
}

export interface Marks {
  readonly limit: number;
  /** Connections of clients in all: each may need one to a backend. */
  readonly clients: number;
  /** With so many in use a client is told no: what is left is for the requests of those who are inside. */
  readonly refuse: number;
  /** With so many there is no room for polite words, which keep a descriptor until the client has read them. */
  readonly close: number;
  /** With so many backends are not dialled: what is left is for checks, files, logs and the admin API. */
  readonly dial: number;
}

export class Descriptors {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #system: DescriptorSystem;
  readonly #spares: number[] = [];
  #marks: Marks;
  #readMs: number;
  #used = 0;
  #out = false;
  #shortMs = Number.NEGATIVE_INFINITY;
  /** 0 when there is nothing to tell. */
  #toldMs = 0;
  #refused = 0;

  constructor(clock: Clock, log: Log, calls: DescriptorSystem = system) {
    this.#clock = clock;
    this.#log = log;
    this.#system = calls;
    this.#marks = marksOf(calls.limit());
    this.#readMs = clock.monotonicMs();
    for (let i = 0; i < SPARES; i++) this.#probe();
  }

  get marks(): Marks {
    return this.#marks;
  }

  /** A newcomer was refused within the last two seconds: who idles is to go sooner. */
  get short(): boolean {
    return this.#clock.monotonicMs() - this.#shortMs < SHORT_FOR_MS;
  }

  /** For a connection with this descriptor, when all workers together hold so many of clients. */
  welcome(fd: number, clients: number): Welcome {
    const { refuse, close, clients: most } = this.#marks;
    const used = this.#usedWith(fd);
    if (used <= refuse && clients < most) return 'admit';
    this.#shortMs = this.#clock.monotonicMs();
    this.#refused += 1;
    this.#tell(used <= refuse ? `${clients} connections of clients` : 'few are left');
    return used > close ? 'close' : 'refuse';
  }

  /** False when a connection to a backend that got this descriptor has to be given up. */
  mayDial(fd: number): boolean {
    return this.#usedWith(fd) <= this.#marks.dial;
  }

  #usedWith(fd: number): number {
    if (this.#out) return Infinity;
    // What was looked up a while ago may be over.
    if (this.#used > this.#marks.refuse) this.#used = this.#system.used();
    return Math.max(this.#used, fd + 1);
  }

  /**
   * A few times a second, by a timer, which also comes when nothing else does: with descriptors out and libuv's own reserve
   * taken by another thread, its accept() fails without a word and is tried again at once, for ever.
   */
  beat(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#out = !this.#probe();
    if (this.#out) {
      this.#shortMs = nowMs;
      this.#tell('none is left');
    } else if (this.#toldMs > 0 && !this.short) {
      this.#log.info('file descriptors are free again', { refused: this.#refused });
      this.#refused = 0;
      this.#toldMs = 0;
    }
    if (this.#out || nowMs - this.#readMs < READ_LIMIT_EVERY_MS) return;
    this.#readMs = nowMs;
    const limit = this.#system.limit();
    if ((limit ?? Infinity) !== this.#marks.limit) this.#marks = marksOf(limit);
  }

  /** Is one to be had? It becomes a spare until there are enough; if none is, the spares are given back. */
  #probe(): boolean {
    let fd: number;
    try {
      fd = this.#system.open();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EMFILE' && code !== 'ENFILE') return true;
      for (const spare of this.#spares.splice(0)) this.#system.close(spare);
      return false;
    }
    this.#used = this.#system.used();
    const ample = Math.max(this.#used, fd) < this.#marks.refuse;
    if (this.#spares.length < SPARES && ample) this.#spares.push(fd);
    else this.#system.close(fd);
    return true;
  }

  #tell(reason: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#toldMs > 0 && nowMs - this.#toldMs < TELL_EVERY_MS) return;
    this.#toldMs = nowMs;
    const { limit, clients } = this.#marks;
    this.#log.error('out of file descriptors: new connections are refused', {
      reason,
      ...(limit === Infinity ? {} : { limit, clientsAtMost: clients }),
      refused: this.#refused,
    });
  }
}
