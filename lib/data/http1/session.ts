// What an HTTP/1 connection is whoever parses it: its time-outs, and the ways it ends.

import type { Socket } from 'node:net';
import { lingeringClose } from '../listener/linger.ts';
import { type Refusal, refusal, refusalBytes } from '../listener/refusal.ts';
import { type Accepted, type Session, type SessionEnv, unsentBytes } from '../listener/session.ts';
import { Stall } from '../listener/stall.ts';
import type { ClientConnection, Reason } from '../ports.ts';

/** A body nobody reads is thrown away up to here to save the connection. */
export const DISCARD_MS = 1000;
export const DISCARD_BYTES = 256 * 1024;

/** The request that runs, as its connection knows it. */
export interface Running {
  /** The client owes a part of its body, and nothing else holds it back. */
  readonly awaitsBody: boolean;
  readonly answerBegun: boolean;
  /** The sink's last word. */
  lost(reason: Reason): void;
}

export abstract class Http1Session<Request extends Running> implements Session, Accepted {
  readonly connection: ClientConnection;
  readonly socket: Socket;
  readonly paced = false;
  readonly tunnels = 0;
  readonly raw: Socket;
  protected readonly env: SessionEnv;
  protected readonly reading: Stall;
  protected current: Request | null = null;
  protected requests = 0;
  /** The connection ends with what runs: its client was told, or has left, or cannot be followed any more. */
  protected ending = false;
  /** No longer read: lingering, destroyed or given away. */
  protected done = false;
  protected idleSinceMs: number;
  /** When the first byte of a head was noticed; 0 when none was. The first head is awaited from the start. */
  protected headSinceMs: number;
  readonly #writing: Stall;
  /** When draining began; 0 before. */
  #drainingMs = 0;
  readonly #onClose = (): void => this.closed();

  constructor({ connection, socket, raw }: Accepted, env: SessionEnv) {
    this.connection = connection;
    this.socket = socket;
    this.raw = raw;
    this.env = env;
    const now = env.clock.monotonicMs();
    this.idleSinceMs = now;
    this.headSinceMs = now;
    this.reading = new Stall(now);
    this.#writing = new Stall(now);
    socket.on('close', this.#onClose);
  }

  /** Something of the next request has come. */
  protected abstract readonly heard: boolean;
  /** Of the last head that was read. */
  protected abstract readonly method: string;
  /** What is left of an answered request's body is looked after; false when nothing is. */
  protected abstract sweepDiscard(nowMs: number): boolean;

  // ---- what its requests tell

  /** The answer that begins now is the last. One that has begun before a drain promised more, and the client may have sent it. */
  get closing(): boolean {
    return this.ending || this.#drainingMs !== 0;
  }

  close(): void {
    this.ending = true;
  }

  cut(): void {
    this.done = true;
    this.current = null;
    // A reset, not a FIN: to a client that reads until the end, a FIN would make the part a whole.
    this.raw.resetAndDestroy();
    this.socket.destroy();
  }

  // ---- what the listener tells

  drain(nowMs: number): void {
    this.#drainingMs ||= nowMs;
  }

  destroy(): void {
    this.socket.destroy();
    this.raw.destroy();
  }

  sweep(nowMs: number): void {
    if (this.done) return;
    if (this.current !== null) this.#sweepActive(this.current, nowMs);
    else if (!this.sweepDiscard(nowMs)) this.#sweepIdle(nowMs);
  }

  #sweepActive(current: Request, nowMs: number): void {
    const { limits } = this.env;
    const quietMs = this.reading.quietMs(this.raw.bytesRead, current.awaitsBody, nowMs);
    if (quietMs >= limits.body_idle_timeout)
      return this.breakOff(
        current,
        refusal('REQUEST_TIMEOUT', `no byte of the body for ${Math.round(quietMs)} ms`),
      );
    const unsent = unsentBytes(this.raw) + this.socket.writableLength;
    const stuckMs = this.#writing.quietMs(unsent, unsent > 0, nowMs);
    if (stuckMs < limits.write_idle_timeout) return;
    current.lost({ code: 'CLIENT_GONE', detail: `took nothing of its answer for ${Math.round(stuckMs)} ms` });
    this.cut();
  }

  #sweepIdle(nowMs: number): void {
    const { limits } = this.env;
    const { heard } = this;
    if (this.headSinceMs === 0 && heard) this.headSinceMs = nowMs;
    const draining = this.#drainingMs !== 0;
    if (this.headSinceMs === 0 || (!heard && this.requests === 0 && draining)) {
      const idle = nowMs - this.idleSinceMs >= limits.keep_alive;
      // Counted anew from here: the next request, if it comes in time, takes the word that it is the last along.
      const since = Math.max(this.idleSinceMs, this.#drainingMs);
      if (idle || (draining && nowMs - since >= this.env.drainIdleMs)) this.#closeIdle();
      return;
    }
    if (nowMs - this.headSinceMs < limits.head_timeout) return;
    // A connection opened in advance and never used deserves no answer to a question it did not ask.
    if (heard) this.refuse(refusal('REQUEST_TIMEOUT', 'the head did not arrive in time'));
    else this.finish();
  }

  // ---- ends

  /** The request that runs cannot go on: 408 or 400 when nothing of its answer was sent, else a cut. */
  protected breakOff(current: Request, fault: Refusal): void {
    const begun = current.answerBegun;
    current.lost(fault);
    if (begun) return this.cut();
    this.current = null;
    this.env.ledger.add('requestsMalformed', 1);
    this.#answerRefusal(fault);
  }

  protected refuse(refused: Refusal): void {
    this.env.ledger.add('requestsMalformed', 1);
    const reason: Reason = { code: refused.code, detail: refused.detail };
    this.env.handler.refused(this.connection, reason, refused.status);
    this.#answerRefusal(refused);
  }

  #answerRefusal(refused: Refusal): void {
    this.socket.write(refusalBytes(refused, this.method), 'latin1');
    this.finish();
  }

  /**
   * A client may be sending its next request at this very moment and then sees a connection that ends without an answer
   * (RFC 9112, section 9.6). What the kernel holds already is read first, so that only what is on the wire can be hit.
   */
  #closeIdle(): void {
    const read = this.raw.bytesRead;
    setImmediate(() => {
      if (!this.done && this.current === null && this.raw.bytesRead === read) this.finish();
    });
  }

  protected finish(): void {
    this.done = true;
    this.current = null;
    lingeringClose(this.socket, this.env.clock);
  }

  /** The socket is a tunnel's from here on. */
  protected giveAway(): void {
    this.done = true;
    this.current = null;
    this.socket.removeListener('close', this.#onClose);
    this.env.tunnelled(this);
  }

  protected leave(detail: string): void {
    this.current?.lost({ code: 'CLIENT_GONE', detail });
    this.done = true;
    this.destroy();
  }

  protected closed(): void {
    this.current?.lost({ code: 'CLIENT_GONE', detail: 'the client closed the connection' });
    this.current = null;
    this.done = true;
  }
}
