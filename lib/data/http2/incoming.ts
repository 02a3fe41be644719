// One HTTP/2 stream: a request and its answer over node:http2's core stream.

import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { RequestLimits } from '../../config/proxy.ts';
import { messageOf } from '../../core/errors.ts';
import { type Fields, fieldValue } from '../../core/fields.ts';
import { owned } from '../lent.ts';
import { type Refusal, refusalText } from '../listener/refusal.ts';
import { Stall } from '../listener/stall.ts';
import type { AnswerHead, ClientConnection, Incoming, Reason, RequestHead, RequestSink } from '../ports.ts';
import { answerFields, asObject } from './fields.ts';

const { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR } = constants;

/** Taken from an exchange before it is asked to wait. */
const STREAM_BUFFER_BYTES = 128 * 1024;

/** What a stream needs of its session. */
export interface Http2Owner {
  readonly connection: ClientConnection;
  /** Accounts for bytes of answers that the client has not taken; false when the session holds too many. */
  hold(bytes: number): boolean;
  release(bytes: number): void;
  received(bytes: number): void;
  /** Bytes that went out without being held. */
  sent(bytes: number): void;
  /** GOAWAY once this is answered. */
  drain(): void;
  /** The stream is over; `struck` when it was reset and not by our will. */
  ended(incoming: Http2Incoming, struck: boolean): void;
}

export class Http2Incoming implements Incoming {
  readonly head: RequestHead;
  readonly #owner: Http2Owner;
  readonly #stream: ServerHttp2Stream;
  readonly #reading: Stall;
  readonly #writing: Stall;
  #sink: RequestSink | null = null;
  #over = false;
  #bodyEnded: boolean;
  #continued = false;
  #paused = false;
  #answered = false;
  #ended = false;
  #bodyless = false;
  #owed = -1;
  #trailersIn: Fields | null = null;
  #trailersOut: Fields | null = null;
  #bytesIn = 0;
  #writes = 0;
  #pending = 0;
  #waiting = false;
  #waitsForTrailers = false;
  #tunnel = false;
  /** We reset it ourselves: no strike against the client. */
  #own = false;

  constructor(
    owner: Http2Owner,
    stream: ServerHttp2Stream,
    head: RequestHead,
    endStream: boolean,
    nowMs: number,
  ) {
    this.#owner = owner;
    this.#stream = stream;
    this.head = head;
    this.#bodyEnded = endStream;
    this.#reading = new Stall(nowMs);
    this.#writing = new Stall(nowMs);
    stream.on('close', () => this.#onClose());
    stream.on('finish', () => this.#onFinish());
    stream.on('wantTrailers', () => this.#onWantTrailers());
    // The reason is told by `close` with its code.
    stream.on('error', () => {});
  }

  get connection(): ClientConnection {
    return this.#owner.connection;
  }

  get isTunnel(): boolean {
    return this.#tunnel;
  }

  start(): void {
    if (this.#over || this.head.protocol !== '') return;
    if (this.#bodyEnded) {
      this.#sink?.end();
      return;
    }
    this.#stream.on('trailers', (_headers: unknown, _flags: number, raw: unknown) => {
      if (Array.isArray(raw)) this.#trailersIn = raw as string[];
    });
    this.#stream.on('data', (chunk: Buffer) => {
      this.#bytesIn += 1;
      this.#owner.received(chunk.length);
      if (!this.#over) this.#sink?.data(chunk);
    });
    this.#stream.on('end', () => {
      // A reset ends the readable side too; only END_STREAM makes a body whole.
      if (this.#stream.rstCode !== NGHTTP2_NO_ERROR || this.#stream.aborted) return;
      this.#bodyEnded = true;
      if (this.#over) return;
      if (this.#trailersIn === null) this.#sink?.end();
      else this.#sink?.end(this.#trailersIn);
    });
  }

  lost(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink?.gone(reason);
  }

  listen(sink: RequestSink): void {
    this.#sink = sink;
  }

  continue(): void {
    if (!this.head.expectsContinue || this.#continued || this.#answered || this.#over) return;
    this.#continued = true;
    this.#guard(() => this.#stream.additionalHeaders({ ':status': 100 }));
  }

  pause(): void {
    this.#paused = true;
    this.#stream.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream.resume();
  }

  informational(head: AnswerHead): void {
    if (this.#over || this.#answered) return;
    this.#guard(() => this.#stream.additionalHeaders({ ':status': head.status, ...asObject(head.fields) }));
  }

  answer(head: AnswerHead, bodyless: boolean): void {
    if (this.#over || this.#answered) return;
    this.#answered = true;
    this.#bodyless = bodyless;
    const length = fieldValue(head.fields, 'content-length');
    if (!bodyless && length !== undefined) this.#owed = Number(length);
    // A stated length leaves no room for trailers in HTTP/1.1; asking for them anyway costs a turn of the loop an answer.
    this.#waitsForTrailers =
      !bodyless && (length === undefined || fieldValue(head.fields, 'trailer') !== undefined);
    const options = { endStream: bodyless, waitForTrailers: this.#waitsForTrailers };
    this.#guard(() => this.#stream.respond(answerFields(head.status, head.fields), options));
  }

  write(chunk: Uint8Array): boolean {
    if (this.#over || this.#ended || this.#bodyless || chunk.length === 0) return true;
    const bytes = chunk.length;
    if (this.#owed !== -1) {
      this.#owed -= bytes;
      if (this.#owed < 0) {
        this.#fail({ code: 'BAD_ANSWER', detail: 'more bytes than Content-Length' });
        return true;
      }
    }
    this.#pending += bytes;
    const room = this.#owner.hold(bytes);
    this.#stream.write(owned(chunk), () => this.#onWritten(bytes));
    this.#waiting = !room || this.#pending >= STREAM_BUFFER_BYTES;
    return !this.#waiting;
  }

  end(trailers?: Fields): void {
    if (this.#over || this.#ended) return;
    if (this.#owed > 0)
      return this.#fail({ code: 'ANSWER_CUT', detail: `${this.#owed} bytes short of Content-Length` });
    this.#ended = true;
    this.#trailersOut = trailers ?? null;
    if (!this.#bodyless) this.#stream.end();
    else if (this.#stream.writableFinished) this.#onFinish();
  }

  abort(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#reset(reason.code === 'CLIENT_GONE' ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR);
  }

  closeAfter(): void {
    this.#owner.drain();
  }

  tunnel(fields: Fields): { readonly socket: Duplex; readonly rest: Uint8Array } {
    if (this.head.protocol === '') throw new TypeError('tunnel() on a request that is no upgrade');
    this.#over = true;
    this.#answered = true;
    this.#tunnel = true;
    // RFC 8441, section 5: no Sec-WebSocket-Accept; the stream itself is the proof.
    const kept = answerFields(200, fields).filter(
      (_, i, all) => all[i - (i % 2)]!.toLowerCase() !== 'sec-websocket-accept',
    );
    this.#guard(() => this.#stream.respond(kept));
    this.#countTunnel();
    return { socket: this.#stream, rest: new Uint8Array(0) };
  }

  /** Nobody but us knows what a tunnel carries, and what seems to carry nothing is taken for a flood. */
  #countTunnel(): void {
    const stream = this.#stream;
    stream.on('data', (chunk: Buffer) => this.#owner.received(chunk.length));
    const write = stream.write as (chunk: Uint8Array, ...rest: unknown[]) => boolean;
    stream.write = ((chunk: Uint8Array, ...rest: unknown[]) => {
      this.#owner.sent(chunk.length);
      return write.call(stream, chunk, ...rest);
    }) as typeof stream.write;
  }

  /** Answers before anybody above has heard of it. */
  refuse(refused: Refusal): void {
    this.#answered = true;
    this.#ended = true;
    this.#over = true;
    const bodyless = this.head.method === 'HEAD';
    const fields = ['content-type', 'text/plain; charset=utf-8'];
    this.#guard(() => {
      this.#stream.respond(answerFields(refused.status, fields), { endStream: bodyless });
      if (!bodyless) this.#stream.end(refusalText(refused));
    });
  }

  /** The session holds less again. */
  wake(): void {
    if (!this.#waiting || this.#over || this.#pending >= STREAM_BUFFER_BYTES / 2) return;
    this.#waiting = false;
    this.#sink?.drained();
  }

  sweep(limits: RequestLimits, nowMs: number): void {
    if (this.#over) return;
    const stuckMs = this.#writing.quietMs(this.#writes, this.#pending > 0, nowMs);
    if (stuckMs >= limits.write_idle_timeout) {
      this.lost({ code: 'CLIENT_GONE', detail: `took nothing of its answer for ${Math.round(stuckMs)} ms` });
      return this.#reset(NGHTTP2_CANCEL);
    }
    const quietMs = this.#reading.quietMs(this.#bytesIn, this.#awaitsBody, nowMs);
    if (quietMs < limits.body_idle_timeout) return;
    const reason: Reason = {
      code: 'REQUEST_TIMEOUT',
      detail: `no byte of the body for ${Math.round(quietMs)} ms`,
    };
    this.lost(reason);
    this.refuse({ ...reason, status: 408 });
  }

  /** An answer that has begun makes it a two-way exchange, and a gRPC stream is one from its start: both may be quiet. */
  get #awaitsBody(): boolean {
    if (this.#bodyEnded || this.#paused || this.#answered || this.head.protocol !== '') return false;
    if (this.head.expectsContinue && !this.#continued) return false;
    return fieldValue(this.head.fields, 'content-type')?.startsWith('application/grpc') !== true;
  }

  #onWritten(bytes: number): void {
    this.#writes += 1;
    const counted = Math.min(bytes, this.#pending);
    this.#pending -= counted;
    this.#owner.release(counted);
    this.wake();
  }

  #onWantTrailers(): void {
    const trailers = this.#trailersOut;
    this.#guard(() => this.#stream.sendTrailers(trailers === null ? {} : asObject(trailers)));
    // Node sends them in the next turn; the early end of the request must come after.
    setImmediate(() => setImmediate(() => this.#closeEarly()));
  }

  #onFinish(): void {
    if (this.#ended && !this.#waitsForTrailers) setImmediate(() => this.#closeEarly());
  }

  /** RFC 9113, section 8.1: a complete answer before the end of the request is followed by RST_STREAM(NO_ERROR). */
  #closeEarly(): void {
    if (this.#bodyEnded || this.#stream.closed || this.#stream.destroyed) return;
    this.#own = true;
    this.#stream.close(NGHTTP2_NO_ERROR);
  }

  #onClose(): void {
    const code = this.#stream.rstCode ?? NGHTTP2_NO_ERROR;
    this.#owner.release(this.#pending);
    this.#pending = 0;
    if (!this.#over) {
      const whole = this.#ended && code === NGHTTP2_NO_ERROR;
      if (whole) {
        this.#over = true;
        this.#sink?.sent();
      } else this.lost({ code: 'CLIENT_GONE', detail: `the stream was reset with code ${code}` });
    }
    this.#owner.ended(this, code !== NGHTTP2_NO_ERROR && !this.#own);
  }

  #reset(code: number): void {
    this.#own = true;
    if (!this.#stream.destroyed) this.#stream.close(code);
  }

  #guard(send: () => void): void {
    try {
      send();
    } catch (error) {
      this.#fail({ code: 'BAD_ANSWER', detail: messageOf(error) });
    }
  }

  #fail(reason: Reason): void {
    this.lost(reason);
    this.#reset(NGHTTP2_INTERNAL_ERROR);
  }
}
