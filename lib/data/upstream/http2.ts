// Upstream over HTTP/2 by node:http2: as few connections as carry the streams, another when all are full.

import type { Clock } from '../../core/clock.ts';
import { LeasewayError } from '../../core/errors.ts';
import type { AnswerSink, Outgoing, Reason, Upstream, UpstreamHead } from '../ports.ts';
import type { Dial } from './dial.ts';
import { Http2Exchange } from './http2-exchange.ts';
import { Http2Link, type LinkOwner, MAX_STREAMS } from './http2-link.ts';
import { PendingOutgoing } from './pending.ts';
import { refusedOutgoing } from './refused.ts';

export interface Http2Options {
  /** scheme://host:port */
  readonly origin: string;
  /** Gives sockets on which HTTP/2 is to be spoken: by ALPN, or by prior knowledge (RFC 9113, section 3.3). */
  readonly dial: Dial;
  /** Open at once. */
  readonly connections: number;
  /** Requests that may wait for room beyond what connections under way will carry. */
  readonly queue: number;
  readonly keepAliveMs: number;
  readonly connectTimeoutMs: number;
  readonly openSockets: () => number;
}

export class Http2Upstream implements Upstream, LinkOwner {
  readonly #options: Http2Options;
  readonly #clock: Clock;
  /** Those that take streams. */
  readonly #links = new Set<Http2Link>();
  readonly #waiting = new Set<PendingOutgoing>();
  /** Sockets and SETTINGS that are awaited. */
  #dialing = 0;
  #closed = false;
  readonly #left = (pending: PendingOutgoing): void => {
    this.#waiting.delete(pending);
  };

  constructor(options: Http2Options, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get connections(): number {
    return this.#options.openSockets();
  }

  open(head: UpstreamHead, sink: AnswerSink): Outgoing {
    if (this.#closed) return refusedOutgoing(sink, { code: 'NO_BACKEND', detail: 'the backend was removed' });
    const link = this.#waiting.size === 0 ? this.#roomiest() : null;
    if (link !== null) return new Http2Exchange(link, head, sink);
    const { connections, queue } = this.#options;
    const mayDial = this.#links.size + this.#dialing < connections;
    if (!mayDial && this.#waiting.size >= queue + this.#dialing * MAX_STREAMS) {
      const detail = `${connections} connections are full and ${this.#waiting.size} requests wait`;
      return refusedOutgoing(sink, { code: 'TOO_MANY_CONNECTIONS', detail });
    }
    const pending = new PendingOutgoing(head, sink, this.#left);
    this.#waiting.add(pending);
    if (mayDial && this.#waiting.size > this.#dialing * MAX_STREAMS) this.#dialOne();
    return pending;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Those that wait are served first; see #serve.
    if (this.#waiting.size === 0) this.#closeLinks();
  }

  // LinkOwner

  linkReady(link: Http2Link): void {
    this.#dialing -= 1;
    this.#links.add(link);
    const useful = link.room > 0;
    this.#serve();
    // It carries less than was hoped: the rest needs another. One that carries nothing calls for no more of its kind.
    if (useful && this.#waiting.size > this.#dialing * MAX_STREAMS) this.#dialOne();
  }

  linkHasRoom(_link: Http2Link): void {
    this.#serve();
  }

  linkClosing(link: Http2Link): void {
    this.#links.delete(link);
    // Room that the waiting had counted on is gone.
    if (link.ready && this.#waiting.size > 0 && this.#dialing === 0 && this.#roomiest() === null)
      this.#dialOne();
  }

  linkGone(_link: Http2Link, failure: LeasewayError | null): void {
    if (failure === null) return;
    this.#dialing -= 1;
    this.#failWaiting(failure);
  }

  #dialOne(): void {
    if (this.#links.size + this.#dialing >= this.#options.connections) return;
    this.#dialing += 1;
    this.#options.dial((failure, socket) => {
      if (failure !== null || socket === null) {
        this.#dialing -= 1;
        return this.#failWaiting(failure ?? new LeasewayError('CONNECT_FAILED', 'no socket'));
      }
      const { origin, keepAliveMs, connectTimeoutMs } = this.#options;
      const options = { origin, keepAliveMs, settingsTimeoutMs: connectTimeoutMs };
      new Http2Link(socket, options, this, this.#clock);
    });
  }

  #serve(): void {
    for (const pending of this.#waiting) {
      const link = this.#roomiest();
      if (link === null) break;
      this.#waiting.delete(pending);
      pending.bind((head, sink) => new Http2Exchange(link, head, sink));
    }
    if (this.#closed && this.#waiting.size === 0) this.#closeLinks();
  }

  #closeLinks(): void {
    for (const link of [...this.#links]) link.close();
  }

  #roomiest(): Http2Link | null {
    let best: Http2Link | null = null;
    for (const link of this.#links) if (link.room > (best?.room ?? 0)) best = link;
    return best;
  }

  /** While other connections stand, those that wait go on waiting for a place there. */
  #failWaiting(failure: LeasewayError): void {
    if (this.#links.size > 0) return;
    const reason: Reason = { code: failure.code, detail: failure.detail };
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const pending of waiting) pending.fail(reason);
    if (this.#closed) this.#closeLinks();
  }
}
