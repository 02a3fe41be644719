// Upstream over HTTP/1.1 (RFC 9112) by our own codec: kept-alive lines, one request at a time on each.

import type { Clock } from '../../core/clock.ts';
import type { AnswerSink, Outgoing, Upstream, UpstreamHead } from '../ports.ts';
import type { Dial } from './dial.ts';
import { Http1Line, type LineOwner } from './http1-line.ts';
import { Http1Request, type RequestOwner } from './http1-request.ts';
import { refusedOutgoing } from './refused.ts';

export interface Http1PoolOptions {
  readonly dial: Dial;
  /** Open at once. */
  readonly connections: number;
  /** Requests that may wait for one of them. */
  readonly queue: number;
  /** 0 closes after each request. */
  readonly keepAliveMs: number;
  /** Sockets of this backend, for `connections`. */
  readonly openSockets: () => number;
}

export class Http1Pool implements Upstream, LineOwner, RequestOwner {
  readonly connectionLine: string;
  readonly #options: Http1PoolOptions;
  readonly #clock: Clock;
  /** The one that was used last is at the end and taken first, so that those too many grow old. */
  readonly #idle: Http1Line[] = [];
  /** In the order they came. At most `queue` beyond those that a line is being opened for. */
  readonly #waiting: Http1Request[] = [];
  #dialing = 0;
  /** Lines that are open; those being opened come on top. */
  #lines = 0;
  #timer: Disposable | null = null;
  #closed = false;

  constructor(options: Http1PoolOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.connectionLine = options.keepAliveMs === 0 ? 'Connection: close\r\n' : '';
  }

  get connections(): number {
    return this.#options.openSockets();
  }

  open(head: UpstreamHead, sink: AnswerSink): Outgoing {
    if (this.#closed) return refusedOutgoing(sink, { code: 'NO_BACKEND', detail: 'the backend was removed' });
    const request = new Http1Request(head, sink, this);
    if (!request.sendable) {
      const detail = 'a field, the method or the target is nothing that can be sent';
      return refusedOutgoing(sink, { code: 'BAD_REQUEST', detail });
    }
    const line = request.fresh ? null : this.#takeIdle();
    if (line !== null) {
      line.take(request);
      return request;
    }
    const { connections, queue } = this.#options;
    const full = this.#lines + this.#dialing >= connections;
    if (full && this.#waiting.length - this.#dialing >= queue) {
      const detail = `${connections} connections are busy and ${queue} requests wait`;
      return refusedOutgoing(sink, { code: 'TOO_MANY_CONNECTIONS', detail });
    }
    // One that wants a new line takes the place of one that nobody uses.
    if (full && request.fresh) this.#idle.shift()?.destroy();
    this.#waiting.push(request);
    this.#dialForThoseWaiting();
    return request;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const line of this.#idle.splice(0)) line.destroy();
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
  }

  // what requests and lines tell

  left(request: Http1Request): void {
    const at = this.#waiting.indexOf(request);
    if (at >= 0) this.#waiting.splice(at, 1);
  }

  free(line: Http1Line): void {
    const next = this.#waiting.findIndex(request => !request.fresh);
    // Whoever wants a new line would wait for this one to grow old.
    if (next !== 0 && this.#waiting.length > 0 && this.#dialing === 0) line.destroy();
    else if (next >= 0) {
      const [request] = this.#waiting.splice(next, 1);
      line.take(request!);
    } else this.#rest(line);
  }

  gone(line: Http1Line): void {
    this.#lines -= 1;
    const at = this.#idle.indexOf(line);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#dialForThoseWaiting();
  }

  #rest(line: Http1Line): void {
    if (this.#closed || this.#options.keepAliveMs === 0) return line.destroy();
    line.idleSinceMs = this.#clock.monotonicMs();
    this.#idle.push(line);
    if (this.#timer === null) this.#watchAge(this.#options.keepAliveMs);
  }

  #takeIdle(): Http1Line | null {
    if (this.#idle.length === 0) return null;
    const nowMs = this.#clock.monotonicMs();
    for (let line = this.#idle.pop(); line !== undefined; line = this.#idle.pop()) {
      if (line.usable && this.#agesInMs(line, nowMs) > 0) return line;
      line.destroy();
    }
    return null;
  }

  #agesInMs(line: Http1Line, nowMs: number): number {
    return line.idleSinceMs + Math.min(this.#options.keepAliveMs, line.hintMs) - nowMs;
  }

  /** One timer for all: it looks when the first could be too old. */
  #watchAge(ms: number): void {
    this.#timer = this.#clock.after(ms, () => {
      this.#timer = null;
      const nowMs = this.#clock.monotonicMs();
      let soonestMs = Number.POSITIVE_INFINITY;
      for (let i = this.#idle.length - 1; i >= 0; i--) {
        const line = this.#idle[i]!;
        const leftMs = this.#agesInMs(line, nowMs);
        if (leftMs > 0) soonestMs = Math.min(soonestMs, leftMs);
        else {
          this.#idle.splice(i, 1);
          line.destroy();
        }
      }
      if (soonestMs !== Number.POSITIVE_INFINITY) this.#watchAge(Math.max(1, soonestMs));
    });
  }

  #dialForThoseWaiting(): void {
    const { connections, dial } = this.#options;
    while (this.#dialing < this.#waiting.length && this.#lines + this.#dialing < connections) {
      this.#dialing += 1;
      dial((failure, socket) => {
        this.#dialing -= 1;
        if (socket === null) {
          const { code, detail } = failure ?? { code: 'CONNECT_FAILED' as const, detail: 'no socket' };
          this.#waiting.shift()?.failed(code, detail);
          this.#dialForThoseWaiting();
          return;
        }
        this.#lines += 1;
        const line = new Http1Line(socket, this);
        const request = this.#waiting.shift();
        if (request === undefined) this.#rest(line);
        else line.take(request);
      });
    }
  }
}
