// One HTTP/1 request and its answer, on a connection that our codec reads.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type Fields, fieldValue, nameIs } from '../../../core/fields.ts';
import type {
  AnswerHead,
  ClientConnection,
  Incoming,
  Reason,
  RequestHead,
  RequestSink,
} from '../../ports.ts';
import { hold, writeFramed } from '../batch.ts';
import { answerHead, COALESCE_BYTES, chunkSize, joined, lastChunk } from '../codec/write.ts';
import { switchingHead } from '../upgrade.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';
const NOTHING = new Uint8Array(0);

/** What an exchange needs of its connection. */
export interface NativeOwner {
  readonly connection: ClientConnection;
  readonly socket: Socket;
  /** An answer that begins now ends the connection. */
  readonly closing: boolean;
  /** Called when the last byte of the answer has been handed on; one for all exchanges of the connection. */
  readonly flushed: () => void;
  /** The connection closes after the answer that runs. */
  close(): void;
  /** Destroys the connection so that the client sees a cut, not an end. */
  cut(): void;
  pauseReading(): void;
  resumeReading(): void;
  /** The socket is no longer HTTP's: what was read beyond the request. */
  release(): Uint8Array;
}

export class NativeIncoming implements Incoming {
  readonly head: RequestHead;
  /** The whole request has been read. */
  bodyEnded = false;
  paused = false;
  answerBegun = false;
  readonly #owner: NativeOwner;
  #sink: RequestSink | null = null;
  /** Nothing more may be said to the sink. */
  #over = false;
  #continued = false;
  #ended = false;
  #bodyless = false;
  #chunked = false;
  /** Bytes the answer still owes by its Content-Length; -1 when it named none. */
  #owed = -1;
  /** The head that waits for the first piece of the body; empty when it has been written. */
  #head = '';
  /** Head and first piece, which wait for the end: an answer that is whole in one turn is one write. */
  #begun: Uint8Array | null = null;

  constructor(owner: NativeOwner, head: RequestHead) {
    this.#owner = owner;
    this.head = head;
  }

  get connection(): ClientConnection {
    return this.#owner.connection;
  }

  /** Waits for the client: its body is wanted and nobody paused it. A two-way exchange (answer begun) may be quiet. */
  get awaitsBody(): boolean {
    return !this.bodyEnded && !this.paused && !this.#over && !this.answerBegun && !this.#awaitsContinue;
  }

  get #awaitsContinue(): boolean {
    return this.head.expectsContinue && !this.#continued;
  }

  // what its connection tells

  data(chunk: Uint8Array): void {
    if (!this.#over) this.#sink?.data(chunk);
  }

  bodyEnd(trailers: Fields | undefined): void {
    this.bodyEnded = true;
    if (this.#over) return;
    if (trailers === undefined) this.#sink?.end();
    else this.#sink?.end(trailers);
  }

  drained(): void {
    if (!this.#over && !this.#ended) this.#sink?.drained();
  }

  sent(): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink?.sent();
  }

  /** The client or its connection failed: the sink's last word. */
  lost(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink?.gone(reason);
  }

  /** What waits for company goes alone. */
  flush(): void {
    if (this.#over || this.#ended) return;
    const { socket } = this.#owner;
    if (this.#begun !== null) socket.write(this.#begun);
    else if (this.#head !== '') socket.write(this.#head, 'latin1');
    this.#begun = null;
    this.#head = '';
  }

  // Incoming

  listen(sink: RequestSink): void {
    this.#sink = sink;
  }

  continue(): void {
    if (!this.#awaitsContinue || this.answerBegun || this.#over) return;
    this.#continued = true;
    this.#owner.socket.write(CONTINUE, 'latin1');
  }

  pause(): void {
    this.paused = true;
    if (!this.#over) this.#owner.pauseReading();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (!this.#over) this.#owner.resumeReading();
  }

  informational(head: AnswerHead): void {
    // RFC 9110, section 15.2: never to an HTTP/1.0 client.
    if (this.#over || this.head.version === '1.0' || this.answerBegun) return;
    const text = answerHead(head.status, head.fields, '');
    if (text === null) this.#unsendable();
    else this.#owner.socket.write(text, 'latin1');
  }

  answer(head: AnswerHead, bodyless: boolean): void {
    if (this.#over || this.answerBegun) return;
    const modern = this.head.version === '1.1';
    const fields = head.status === 204 ? withoutLength(head.fields) : head.fields;
    this.#bodyless = bodyless;
    if (!bodyless) this.#owed = Number(fieldValue(fields, 'content-length') ?? -1);
    this.#chunked = modern && !bodyless && this.#owed === -1;
    // A body that was never asked for may or may not come: the connection cannot be reused (RFC 9110, section 10.1.1).
    const last = this.#owner.closing || !modern || this.#awaitsContinue || this.head.protocol !== '';
    if (last) this.#owner.close();
    let extra = this.#chunked ? 'Transfer-Encoding: chunked\r\n' : '';
    if (last) extra += 'Connection: close\r\n';
    const known = fields === head.fields ? head.known : null;
    const text = answerHead(head.status, fields, extra, known);
    if (text === null) return this.#unsendable();
    this.answerBegun = true;
    this.#head = text;
    // The head goes with the first piece of the body, but does not wait for a late one.
    process.nextTick(flushed, this);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over || this.#ended || this.#bodyless || chunk.length === 0) return true;
    if (this.#owed !== -1) {
      this.#owed -= chunk.length;
      if (this.#owed < 0) {
        this.#fail({ code: 'BAD_ANSWER', detail: 'more bytes than Content-Length' });
        return true;
      }
    }
    const { socket } = this.#owner;
    const before = this.#head + (this.#chunked ? chunkSize(chunk.length) : '');
    const behind = this.#chunked ? '\r\n' : '';
    if (this.#begun !== null) this.flush();
    else if (this.#head !== '') {
      this.#head = '';
      if (chunk.length <= COALESCE_BYTES) {
        this.#begun = joined(before, chunk, behind);
        return !socket.writableNeedDrain;
      }
    }
    return writeFramed(socket, before, chunk, behind);
  }

  end(trailers?: Fields): void {
    if (this.#over || this.#ended) return;
    if (this.#owed > 0)
      return this.#fail({ code: 'ANSWER_CUT', detail: `${this.#owed} bytes short of Content-Length` });
    let last = this.#chunked ? LAST_CHUNK : '';
    if (this.#chunked && trailers !== undefined && trailers.length > 0) {
      const text = lastChunk(trailers);
      if (text === null) return this.#unsendable();
      last = text;
    }
    this.#ended = true;
    const { socket, flushed } = this.#owner;
    if (this.#begun !== null) {
      const begun = this.#begun;
      this.#begun = null;
      hold(socket);
      socket.write(last === '' ? begun : joined('', begun, last), flushed);
    } else if (this.#head !== '' || last !== '') {
      const text = this.#head + last;
      this.#head = '';
      hold(socket);
      socket.write(text, 'latin1', flushed);
    } else if (socket.writableLength === 0) process.nextTick(flushed);
    else socket.write(NOTHING, flushed);
  }

  abort(_reason: Reason): void {
    if (this.#over) return;
    // What was begun is seen to have begun: a cut answer reads as one, not as no answer at all.
    this.flush();
    this.#over = true;
    this.#owner.cut();
  }

  closeAfter(): void {
    this.#owner.close();
  }

  tunnel(fields: Fields): { readonly socket: Duplex; readonly rest: Uint8Array } {
    const released = this.#release();
    released.socket.write(switchingHead(this.head.fields, fields), 'latin1');
    return released;
  }

  #release(): { readonly socket: Duplex; readonly rest: Uint8Array } {
    if (this.head.protocol === '') throw new TypeError('tunnel() on a request that is no upgrade');
    this.#over = true;
    return { socket: this.#owner.socket, rest: this.#owner.release() };
  }

  #unsendable(): void {
    this.#fail({ code: 'BAD_ANSWER', detail: 'a field or status that cannot be sent' });
  }

  #fail(reason: Reason): void {
    this.flush();
    this.lost(reason);
    this.#owner.cut();
  }
}

const flushed = (incoming: NativeIncoming): void => incoming.flush();

/** RFC 9110, section 8.6: no Content-Length in a 204. */
function withoutLength(fields: Fields): Fields {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2)
    if (!nameIs(fields[i]!, 'content-length')) kept.push(fields[i]!, fields[i + 1]!);
  return kept;
}
