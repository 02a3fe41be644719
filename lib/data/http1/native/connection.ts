// One HTTP/1 connection that our codec reads: requests one after the other, every time-out, and the ways it ends.
//
// A request begins when the one before it is answered (RFC 9112, section 9.3.2); what is pipelined waits as bytes, and
// beyond a bound in the kernel.

import { owned, readOwned, readShared } from '../../lent.ts';
import { type Refusal, refusal } from '../../listener/refusal.ts';
import type { Accepted, SessionEnv } from '../../listener/session.ts';
import { RequestReader } from '../codec/request-reader.ts';
import { DISCARD_BYTES, DISCARD_MS, Http1Session } from '../session.ts';
import { NativeIncoming, type NativeOwner } from './incoming.ts';

/** Bytes that may wait behind a request, or behind an upgrade that is not answered; what comes beyond is not read. */
const MAX_WAITING_BYTES = 64 * 1024;

export class NativeConnection extends Http1Session<NativeIncoming> implements NativeOwner {
  readonly flushed = (): void => this.#answered();
  readonly #reader: RequestReader;
  #pumping = false;
  /** Not read from, since too much waits. */
  #stopped = false;
  /** The body of an answered request still comes; so much of it has been thrown away. */
  #discarding = false;
  #discarded = 0;
  readonly #onData = (chunk: Buffer): void => this.#data(chunk);
  readonly #onEnd = (): void => this.#end();
  readonly #onDrain = (): void => this.current?.drained();

  constructor(accepted: Accepted, env: SessionEnv) {
    super(accepted, env);
    this.#reader = new RequestReader(accepted.connection.tls === null ? 'http' : 'https', env);
    const { socket } = this;
    socket.on('data', this.#onData);
    if (socket === accepted.raw) readShared(socket, bytes => this.#read(bytes));
    socket.on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.resume();
  }

  protected get heard(): boolean {
    return !this.#reader.atRest;
  }

  protected get method(): string {
    return this.#reader.method;
  }

  protected sweepDiscard(nowMs: number): boolean {
    if (this.#discarding && nowMs - this.idleSinceMs > DISCARD_MS) this.finish();
    return this.#discarding;
  }

  // ---- what its requests tell

  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    // Not in here: whoever resumes may stand in the middle of its own work.
    process.nextTick(resumed, this);
  }

  release(): Uint8Array {
    const { socket } = this;
    this.giveAway();
    socket.removeListener('data', this.#onData);
    socket.removeListener('end', this.#onEnd);
    socket.removeListener('drain', this.#onDrain);
    socket.pause();
    readOwned(socket);
    return owned(this.#reader.rest());
  }

  /** After `resumeReading`, on a stack of its own. */
  goOn(): void {
    if (this.#held) return;
    this.#pump();
    if (!this.#held && !this.#stopped) this.socket.resume();
  }

  get #held(): boolean {
    return this.done || this.current?.paused === true;
  }

  // ---- what the socket tells

  /** `bytes` are lent. */
  #read(bytes: Buffer): boolean {
    if (this.done) return false;
    this.#reader.feed(bytes);
    this.#pump();
    this.#reader.keep();
    return true;
  }

  #data(chunk: Buffer): void {
    if (this.done) return;
    this.#reader.feed(chunk);
    this.#pump();
  }

  /**
   * A client that leaves says FIN, and so does one that only closes its own side; the two look alike until something is
   * written. Like nginx we take both for leaving: the backend's work would mostly be for nobody.
   */
  #end(): void {
    if (this.done) return;
    if (this.current !== null) this.leave('the client closed its side');
    else if (this.#discarding || this.#reader.atRest) this.finish();
    else this.refuse(refusal('BAD_REQUEST', 'the request ended early'));
  }

  // ---- from bytes to requests

  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    let more = true;
    while (more && !this.done) more = this.#step();
    this.#pumping = false;
  }

  /** False when there is nothing to go on with. */
  #step(): boolean {
    const current = this.current;
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
          this.idleSinceMs = this.env.clock.monotonicMs();
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
    const env = this.env;
    const head = this.#reader.head!;
    this.requests += 1;
    if (this.#reader.lastOne || this.requests >= env.limits.requests_per_connection) this.ending = true;
    const incoming = new NativeIncoming(this, head);
    this.current = incoming;
    if (head.bodyLength !== 0) this.reading.reset(env.clock.monotonicMs());
    env.handler.request(incoming);
    // Behind an upgrade comes no body, and nothing that the reader would understand.
    if (head.protocol !== '' && this.current === incoming) incoming.bodyEnd(undefined);
  }

  #bad(current: NativeIncoming | null, refused: Refusal): void {
    if (current !== null) this.breakOff(current, refused);
    else if (this.#discarding) this.finish();
    else this.refuse(refused);
  }

  #discard(bytes: number): void {
    this.#discarded += bytes;
    if (this.#discarded > DISCARD_BYTES) this.finish();
  }

  /** The last byte of the answer that runs has been handed to the kernel. */
  #answered(): void {
    const current = this.current;
    if (this.done || current === null) return;
    this.current = null;
    this.idleSinceMs = this.env.clock.monotonicMs();
    this.headSinceMs = 0;
    if (this.ending) this.finish();
    else if (!current.bodyEnded) {
      this.#discarding = true;
      this.#discarded = 0;
    }
    current.sent();
    if (this.done) return;
    if (this.#stopped || current.paused) {
      this.#stopped = false;
      this.socket.resume();
    }
    this.#pump();
  }
}

const resumed = (connection: NativeConnection): void => connection.goOn();
