// One HTTP/1 request and its answer, over node:http's pair of messages.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../../core/errors.ts';
import { type Fields, fieldValue, nameIs } from '../../../core/fields.ts';
import { owned } from '../../lent.ts';
import type {
  AnswerHead,
  ClientConnection,
  Incoming,
  Reason,
  RequestHead,
  RequestSink,
} from '../../ports.ts';
import { switchingHead } from '../upgrade.ts';

/** What an exchange needs of its connection. */
export interface Http1Owner {
  readonly connection: ClientConnection;
  /** An answer that begins now ends the connection. */
  readonly closing: boolean;
  /** The connection closes after the answer that runs. */
  close(): void;
  /** The answer has gone out whole. */
  answered(incoming: Http1Incoming): void;
  /** Destroys the connection so that the client sees a cut, not an end. */
  cut(): void;
  /** The socket is no longer HTTP's. */
  released(): void;
}

/** A socket the parser has let go of, with what it read too far. */
export interface Upgrade {
  readonly socket: Socket;
  /** Stops collecting and hands over what came. */
  take(): Uint8Array;
}

export class Http1Incoming implements Incoming {
  readonly head: RequestHead;
  readonly #owner: Http1Owner;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #upgrade: Upgrade | null;
  #sink: RequestSink | null = null;
  /** Nothing more may be said to the sink. */
  #over = false;
  #bodyEnded: boolean;
  #continued = false;
  #paused = false;
  #ended = false;
  /** Bytes the answer still owes by its Content-Length; -1 when it named none. */
  #owed = -1;
  #bodyless = false;

  constructor(
    owner: Http1Owner,
    head: RequestHead,
    request: IncomingMessage,
    response: ServerResponse,
    upgrade: Upgrade | null,
  ) {
    this.#owner = owner;
    this.head = head;
    this.#request = request;
    this.#response = response;
    this.#upgrade = upgrade;
    this.#bodyEnded = head.bodyLength === 0;
    response.on('finish', () => this.#onFinish());
    response.on('drain', () => {
      if (!this.#over) this.#sink?.drained();
    });
    // An answer that node cannot send any more ends with the connection; `lost` tells the sink.
    response.on('error', () => {});
    request.on('error', () => {});
  }

  get connection(): ClientConnection {
    return this.#owner.connection;
  }

  /** The whole request has been read. */
  get bodyEnded(): boolean {
    return this.#bodyEnded;
  }

  /** Waits for the client: its body is wanted and nobody paused it. A two-way exchange (answer begun) may be quiet. */
  get awaitsBody(): boolean {
    return (
      !this.#bodyEnded && !this.#paused && !this.#over && !this.#response.headersSent && !this.#awaitsContinue
    );
  }

  get answerBegun(): boolean {
    return this.#response.headersSent;
  }

  get answerEnded(): boolean {
    return this.#ended;
  }

  get #awaitsContinue(): boolean {
    return this.head.expectsContinue && !this.#continued;
  }

  /** After the handler has seen the request: the body begins to flow. */
  start(): void {
    if (this.#over) return;
    if (this.#bodyEnded) {
      this.#sink?.end();
      return;
    }
    this.#request.on('data', (chunk: Buffer) => {
      if (!this.#over) this.#sink?.data(chunk);
    });
    this.#request.on('end', () => {
      this.#bodyEnded = true;
      if (this.#over) return;
      const trailers = this.#request.rawTrailers;
      if (trailers.length > 0) this.#sink?.end(trailers);
      else this.#sink?.end();
    });
  }

  /** The client or its connection failed: the sink's last word. */
  lost(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink?.gone(reason);
  }

  listen(sink: RequestSink): void {
    this.#sink = sink;
  }

  continue(): void {
    if (!this.#awaitsContinue || this.#response.headersSent || this.#over) return;
    this.#continued = true;
    this.#response.writeContinue();
  }

  pause(): void {
    this.#paused = true;
    this.#request.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#request.resume();
  }

  informational(head: AnswerHead): void {
    // RFC 9110, section 15.2: never to an HTTP/1.0 client.
    if (this.#over || this.head.version === '1.0' || this.#response.headersSent) return;
    const response = this.#response as unknown as { writeInformation(status: number, fields: Fields): void };
    this.#guard(() => response.writeInformation(head.status, head.fields));
  }

  answer(head: AnswerHead, bodyless: boolean): void {
    if (this.#over) return;
    const fields = head.status === 204 ? withoutLength(head.fields) : [...head.fields];
    this.#bodyless = bodyless;
    if (!bodyless) this.#owed = Number(fieldValue(fields, 'content-length') ?? -1);
    // A body that was never asked for may or may not come: the connection cannot be reused (RFC 9110, section 10.1.1).
    const last = this.#owner.closing || this.head.version === '1.0';
    if (last || this.#awaitsContinue || this.#upgrade !== null) {
      this.#owner.close();
      fields.push('Connection', 'close');
    }
    // HTTP/1.0 has no chunked coding, whatever its TE says: the end of the connection ends the answer.
    if (this.head.version === '1.0') this.#response.useChunkedEncodingByDefault = false;
    if (!this.#guard(() => this.#response.writeHead(head.status, fields))) return;
    // Node keeps the head for the first chunk of the body; one that is late must not keep the head from the client.
    process.nextTick(() => {
      if (!this.#over && !this.#ended) this.#response.flushHeaders();
    });
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over || this.#ended) return true;
    if (this.#bodyless || chunk.length === 0) return true;
    if (this.#owed !== -1) {
      this.#owed -= chunk.length;
      if (this.#owed < 0) {
        this.#fail({ code: 'BAD_ANSWER', detail: 'more bytes than Content-Length' });
        return true;
      }
    }
    return this.#response.write(owned(chunk));
  }

  end(trailers?: Fields): void {
    if (this.#over || this.#ended) return;
    if (this.#owed > 0)
      return this.#fail({ code: 'ANSWER_CUT', detail: `${this.#owed} bytes short of Content-Length` });
    this.#ended = true;
    if (trailers !== undefined && trailers.length > 0 && !this.#bodyless) {
      const pairs: [string, string][] = [];
      for (let i = 0; i < trailers.length; i += 2) pairs.push([trailers[i]!, trailers[i + 1]!]);
      if (!this.#guard(() => this.#response.addTrailers(pairs))) return;
    }
    this.#response.end();
  }

  abort(_reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.cut();
  }

  closeAfter(): void {
    this.#owner.close();
  }

  tunnel(fields: Fields): { readonly socket: Duplex; readonly rest: Uint8Array } {
    const { socket, rest } = this.#release();
    socket.write(switchingHead(this.head.fields, fields), 'latin1');
    return { socket, rest };
  }

  #release(): { readonly socket: Socket; readonly rest: Uint8Array } {
    if (this.#upgrade === null) throw new TypeError('tunnel() on a request that is no upgrade');
    this.#over = true;
    const rest = this.#upgrade.take();
    if (this.#response.socket !== null) this.#response.detachSocket(this.#upgrade.socket);
    this.#owner.released();
    return { socket: this.#upgrade.socket, rest };
  }

  #onFinish(): void {
    this.#owner.answered(this);
    if (this.#over) return;
    this.#over = true;
    this.#sink?.sent();
  }

  /** Node throws on fields it cannot send (a control character in a value): that answer is cut, nothing else suffers. */
  #guard(send: () => void): boolean {
    try {
      send();
      return true;
    } catch (error) {
      this.#fail({ code: 'BAD_ANSWER', detail: messageOf(error) });
      return false;
    }
  }

  #fail(reason: Reason): void {
    this.lost(reason);
    this.#owner.cut();
  }
}

/** RFC 9110, section 8.6: no Content-Length in a 204. */
function withoutLength(fields: Fields): string[] {
  const kept: string[] = [];
  for (let i = 0; i < fields.length; i += 2)
    if (!nameIs(fields[i]!, 'content-length')) kept.push(fields[i]!, fields[i + 1]!);
  return kept;
}
