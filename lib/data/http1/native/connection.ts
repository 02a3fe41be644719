// One HTTP/1 connection that our codec reads: requests one after the other, every time-out, and the ways it ends.
//
// A request begins when the one before it is answered (RFC 9112, section 9.3.2); what is pipelined waits as bytes, and
// beyond a bound in the kernel.

import type { Socket } from 'node:net';
import { lingeringClose } from '../../listener/linger.ts';
import { type Refusal, refusal, refusalBytes } from '../../listener/refusal.ts';
import { type Accepted, type Session, type SessionEnv, unsentBytes } from '../../listener/session.ts';
import { Stall } from '../../listener/stall.ts';
import type { ClientConnection, Reason } from '../../ports.ts';
import { RequestReader } from '../codec/request-reader.ts';
import { NativeIncoming, type NativeOwner } from './incoming.ts';

/** Bytes that may wait behind a request, or behind an upgrade that is not answered; what comes beyond is not read. */
const MAX_WAITING_BYTES = 64 * 1024;
/** A body nobody reads is thrown away up to here to save the connection. */
const DISCARD_MS = 1000;
const DISCARD_BYTES = 256 * 1024;

export class NativeConnection implements Session, NativeOwner {
  readonly connection: ClientConnection;
  readonly socket: Socket;
  readonly paced = false;
  readonly flushed = (): void => this.#answered();
  readonly #raw: Socket;
  readonly #env: SessionEnv;
  readonly #reader: RequestReader;
  readonly #reading: Stall;
  readonly #writing: Stall;
  #current: NativeIncoming | null = null;
  #requests = 0;
  #tunnels = 0;
  #closing = false;
  #pumping = false;
  /** Not read from, since too much waits. */
  #stopped = false;
  /** When draining began; 0 before. */
  #drainingMs = 0;
  /** No longer read: lingering, destroyed or given away. */
  #done = false;
  #idleSinceMs: number;
  /** When the first byte of a head was noticed; 0 when none was. The first head is awaited from the start. */
  #headSinceMs: number;
  /** The body of an answered request still comes; so much of it has been thrown away. */
  #discarding = false;
  #discarded = 0;
  readonly #onData = (chunk: Buffer): void => this.#data(chunk);
  readonly #onEnd = (): void => this.#end();
  readonly #onDrain = (): void => this.#current?.drained();

  constructor(accepted: Accepted, env: SessionEnv) {
    this.connection = accepted.connection;
    this.socket = accepted.socket;
    this.#raw = accepted.raw;
    this.#env = env;
    this.#reader = new RequestReader(accepted.connection.tls === null ? 'http' : 'https', env);
    const now = env.clock.monotonicMs();
    this.#idleSinceMs = now;
    this.#headSinceMs = now;
    this.#reading = new Stall(now);
    this.#writing = new Stall(now);
    const { socket } = this;
    socket.on('close', () => this.#close());
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.resume();
  }

  get closing(): boolean {
    return this.#closing;
  }

  get tunnels(): number {
    return this.#tunnels;
  }

  // ---- what its requests tell

  close(): void {
    this.#closing = true;
  }

  cut(): void {
    this.#done = true;
    this.#current = null;
    // A reset, not a FIN: to a client that reads until the end, a FIN would make the part a whole.
    this.#raw.resetAndDestroy();
    this.socket.destroy();
  }

  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    // Not in here: whoever resumes may stand in the middle of its own work.
    process.nextTick(resumed, this);
  }

  release(): Uint8Array {
    const { socket } = this;
    this.#done = true;
    this.#current = null;
    this.#tunnels = 1;
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('drain', this.#onDrain);
    socket.pause();
    return this.#reader.rest();
  }

  /** After `resumeReading`, on a stack of its own. */
  goOn(): void {
    if (this.#held) return;
    this.#pump();
    if (!this.#held && !this.#stopped) this.socket.resume();
  }

  get #held(): boolean {
    return this.#done || this.#current?.paused === true;
  }

  // ---- what the listener tells

  drain(nowMs: number): void {
    this.#drainingMs ||= nowMs;
    this.#closing = true;
  }

  destroy(): void {
    this.socket.destroy();
    this.#raw.destroy();
  }

  sweep(nowMs: number): void {
    if (this.#done) return;
    if (this.#current !== null) this.#sweepActive(this.#current, nowMs);
    else if (this.#discarding) {
      if (nowMs - this.#idleSinceMs > DISCARD_MS) this.#finish();
    } else this.#sweepIdle(nowMs);
  }

  #sweepActive(current: NativeIncoming, nowMs: number): void {
    const { limits } = this.#env;
    const quietMs = this.#reading.quietMs(this.#raw.bytesRead, current.awaitsBody, nowMs);
    if (quietMs >= limits.body_idle_timeout)
      return this.#breakOff(
        current,
        refusal('REQUEST_TIMEOUT', `no byte of the body for ${Math.round(quietMs)} ms`),
      );
    const unsent = unsentBytes(this.#raw) + this.socket.writableLength;
    const stuckMs = this.#writing.quietMs(unsent, unsent > 0, nowMs);
    if (stuckMs < limits.write_idle_timeout) return;
    current.lost({ code: 'CLIENT_GONE', detail: `took nothing of its answer for ${Math.round(stuckMs)} ms` });
    this.cut();
  }

  #sweepIdle(nowMs: number): void {
    const { limits } = this.#env;
    const heard = !this.#reader.atRest;
    if (this.#headSinceMs === 0 && heard) this.#headSinceMs = nowMs;
    const draining = this.#drainingMs !== 0;
    if (this.#headSinceMs === 0 || (!heard && this.#requests === 0 && draining)) {
      const idle = nowMs - this.#idleSinceMs >= limits.keep_alive;
      // Counted anew from here: the next request, if it comes in time, takes the word that it is the last along.
      const since = Math.max(this.#idleSinceMs, this.#drainingMs);
      if (idle || (draining && nowMs - since >= this.#env.drainIdleMs)) this.#closeIdle();
      return;
    }
    if (nowMs - this.#headSinceMs < limits.head_timeout) return;
    // A connection opened in advance and never used deserves no answer to a question it did not ask.
    if (heard) this.#refuse(refusal('REQUEST_TIMEOUT', 'the head did not arrive in time'));
    else this.#finish();
  }

  // ---- what the socket tells

  #data(chunk: Buffer): void {
    if (this.#done) return;
    this.#reader.feed(chunk);
    this.#pump();
  }

  /**
   * A client that leaves says FIN, and so does one that only closes its own side; the two look alike until something is
   * written. Like nginx we take both for leaving: the backend's work would mostly be for nobody.
   */
  #end(): void {
    if (this.#done) return;
    if (this.#current !== null) this.#leave('the client closed its side');
    else if (this.#discarding || this.#reader.atRest) this.#finish();
    else this.#refuse(refusal('BAD_REQUEST', 'the request ended early'));
  }

  #close(): void {
    this.#current?.lost({ code: 'CLIENT_GONE', detail: 'the client closed the connection' });
    this.#current = null;
    this.#done = true;
    this.#tunnels = 0;
  }

  // ---- from bytes to requests

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    let more = true;
    while (more && !this.#done) more = this.#step();
    this.#pumping = false;
  }

  /** False when there is nothing to go on with. */
  #step(): boolean {
    const current = this.#current;
    const reader = this.#reader;
    if (current !== null) {
      if (current.bodyEnded) return this.#holdBack();
      if (current.paused) return false;
    }
    switch (reader.next()) {
      case 'head':
        this.#begin();
        return true;
      case 'data':
        if (current !== null) current.data(reader.chunk);
        else this.#discard(reader.chunk.length);
        return true;
      case 'end':
        if (current !== null) current.bodyEnd(reader.trailers);
        else {
          this.#discarding = false;
          this.#idleSinceMs = this.#env.clock.monotonicMs();
        }
        return true;
      case 'bad':
        this.#bad(current, reader.refusal!);
        return false;
      default:
        return false;
    }
  }

  /** What comes behind a request waits for its turn. */
  #holdBack(): boolean {
    if (!this.#stopped && this.#reader.unread >= MAX_WAITING_BYTES) {
      this.#stopped = true;
      this.socket.pause();
    }
    return false;
  }

  #begin(): void {
    const env = this.#env;
    const head = this.#reader.head!;
    this.#requests += 1;
    if (this.#reader.lastOne || this.#requests >= env.limits.requests_per_connection) this.#closing = true;
    const incoming = new NativeIncoming(this, head);
    this.#current = incoming;
    if (head.bodyLength !== 0) this.#reading.reset(env.clock.monotonicMs());
    env.handler.request(incoming);
    // Behind an upgrade comes no body, and nothing that the reader would understand.
    if (head.protocol !== '' && this.#current === incoming) incoming.bodyEnd(undefined);
  }

  #bad(current: NativeIncoming | null, refused: Refusal): void {
    if (current !== null) this.#breakOff(current, refused);
    else if (this.#discarding) this.#finish();
    else this.#refuse(refused);
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > DISCARD_BYTES) this.#finish();
  }

  /** The last byte of the answer that runs has been handed to the kernel. */
  #answered(): void {
    const current = this.#current;
    if (this.#done || current === null) return;
    this.#current = null;
    this.#idleSinceMs = this.#env.clock.monotonicMs();
    this.#headSinceMs = 0;
    if (this.#closing) this.#finish();
    else if (!current.bodyEnded) {
      this.#discarding = true;
      this.#discarded = 0;
    }
    current.sent();
    if (this.#done) return;
    if (this.#stopped || current.paused) {
      this.#stopped = false;
      this.socket.resume();
    }
    this.#pump();
  }

  // ---- ends

  /** The request that runs cannot go on: 408 or 400 when nothing of its answer was sent, else a cut. */
  #breakOff(current: NativeIncoming, fault: Refusal): void {
    const begun = current.answerBegun;
    current.lost(fault);
    if (begun) return this.cut();
    this.#current = null;
    this.#env.ledger.add('requestsMalformed', 1);
    this.#answerRefusal(fault);
  }

  #refuse(refused: Refusal): void {
    this.#env.ledger.add('requestsMalformed', 1);
    const reason: Reason = { code: refused.code, detail: refused.detail };
    this.#env.handler.refused(this.connection, reason, refused.status);
    this.#answerRefusal(refused);
  }

  #answerRefusal(refused: Refusal): void {
    this.socket.write(refusalBytes(refused, this.#reader.method), 'latin1');
    this.#finish();
  }

  /**
   * A client may be sending its next request at this very moment and then sees a connection that ends without an answer
   * (RFC 9112, section 9.6). What the kernel holds already is read first, so that only what is on the wire can be hit.
   */
  #closeIdle(): void {
    const read = this.#raw.bytesRead;
    setImmediate(() => {
      if (!this.#done && this.#current === null && this.#raw.bytesRead === read) this.#finish();
    });
  }

  #finish(): void {
    this.#done = true;
    this.#current = null;
    lingeringClose(this.socket, this.#env.clock);
  }

  #leave(detail: string): void {
    this.#current?.lost({ code: 'CLIENT_GONE', detail });
    this.#done = true;
    this.destroy();
  }
}

const resumed = (connection: NativeConnection): void => connection.goOn();
