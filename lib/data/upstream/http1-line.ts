// One connection to a backend over HTTP/1.1: a request at a time, its answer read by our codec.

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import { AnswerReader } from '../http1/codec/answer-reader.ts';
import { owned, readOwned, readShared } from '../lent.ts';
import type { FieldsMemo } from '../ports.ts';
import { siftAnswerFields } from './answer-fields.ts';
import type { Http1Request } from './http1-request.ts';

/** More interim answers than this to one request are an attack or a fault. */
const MAX_INFORMATIONAL = 32;
/** A backend says how long it keeps an idle connection; we let go so much earlier, or meet it as it closes. */
const HINT_MARGIN_MS = 1000;
const HINT = /(?:^|[,\s])timeout=(\d{1,6})(?:$|[,;\s])/i;

/** What a line needs of its pool. */
export interface LineOwner {
  /** It may take another request. */
  free(line: Http1Line): void;
  /** It is the pool's no more: closed, or a tunnel. */
  gone(line: Http1Line): void;
}

export class Http1Line {
  readonly socket: Socket;
  /** Requests it has carried, the present one included. */
  carried = 0;
  idleSinceMs = 0;
  /** What the backend has said of idle connections, less a margin; Infinity when nothing. */
  hintMs = Number.POSITIVE_INFINITY;
  readonly #owner: LineOwner;
  readonly #reader = new AnswerReader();
  #request: Http1Request | null = null;
  /** The final head has been told: only then does a pause hold anything back. */
  #headTold = false;
  #informational = 0;
  #paused = false;
  #pumping = false;
  #ended = false;
  #left = false;
  #error: (Error & { code?: string }) | null = null;
  /** The fields of the last answer as they came, and as they go on: the same again need not be looked through. */
  #came: Fields | null = null;
  #goesOn: Fields = [];
  /** Null until they have come again. */
  #memo: FieldsMemo | null = null;
  readonly #onData = (chunk: Buffer): void => this.#data(chunk);
  readonly #onEnd = (): void => this.#end();
  readonly #onDrain = (): void => this.#request?.drained();
  readonly #onClose = (): void => this.#close();
  readonly #onError = (error: Error): void => {
    this.#error = error;
  };

  constructor(socket: Socket, owner: LineOwner) {
    this.socket = socket;
    this.#owner = owner;
    socket.on('data', this.#onData);
    if (!(socket instanceof TLSSocket)) readShared(socket, bytes => this.#read(bytes));
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.on('close', this.#onClose);
    socket.on('error', this.#onError);
  }

  /** Nothing has been heard that speaks against using it. */
  get usable(): boolean {
    return !this.#ended && this.#error === null && this.socket.writable && !this.socket.destroyed;
  }

  take(request: Http1Request): void {
    this.#request = request;
    this.#informational = 0;
    this.#headTold = false;
    this.#paused = request.paused;
    this.carried += 1;
    this.#reader.begin(request.method === 'HEAD', request.upgrade);
    request.begin(this);
  }

  pause(): void {
    this.#paused = true;
    if (this.#headTold) this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    // Not in here: whoever resumes may stand in the middle of its own work.
    process.nextTick(resumed, this);
  }

  /** After `resume`, on a stack of its own. */
  goOn(): void {
    if (this.#paused) return;
    this.#pump();
    if (!this.#paused && !this.#left) this.socket.resume();
  }

  /** The request is given up, and the connection with it. */
  abandon(): void {
    this.#request = null;
    this.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** `bytes` are lent. */
  #read(bytes: Buffer): boolean {
    if (this.#left) return false;
    if (this.#request === null) this.destroy();
    else {
      this.#reader.feed(bytes);
      this.#pump();
      this.#reader.keep();
    }
    return true;
  }

  #data(chunk: Buffer): void {
    // Between requests nothing may come; whatever it is, it is no answer to what is asked next.
    if (this.#request === null) return this.destroy();
    this.#reader.feed(chunk);
    this.#pump();
  }

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#request !== null && !this.#held) if (!this.#step(this.#request)) break;
    this.#pumping = false;
  }

  get #held(): boolean {
    return this.#paused && this.#headTold;
  }

  /** False when there is nothing to go on with. */
  #step(request: Http1Request): boolean {
    const reader = this.#reader;
    switch (reader.next()) {
      case 'head':
        return this.#head(request);
      case 'data':
        request.sink.data(reader.chunk);
        return true;
      case 'end':
        this.#finish(request);
        return false;
      case 'bad':
        this.#fail(request, 'BAD_ANSWER', reader.fault);
        return false;
      default:
        return false;
    }
  }

  #head(request: Http1Request): boolean {
    const { status, fields: came } = this.#reader;
    if (came !== this.#came) {
      const { fields, problem } = siftAnswerFields(came);
      if (problem !== '') {
        this.#fail(request, 'BAD_ANSWER', problem);
        return false;
      }
      this.#came = came;
      this.#goesOn = fields;
      this.#memo = null;
    } else this.#memo ??= { made: null };
    const fields = this.#goesOn;
    if (status >= 200) {
      this.#headTold = true;
      if (this.#paused) this.socket.pause();
      request.sink.head({ status, fields, memo: this.#memo });
      return true;
    }
    if (status === 101) {
      this.#switch(request, fields);
      return false;
    }
    this.#informational += 1;
    if (this.#informational > MAX_INFORMATIONAL) {
      this.#fail(request, 'BAD_ANSWER', 'too many interim answers');
      return false;
    }
    // 100 says nothing to somebody who has not asked for it.
    if (status !== 100) request.sink.informational({ status, fields });
    return true;
  }

  #finish(request: Http1Request): void {
    const reader = this.#reader;
    const { trailers } = reader;
    this.#request = null;
    if (reader.keepAlive && request.wholeSent && reader.unread === 0 && this.usable && this.#hinted())
      this.#owner.free(this);
    else this.destroy();
    request.finished(trailers);
  }

  /** Looks for `Keep-Alive: timeout=`; false when the backend hardly keeps the connection at all. */
  #hinted(): boolean {
    const hint = this.#reader.keepAliveHint;
    if (hint === '') return true;
    const seconds = HINT.exec(hint)?.[1];
    if (seconds !== undefined) this.hintMs = Number(seconds) * 1000 - HINT_MARGIN_MS;
    return this.hintMs > 0;
  }

  #switch(request: Http1Request, fields: Fields): void {
    const rest = owned(this.#reader.rest());
    this.#leave();
    const { socket } = this;
    socket.pause();
    readOwned(socket);
    for (const [event, listener] of [
      ['data', this.#onData],
      ['end', this.#onEnd],
      ['drain', this.#onDrain],
      ['close', this.#onClose],
      ['error', this.#onError],
    ] as const)
      socket.removeListener(event, listener);
    this.#request = null;
    request.upgraded(fields, socket, rest);
  }

  #end(): void {
    this.#ended = true;
    const request = this.#request;
    if (request !== null && this.#error === null && this.#reader.finish() === 'end') this.#finish(request);
    this.destroy();
    this.#cut();
  }

  #close(): void {
    this.#cut();
    this.#leave();
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#owner.gone(this);
  }

  /** The connection ended under the request. */
  #cut(): void {
    const request = this.#request;
    if (request === null) return;
    const { begun } = this.#reader;
    const ssl = !begun && this.#error?.code?.startsWith('ERR_SSL_') === true;
    const detail = this.#error?.message ?? 'the backend closed the connection';
    const stale = !begun && this.carried > 1;
    const code = !request.started
      ? 'CONNECT_FAILED'
      : // An alert that comes after our side of the handshake: a refused client certificate, for one (RFC 8446, section 4.4.2.4).
        ssl
        ? 'TLS_FAILED'
        : stale
          ? 'STALE_CONNECTION'
          : 'ANSWER_CUT';
    this.#fail(request, code, detail);
  }

  #fail(request: Http1Request, code: ErrorCode, detail: string): void {
    this.#request = null;
    this.destroy();
    request.failed(code, detail);
  }
}

const resumed = (line: Http1Line): void => line.goOn();
