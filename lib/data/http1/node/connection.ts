// One HTTP/1 connection: requests one after the other, every time-out, and the ways it ends.
//
// Pipelined requests wait here for their turn: two exchanges of one connection at once would let an unsafe request
// overtake (RFC 9112, section 9.3.2), and node:http would start them all.

import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { lingeringClose } from '../../listener/linger.ts';
import { isRefusal, type Refusal, refusal, refusalBytes } from '../../listener/refusal.ts';
import { type Accepted, type Session, type SessionEnv, unsentBytes } from '../../listener/session.ts';
import { Stall } from '../../listener/stall.ts';
import type { ClientConnection, Reason } from '../../ports.ts';
import { checkHead } from '../head.ts';
import { asksForWebSocket } from '../upgrade.ts';
import { collectEarly } from './early-bytes.ts';
import { faultOf, type ParserError } from './faults.ts';
import { Http1Incoming, type Http1Owner, type Upgrade } from './incoming.ts';

/** Requests that may wait behind the one being answered; what a client pipelines beyond is dropped with the connection. */
const MAX_PIPELINED = 64;
/** A body nobody reads is thrown away up to here to save the connection. */
const DISCARD_MS = 1000;
const DISCARD_BYTES = 256 * 1024;

type Waiting = { readonly request: IncomingMessage; readonly response: ServerResponse };

export class Http1Connection implements Session, Http1Owner {
  readonly connection: ClientConnection;
  readonly paced = false;
  readonly #socket: Socket;
  readonly #raw: Socket;
  readonly #env: SessionEnv;
  readonly #waiting: Waiting[] = [];
  readonly #reading: Stall;
  readonly #writing: Stall;
  #current: Http1Incoming | null = null;
  #method = '';
  #requests = 0;
  #tunnels = 0;
  #closing = false;
  /** When draining began; 0 before. */
  #drainingMs = 0;
  /** No longer read: lingering, destroyed or given away. */
  #done = false;
  /** When it fell idle, and how much had been read by then. */
  #idleSinceMs: number;
  #idleBytes: number;
  /** When the first byte of a head was noticed; 0 when none was. The first head is awaited from the start. */
  #headSinceMs: number;
  /** An answered request whose body still comes. */
  #discard: Http1Incoming | null = null;
  /** What came behind the request that runs is malformed: answered in its turn. */
  #badFollower: Refusal | null = null;

  constructor(accepted: Accepted, env: SessionEnv) {
    this.connection = accepted.connection;
    this.#socket = accepted.socket;
    this.#raw = accepted.raw;
    this.#env = env;
    const now = env.clock.monotonicMs();
    this.#idleSinceMs = now;
    this.#headSinceMs = now;
    this.#idleBytes = 0;
    this.#reading = new Stall(now);
    this.#writing = new Stall(now);
    // Node closes with this after a last answer, and would reset what the client has not read yet.
    this.#socket.destroySoon = () => this.close();
    this.#socket.on('close', () => this.#onClose());
    // A client that leaves says FIN, and so does one that only closes its own side; the two look alike until something is
    // written. Like nginx we take both for leaving: the backend's work would mostly be for nobody.
    this.#socket.on('end', () => {
      if (this.#current !== null) this.#leave('the client closed its side');
    });
  }

  get closing(): boolean {
    return this.#closing;
  }

  get tunnels(): number {
    return this.#tunnels;
  }

  // ---- what node:http tells

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.#done) return;
    if (this.#current === null) this.#begin(request, response, null);
    else if (this.#waiting.length < MAX_PIPELINED) this.#waiting.push({ request, response });
    else this.#closing = true;
  }

  /** Only the first thing on its turn may become a tunnel; anywhere else the Upgrade is ignored. */
  mayUpgrade(request: IncomingMessage): boolean {
    const free = this.#current === null && this.#waiting.length === 0 && !this.#done;
    const plain =
      request.method === 'GET' && request.httpVersionMajor === 1 && request.httpVersionMinor === 1;
    return free && plain && asksForWebSocket(request.rawHeaders);
  }

  onUpgrade(request: IncomingMessage, rest: Buffer): void {
    if (this.#done) return;
    // Only CONNECT comes here behind another request, and its answer could not be sent in order any more.
    if (this.#current !== null) return this.#leave('CONNECT behind another request');
    const response = new ServerResponse(request);
    response.assignSocket(this.#socket);
    // Node took its own listener away with the parser.
    this.#socket.on('drain', () => response.emit('drain'));
    const upgrade = collectEarly(this.#socket, rest, () => this.#leave('the client left during the upgrade'));
    this.#begin(request, response, upgrade);
  }

  onError(error: ParserError): void {
    if (this.#done) return;
    const fault = faultOf(error, this.#env.limits.uri_bytes);
    const current = this.#current;
    if (fault === 'ignore') {
      this.#closing = true;
      if (current === null) this.#finish();
    } else if (fault === 'left') {
      const broken = error.code !== 'HPE_INVALID_EOF_STATE';
      if (current?.bodyEnded === true && !broken) this.#closing = true;
      else if (current === null && !broken && this.#discard === null)
        this.#refuse(refusal('BAD_REQUEST', 'the request ended early'));
      else this.#leave(`the connection broke: ${error.code ?? error.message}`);
    } else if (this.#discard !== null) this.#finish();
    else if (current === null) this.#refuse(fault);
    else if (current.bodyEnded) this.#badFollower = fault;
    else this.#breakOff(current, fault);
  }

  // ---- what its requests tell

  close(): void {
    this.#closing = true;
  }

  answered(incoming: Http1Incoming): void {
    if (this.#done || this.#current !== incoming) return;
    const now = this.#env.clock.monotonicMs();
    this.#current = null;
    this.#idleSinceMs = now;
    this.#idleBytes = this.#raw.bytesRead;
    this.#headSinceMs = 0;
    if (this.#closing) return this.#finish();
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next.request, next.response, null);
    else if (this.#badFollower !== null) this.#refuse(this.#badFollower);
    else if (!incoming.bodyEnded) this.#discard = incoming;
  }

  cut(): void {
    this.#done = true;
    this.#current = null;
    // A reset, not a FIN: to a client that reads until the end, a FIN would make the part a whole.
    this.#raw.resetAndDestroy();
    this.#socket.destroy();
  }

  released(): void {
    this.#done = true;
    this.#current = null;
    this.#tunnels = 1;
    this.#socket.destroySoon = Object.getPrototypeOf(this.#socket).destroySoon;
  }

  // ---- what the listener tells

  drain(nowMs: number): void {
    this.#drainingMs ||= nowMs;
    this.#closing = true;
  }

  destroy(): void {
    this.#socket.destroy();
    this.#raw.destroy();
  }

  sweep(nowMs: number): void {
    if (this.#done) return;
    if (this.#current !== null) this.#sweepActive(this.#current, nowMs);
    else if (this.#discard !== null) this.#sweepDiscard(nowMs);
    else this.#sweepIdle(nowMs);
  }

  #sweepActive(current: Http1Incoming, nowMs: number): void {
    const { limits } = this.#env;
    const quietMs = this.#reading.quietMs(this.#raw.bytesRead, current.awaitsBody, nowMs);
    if (quietMs >= limits.body_idle_timeout)
      return this.#breakOff(
        current,
        refusal('REQUEST_TIMEOUT', `no byte of the body for ${Math.round(quietMs)} ms`),
      );
    const unsent = unsentBytes(this.#raw) + this.#socket.writableLength;
    const stuckMs = this.#writing.quietMs(unsent, unsent > 0, nowMs);
    if (stuckMs < limits.write_idle_timeout) return;
    current.lost({ code: 'CLIENT_GONE', detail: `took nothing of its answer for ${Math.round(stuckMs)} ms` });
    this.cut();
  }

  #sweepDiscard(nowMs: number): void {
    if (this.#discard!.bodyEnded) {
      this.#discard = null;
      this.#idleSinceMs = nowMs;
      this.#idleBytes = this.#raw.bytesRead;
      if (this.#closing) this.#finish();
    } else if (
      nowMs - this.#idleSinceMs > DISCARD_MS ||
      this.#raw.bytesRead - this.#idleBytes > DISCARD_BYTES
    )
      this.#finish();
  }

  #sweepIdle(nowMs: number): void {
    const { limits } = this.#env;
    const heard = this.#raw.bytesRead !== this.#idleBytes;
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
    if (this.#raw.bytesRead === 0) this.#finish();
    else this.#refuse(refusal('REQUEST_TIMEOUT', 'the head did not arrive in time'));
  }

  // ---- beginnings and ends

  #begin(request: IncomingMessage, response: ServerResponse, upgrade: Upgrade | null): void {
    const env = this.#env;
    this.#requests += 1;
    this.#discard = null;
    this.#method = request.method ?? '';
    const parsed = {
      method: this.#method,
      target: request.url ?? '',
      major: request.httpVersionMajor,
      minor: request.httpVersionMinor,
      fields: request.rawHeaders,
      upgraded: upgrade !== null,
    };
    const head = checkHead(parsed, this.connection.tls === null ? 'http' : 'https', env.limits);
    if (isRefusal(head)) return this.#refuse(head);
    if (this.#requests >= env.limits.requests_per_connection) this.#closing = true;
    const incoming = new Http1Incoming(this, head, request, response, upgrade);
    this.#current = incoming;
    this.#reading.reset(env.clock.monotonicMs());
    env.handler.request(incoming);
    incoming.start();
  }

  /** The request that runs cannot go on: 408 or 400 when nothing of its answer was sent, else a cut. */
  #breakOff(current: Http1Incoming, fault: Refusal): void {
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
    this.#socket.write(refusalBytes(refused, this.#method), 'latin1');
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
    lingeringClose(this.#socket, this.#env.clock);
  }

  #leave(detail: string): void {
    this.#current?.lost({ code: 'CLIENT_GONE', detail });
    this.#done = true;
    this.destroy();
  }

  #onClose(): void {
    this.#current?.lost({ code: 'CLIENT_GONE', detail: 'the client closed the connection' });
    this.#current = null;
    this.#done = true;
    this.#tunnels = 0;
    this.#waiting.length = 0;
  }
}
