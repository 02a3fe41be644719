// One HTTP/1 connection: requests one after the other, every time-out, and the ways it ends.
//
// Pipelined requests wait here for their turn: two exchanges of one connection at once would let an unsafe request
// overtake (RFC 9112, section 9.3.2), and node:http would start them all.

import { type IncomingMessage, ServerResponse } from 'node:http';
import { isRefusal, type Refusal, refusal } from '../../listener/refusal.ts';
import type { Accepted, SessionEnv } from '../../listener/session.ts';
import { checkHead } from '../head.ts';
import { DISCARD_BYTES, DISCARD_MS, Http1Session } from '../session.ts';
import { asksForWebSocket } from '../upgrade.ts';
import { collectEarly } from './early-bytes.ts';
import { faultOf, type ParserError } from './faults.ts';
import { Http1Incoming, type Http1Owner, type Upgrade } from './incoming.ts';

/** Requests that may wait behind the one being answered; what a client pipelines beyond is dropped with the connection. */
const MAX_PIPELINED = 64;

type Waiting = { readonly request: IncomingMessage; readonly response: ServerResponse };

export class Http1Connection extends Http1Session<Http1Incoming> implements Http1Owner {
  protected method = '';
  readonly #waiting: Waiting[] = [];
  /** Read when it fell idle. */
  #idleBytes = 0;
  /** An answered request whose body still comes. */
  #discard: Http1Incoming | null = null;
  /** What came behind the request that runs is malformed: answered in its turn. */
  #badFollower: Refusal | null = null;

  constructor(accepted: Accepted, env: SessionEnv) {
    super(accepted, env);
    // Node closes with this after a last answer, and would reset what the client has not read yet.
    this.socket.destroySoon = () => this.close();
    // A client that leaves says FIN, and so does one that only closes its own side; the two look alike until something is
    // written. Like nginx we take both for leaving: the backend's work would mostly be for nobody.
    this.socket.on('end', () => {
      if (this.current !== null) this.leave('the client closed its side');
    });
  }

  protected get heard(): boolean {
    return this.raw.bytesRead !== this.#idleBytes;
  }

  // ---- what node:http tells

  onRequest(request: IncomingMessage, response: ServerResponse): void {
    if (this.done) return;
    if (this.current === null) this.#begin(request, response, null);
    else if (this.#waiting.length < MAX_PIPELINED) this.#waiting.push({ request, response });
    else this.ending = true;
  }

  /** Only the first thing on its turn may become a tunnel; anywhere else the Upgrade is ignored. */
  mayUpgrade(request: IncomingMessage): boolean {
    const free = this.current === null && this.#waiting.length === 0 && !this.done;
    const plain =
      request.method === 'GET' && request.httpVersionMajor === 1 && request.httpVersionMinor === 1;
    return free && plain && asksForWebSocket(request.rawHeaders);
  }

  onUpgrade(request: IncomingMessage, rest: Buffer): void {
    if (this.done) return;
    // Only CONNECT comes here behind another request, and its answer could not be sent in order any more.
    if (this.current !== null) return this.leave('CONNECT behind another request');
    const response = new ServerResponse(request);
    response.assignSocket(this.socket);
    // Node took its own listener away with the parser.
    this.socket.on('drain', () => response.emit('drain'));
    const upgrade = collectEarly(this.socket, rest, () => this.leave('the client left during the upgrade'));
    this.#begin(request, response, upgrade);
  }

  onError(error: ParserError): void {
    if (this.done) return;
    const fault = faultOf(error, this.env.limits.uri_bytes);
    const current = this.current;
    if (fault === 'ignore') {
      this.ending = true;
      if (current === null) this.finish();
    } else if (fault === 'left') {
      const broken = error.code !== 'HPE_INVALID_EOF_STATE';
      if (current?.bodyEnded === true && !broken) this.ending = true;
      else if (current === null && !broken && this.#discard === null)
        this.refuse(refusal('BAD_REQUEST', 'the request ended early'));
      else this.leave(`the connection broke: ${error.code ?? error.message}`);
    } else if (this.#discard !== null) this.finish();
    else if (current === null) this.refuse(fault);
    else if (current.bodyEnded) this.#badFollower = fault;
    else this.breakOff(current, fault);
  }

  // ---- what its requests tell

  answered(incoming: Http1Incoming): void {
    if (this.done || this.current !== incoming) return;
    const now = this.env.clock.monotonicMs();
    this.current = null;
    this.idleSinceMs = now;
    this.#idleBytes = this.raw.bytesRead;
    this.headSinceMs = 0;
    if (this.ending) return this.finish();
    const next = this.#waiting.shift();
    if (next !== undefined) this.#begin(next.request, next.response, null);
    else if (this.#badFollower !== null) this.refuse(this.#badFollower);
    else if (!incoming.bodyEnded) this.#discard = incoming;
  }

  released(): void {
    this.giveAway();
    this.socket.destroySoon = Object.getPrototypeOf(this.socket).destroySoon;
  }

  // ---- beginnings and ends

  protected sweepDiscard(nowMs: number): boolean {
    const discard = this.#discard;
    if (discard === null) return false;
    if (discard.bodyEnded) {
      this.#discard = null;
      this.idleSinceMs = nowMs;
      this.#idleBytes = this.raw.bytesRead;
      if (this.ending) this.finish();
    } else if (nowMs - this.idleSinceMs > DISCARD_MS || this.raw.bytesRead - this.#idleBytes > DISCARD_BYTES)
      this.finish();
    return true;
  }

  #begin(request: IncomingMessage, response: ServerResponse, upgrade: Upgrade | null): void {
    const env = this.env;
    this.requests += 1;
    this.#discard = null;
    this.method = request.method ?? '';
    const parsed = {
      method: this.method,
      target: request.url ?? '',
      major: request.httpVersionMajor,
      minor: request.httpVersionMinor,
      fields: request.rawHeaders,
      upgraded: upgrade !== null,
    };
    const head = checkHead(parsed, this.connection.tls === null ? 'http' : 'https', env.limits);
    if (isRefusal(head)) return this.refuse(head);
    if (this.requests >= env.limits.requests_per_connection) this.ending = true;
    const incoming = new Http1Incoming(this, head, request, response, upgrade);
    this.current = incoming;
    this.reading.reset(env.clock.monotonicMs());
    env.handler.request(incoming);
    incoming.start();
  }

  protected override closed(): void {
    super.closed();
    this.#waiting.length = 0;
  }
}
