// Upstream that asks the backend by ALPN (RFC 7301) which protocol it speaks, and speaks that.

import type { Socket } from 'node:net';
import { LeasewayError } from '../../core/errors.ts';
import type { AnswerSink, Outgoing, Upstream, UpstreamHead } from '../ports.ts';
import type { Dial, Dialer } from './dial.ts';
import { PendingOutgoing } from './pending.ts';
import { refusedOutgoing } from './refused.ts';

export interface AutoParts {
  readonly dialer: Dialer;
  /** Requests that may wait for the answer. */
  readonly queue: number;
  readonly http1: (dial: Dial) => Upstream;
  readonly http2: (dial: Dial) => Upstream;
}

type Spoken = 'unknown' | 'asking' | 'http1' | 'h2';

export class AutoUpstream implements Upstream {
  readonly #dialer: Dialer;
  readonly #queue: number;
  readonly #http1: Upstream;
  readonly #http2: Upstream;
  readonly #waiting = new Set<PendingOutgoing>();
  #spoken: Spoken = 'unknown';
  /** The connection that answered the question, until the adapter it belongs to asks for one. */
  #spare: Socket | null = null;
  #closed = false;
  readonly #left = (pending: PendingOutgoing): void => {
    this.#waiting.delete(pending);
  };

  constructor(parts: AutoParts) {
    this.#dialer = parts.dialer;
    this.#queue = parts.queue;
    this.#http1 = parts.http1(done => {
      const spare = this.#takeSpare(socket => protocolOf(socket) !== 'h2');
      if (spare === null) return this.#dialer.dial(['http/1.1'], done);
      queueMicrotask(() => done(null, spare));
    });
    this.#http2 = parts.http2(done => {
      const spare = this.#takeSpare(socket => protocolOf(socket) === 'h2');
      if (spare !== null) return queueMicrotask(() => done(null, spare));
      this.#dialer.dial(['h2', 'http/1.1'], (failure, socket) => {
        if (socket === null || protocolOf(socket) === 'h2') return done(failure, socket);
        // Another program answers at this address now: ask again at the next request.
        this.#spoken = 'unknown';
        socket.destroy();
        done(new LeasewayError('CONNECT_FAILED', 'the backend no longer offers HTTP/2'), null);
      });
    });
  }

  get connections(): number {
    return this.#dialer.open;
  }

  open(head: UpstreamHead, sink: AnswerSink): Outgoing {
    if (this.#closed) return refusedOutgoing(sink, { code: 'NO_BACKEND', detail: 'the backend was removed' });
    // Few servers offer RFC 8441, and none that takes WebSockets lacks the HTTP/1.1 way.
    if (head.protocol === 'websocket') return this.#http1.open(head, sink);
    if (this.#spoken === 'h2') return this.#http2.open(head, sink);
    if (this.#spoken === 'http1') {
      if (this.#dialer.open > 0) return this.#http1.open(head, sink);
      // Nothing is open, so a connection is made anyway: it may as well ask.
      this.#spoken = 'unknown';
    }
    if (this.#waiting.size >= this.#queue)
      return refusedOutgoing(sink, {
        code: 'TOO_MANY_CONNECTIONS',
        detail: `${this.#waiting.size} requests wait for the first connection`,
      });
    const pending = new PendingOutgoing(head, sink, this.#left);
    this.#waiting.add(pending);
    if (this.#spoken === 'unknown') this.#ask();
    return pending;
  }

  close(): void {
    this.#closed = true;
    if (this.#spoken !== 'asking') this.#closeParts();
  }

  #ask(): void {
    this.#spoken = 'asking';
    this.#dialer.dial(['h2', 'http/1.1'], (failure, socket) => {
      const waiting = [...this.#waiting];
      this.#waiting.clear();
      if (socket === null) {
        this.#spoken = 'unknown';
        const { code, detail } = failure ?? new LeasewayError('CONNECT_FAILED', 'no socket');
        for (const pending of waiting) pending.fail({ code, detail });
      } else {
        this.#spoken = protocolOf(socket) === 'h2' ? 'h2' : 'http1';
        const chosen = this.#spoken === 'h2' ? this.#http2 : this.#http1;
        this.#spare = socket;
        for (const pending of waiting) pending.bind((head, sink) => chosen.open(head, sink));
        // All who waited may have left: then the connection is nobody's.
        if (waiting.length === 0) this.#takeSpare(() => true)?.destroy();
      }
      if (this.#closed) this.#closeParts();
    });
  }

  #closeParts(): void {
    this.#http1.close();
    this.#http2.close();
    // After the requests that were handed over just now have taken it.
    queueMicrotask(() => this.#takeSpare(() => true)?.destroy());
  }

  #takeSpare(fits: (socket: Socket) => boolean): Socket | null {
    const socket = this.#spare;
    if (socket === null || !fits(socket)) return null;
    this.#spare = null;
    return socket.destroyed ? null : socket;
  }
}

const protocolOf = (socket: Socket): string =>
  'alpnProtocol' in socket ? String(socket.alpnProtocol || '') : '';
