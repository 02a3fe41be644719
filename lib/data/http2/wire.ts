// The socket as node:http2 gets it: a stream of our own, so that every byte to and from nghttp2 passes through JavaScript.
//
// Handed the socket itself, node joins the two below JavaScript. That has two faults which nothing above can mend: no frame of ours
// can be sent between nghttp2's, and a worker that is ended from outside goes on to read. It costs a copy of each byte and a few
// microseconds a turn; the README has the figures.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { FrameCutter } from './cutter.ts';

type Done = (error?: Error | null) => void;

/** Up to here the parts of a write are joined: one copy is cheaper than a list for the system. */
const JOIN_BYTES = 16 * 1024;

/** Below this the collector is cheaper. */
const FREE_BYTES = 4096;

/**
 * Gives the memory of bytes that nobody needs any more back at once. Left to the collector it would come to rest as fast as bytes
 * pass, and bring on one collection of the whole heap after the other.
 */
function free(bytes: Uint8Array): void {
  const { buffer } = bytes;
  // Nothing that shares its memory with others.
  if (bytes.length < FREE_BYTES || bytes.length !== buffer.byteLength) return;
  (buffer as ArrayBuffer).transfer(0);
}

/**
 * As much of a Duplex as node's adapter from streams to handles uses, without its queues: the adapter has one write under way at a time, and
 * the socket below has queues of its own.
 */
export class Http2Wire extends EventEmitter {
  readonly readable = true;
  readonly writable = true;
  readonly #socket: Socket;
  readonly #destroy: () => void;
  readonly #cutter = new FrameCutter();
  #paused = true;
  /** Read, and not passed on yet: a piece or more of one chunk. */
  #held: Buffer | null = null;
  /** The client has said FIN. */
  #ended = false;
  #corked = false;
  #parts: Uint8Array[] = [];
  #partBytes = 0;
  #done: Done = () => {};

  /** `destroy`: node wants the socket closed at once. */
  constructor(socket: Socket, destroy: () => void) {
    super();
    this.#socket = socket;
    this.#destroy = destroy;
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => this.#onEnd());
    socket.on('error', error => this.emit('error', error));
    socket.on('close', () => this.emit('close'));
    socket.pause();
  }

  // ---- from the client

  /** Nothing but a flag: nghttp2 stops reading for the moment of each write. */
  pause(): this {
    this.#paused = true;
    return this;
  }

  resume(): this {
    if (!this.#paused) return this;
    this.#paused = false;
    // Not from within nghttp2, which has asked for it.
    if (this.#held !== null) process.nextTick(() => this.#goOn());
    else if (this.#socket.isPaused()) this.#socket.resume();
    return this;
  }

  #onEnd(): void {
    this.#ended = true;
    if (this.#held === null) this.emit('end');
  }

  #onData(chunk: Buffer): void {
    this.#held = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    this.#pass();
  }

  #goOn(): void {
    if (this.#held !== null) {
      this.#pass();
      if (this.#held === null && this.#ended) this.emit('end');
    }
    if (!this.#paused && this.#socket.isPaused()) this.#socket.resume();
  }

  #pass(): void {
    while (this.#held !== null) {
      if (this.#paused) return void this.#socket.pause();
      const bytes = this.#held;
      const end = this.#cutter.next(bytes);
      if (end === bytes.length) {
        this.#held = null;
        this.emit('data', bytes);
        free(bytes);
      } else {
        this.#held = bytes.subarray(end);
        this.emit('data', bytes.subarray(0, end));
      }
    }
  }

  // ---- to the client

  cork(): void {
    this.#corked = true;
  }

  uncork(): void {
    this.#corked = false;
    if (this.#parts.length > 0) this.#flush();
  }

  /** `done` is the same for all parts of a write. */
  write(part: Uint8Array, done: Done): boolean {
    this.#parts.push(part);
    this.#partBytes += part.length;
    this.#done = done;
    if (!this.#corked) this.#flush();
    return true;
  }

  #flush(): void {
    const parts = this.#parts;
    const bytes = this.#partBytes;
    const done = this.#done;
    this.#parts = [];
    this.#partBytes = 0;
    const written = (error?: Error | null): void => {
      for (const part of parts) {
        if (error == null) free(part);
        done(error);
      }
    };
    if (parts.length === 1) this.#socket.write(parts[0]!, written);
    else if (bytes <= JOIN_BYTES) this.#socket.write(Buffer.concat(parts, bytes), written);
    else {
      this.#socket.cork();
      for (let i = 0; i < parts.length - 1; i++) this.#socket.write(parts[i]!);
      this.#socket.write(parts.at(-1)!, written);
      this.#socket.uncork();
    }
  }

  /** A frame between two of nghttp2's, which writes whole ones each time. */
  interject(frame: Uint8Array): void {
    this.#socket.write(frame);
  }

  end(done: () => void): void {
    this.#socket.end(done);
  }

  destroy(): void {
    this.#destroy();
  }
}
