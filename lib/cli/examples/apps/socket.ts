// A server's end of a WebSocket, message by message, in the shape that leaseway/server takes.

import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import type { EnvelopeSocket } from '../../../server/index.ts';
import { BINARY, CLOSE, closeFrame, frame, PING, PONG, TEXT, unmask } from '../frames.ts';

const MAX_MESSAGE_BYTES = 64 * 1024;
/** A client that does not read may not fill our memory. */
const MAX_UNREAD_BYTES = 1024 * 1024;
const TOO_BIG = 1009;

interface AppSocketEvents {
  message: [data: Buffer, isBinary: boolean];
  ping: [data: Buffer];
  close: [];
}

export class AppSocket extends EventEmitter<AppSocketEvents> implements EnvelopeSocket {
  readonly #socket: Duplex;
  #pending: Buffer;
  #message: Buffer[] = [];
  #binary = false;

  /** After the handshake; `head` is what was read beyond it. */
  constructor(socket: Duplex, head: Buffer) {
    super();
    this.#socket = socket;
    this.#pending = head;
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#read();
    });
    socket.on('end', () => socket.end());
    socket.on('close', () => this.emit('close'));
    queueMicrotask(() => this.#read());
  }

  /** False when there is nobody to send to any more. */
  send(data: string | ArrayBuffer): boolean {
    if (!this.#socket.writable) return false;
    const first = 0x80 | (typeof data === 'string' ? TEXT : BINARY);
    this.#socket.write(frame(first, typeof data === 'string' ? Buffer.from(data) : new Uint8Array(data)));
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
    return true;
  }

  close(code: number): void {
    if (this.#socket.writable) this.#socket.end(closeFrame(code));
  }

  #read(): void {
    for (let next = unmask(this.#pending); next !== null; next = unmask(this.#pending)) {
      if (typeof next === 'number') return this.close(next);
      this.#pending = this.#pending.subarray(next.length);
      this.#frame(next.first, next.payload);
    }
  }

  #frame(first: number, payload: Buffer): void {
    switch (first & 0x0f) {
      case CLOSE:
        if (this.#socket.writable) this.#socket.end(frame(0x80 | CLOSE, payload.subarray(0, 2)));
        return;
      case PING:
        if (this.#socket.writable) this.#socket.write(frame(0x80 | PONG, payload));
        return void this.emit('ping', payload);
      case PONG:
        return;
      case TEXT:
      case BINARY:
        this.#binary = (first & 0x0f) === BINARY;
    }
    this.#message.push(payload);
    const bytes = this.#message.reduce((sum, piece) => sum + piece.length, 0);
    if (bytes > MAX_MESSAGE_BYTES) return this.close(TOO_BIG);
    if ((first & 0x80) === 0) return;
    const whole = Buffer.concat(this.#message);
    this.#message = [];
    this.emit('message', whole, this.#binary);
  }
}
