// One request on its way to a backend over HTTP/1.1: its head and body as bytes, on the line it is given.

import type { Socket } from 'node:net';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import { hold, writeFramed } from '../http1/batch.ts';
import { COALESCE_BYTES, chunkSize, lastChunk, requestHead } from '../http1/codec/write.ts';
import { owned } from '../lent.ts';
import type { AnswerSink, Outgoing, Reason, UpstreamHead } from '../ports.ts';
import type { Http1Line } from './http1-line.ts';
import { withKey, withoutAccept } from './websocket-key.ts';

/** What a request needs of its pool. */
export interface RequestOwner {
  /** Sent with each head, as whole lines. */
  readonly connectionLine: string;
  /** It leaves before it was given a line. */
  left(request: Http1Request): void;
}

export class Http1Request implements Outgoing {
  readonly sink: AnswerSink;
  readonly method: string;
  readonly upgrade: boolean;
  readonly fresh: boolean;
  paused = false;
  /** Some of it has been written to a connection. */
  started = false;
  readonly #owner: RequestOwner;
  readonly #ownKey: string | null;
  readonly #chunked: boolean;
  readonly #head: string | null;
  #headSent = false;
  /** Bytes still owed by the length that was announced. */
  #owed: number;
  #line: Http1Line | null = null;
  /** Written before there was a line. Short: every write is answered with "wait". */
  #early: Uint8Array[] | null = null;
  #ended = false;
  #trailers: Fields | undefined;
  #over = false;

  constructor(head: UpstreamHead, sink: AnswerSink, owner: RequestOwner) {
    this.sink = sink;
    this.#owner = owner;
    this.upgrade = head.protocol === 'websocket';
    this.method = this.upgrade ? 'GET' : head.method;
    this.fresh = head.fresh === true;
    this.#chunked = !this.upgrade && head.bodyLength < 0;
    this.#owed = this.upgrade || this.#chunked ? 0 : head.bodyLength;
    let { fields } = head;
    this.#ownKey = null;
    let extra = owner.connectionLine;
    if (this.upgrade) {
      const keyed = withKey(fields);
      fields = keyed.fields;
      this.#ownKey = keyed.ownKey;
      extra = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    } else if (this.#chunked) extra += 'Transfer-Encoding: chunked\r\n';
    this.#head = requestHead(this.method, head.target, fields, extra, this.upgrade ? null : head.known);
  }

  /** False when it is not a request that HTTP/1.1 can carry. */
  get sendable(): boolean {
    return this.#head !== null;
  }

  /** The request, with its body, is in the kernel's hands. */
  get wholeSent(): boolean {
    return this.#ended && this.#line !== null && this.#line.socket.writableLength === 0;
  }

  /** From here on it is sent on this line. */
  begin(line: Http1Line): void {
    this.#line = line;
    if (this.upgrade || (this.#owed === 0 && !this.#chunked)) {
      this.#write(this.#takeHead(), '');
      return;
    }
    const early = this.#early;
    this.#early = null;
    let room = true;
    if (early !== null) for (const chunk of early) room = this.#send(chunk);
    if (this.#over) return;
    if (this.#ended) this.#sendEnd();
    else {
      if (early !== null && room) this.sink.writable();
      // The head goes with the first piece of the body, but does not wait for a late one.
      if (!this.#headSent) process.nextTick(flushed, this);
    }
  }

  flushHead(): void {
    if (!this.#headSent && !this.#over && this.#line !== null) this.#write(this.#takeHead(), '');
  }

  // Outgoing

  write(chunk: Uint8Array): boolean {
    if (this.#over || this.upgrade || chunk.length === 0) return true;
    if (this.#line !== null) return this.#send(chunk);
    this.#early ??= [];
    this.#early.push(owned(chunk));
    return false;
  }

  end(trailers?: Fields): void {
    if (this.#over || this.#ended) return;
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#line !== null) this.#sendEnd();
  }

  pause(): void {
    this.paused = true;
    if (!this.#over) this.#line?.pause();
  }

  resume(): void {
    this.paused = false;
    if (!this.#over) this.#line?.resume();
  }

  abort(_reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#early = null;
    if (this.#line === null) this.#owner.left(this);
    else this.#line.abandon();
  }

  // what its line tells

  drained(): void {
    if (!this.#over && !this.#ended) this.sink.writable();
  }

  finished(trailers: Fields | undefined): void {
    this.#over = true;
    if (trailers === undefined) this.sink.end();
    else this.sink.end(trailers);
  }

  failed(code: ErrorCode, detail: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#early = null;
    this.sink.fail({ code, detail }, this.started);
  }

  upgraded(fields: Fields, socket: Socket, rest: Uint8Array): void {
    this.#over = true;
    const accepted = this.#ownKey === null ? fields : withoutAccept(fields, this.#ownKey);
    if (accepted === null) {
      socket.destroy();
      this.sink.fail({ code: 'BAD_ANSWER', detail: 'Sec-WebSocket-Accept does not fit' }, true);
      return;
    }
    this.sink.upgraded({ status: 101, fields: accepted }, socket, rest);
  }

  #takeHead(): string {
    this.#headSent = true;
    this.started = true;
    return this.#head!;
  }

  #send(chunk: Uint8Array): boolean {
    if (this.#over) return true;
    if (!this.#chunked) {
      this.#owed -= chunk.length;
      if (this.#owed < 0) return this.#misfit('more bytes than Content-Length');
    }
    const before = (this.#headSent ? '' : this.#takeHead()) + (this.#chunked ? chunkSize(chunk.length) : '');
    const behind = this.#chunked ? '\r\n' : '';
    const { socket } = this.#line!;
    if (before !== '' && chunk.length <= COALESCE_BYTES) hold(socket);
    return writeFramed(socket, before, chunk, behind);
  }

  #sendEnd(): void {
    if (this.upgrade) return;
    if (this.#owed > 0) return void this.#misfit(`${this.#owed} bytes short of Content-Length`);
    if (!this.#chunked) return;
    const last = lastChunk(this.#trailers ?? []);
    if (last === null) return void this.#misfit('trailers that cannot be sent');
    this.#write(this.#headSent ? '' : this.#takeHead(), last);
  }

  #write(head: string, text: string): void {
    const { socket } = this.#line!;
    hold(socket);
    socket.write(head + text, 'latin1');
  }

  /** The body is not what its head said: the backend must not take it for whole. */
  #misfit(detail: string): true {
    const line = this.#line!;
    this.#over = true;
    line.abandon();
    process.nextTick(() => this.sink.fail({ code: 'BAD_REQUEST', detail }, this.started));
    return true;
  }
}

const flushed = (request: Http1Request): void => request.flushHead();
