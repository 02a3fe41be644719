// A socket for an HTTP/2 client that notes which streams really left: a client library refuses by itself what it still held back
// when a GOAWAY arrived, and only the wire tells that from a request the server dropped.

import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const HEADERS = 1;

export class TappedSocket extends Duplex {
  /** Streams whose HEADERS were written. */
  readonly sent = new Set<number>();
  readonly #socket: Socket;
  #skip = PREFACE_BYTES;
  #head = Buffer.alloc(0);

  constructor(socket: Socket) {
    super();
    socket.setNoDelay(true);
    this.#socket = socket;
    socket.on('data', chunk => {
      if (!this.push(chunk)) socket.pause();
    });
    socket.on('end', () => this.push(null));
    socket.on('error', error => this.destroy(error));
    socket.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#note(chunk);
    this.#socket.write(chunk, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #note(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
        continue;
      }
      const part = chunk.subarray(at, at + HEAD_BYTES - this.#head.length);
      this.#head = Buffer.concat([this.#head, part]);
      at += part.length;
      if (this.#head.length < HEAD_BYTES) return;
      if (this.#head[3] === HEADERS) this.sent.add(this.#head.readUInt32BE(5));
      this.#skip = this.#head.readUIntBE(0, 3);
      this.#head = Buffer.alloc(0);
    }
  }
}
