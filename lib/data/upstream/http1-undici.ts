// Upstream over HTTP/1.1 (RFC 9112) by undici's Pool: keep-alive connections, one request at a time on each.

import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { Client, type Dispatcher, Pool } from 'undici';
import type { AnswerSink, Outgoing, Upstream, UpstreamHead } from '../ports.ts';
import type { Dial } from './dial.ts';
import { Http1Exchange, type Line } from './http1-exchange.ts';
import { refusedOutgoing } from './refused.ts';

// undici reads its parser from disk at the first connection; by then there may be no descriptor left to read it with.
createRequire(import.meta.url)('undici/lib/llhttp/llhttp_simd-wasm.js');

/** Of an answer's head, and of its trailers. */
const MAX_HEAD_BYTES = 64 * 1024;

export interface Http1Options {
  /** scheme://host:port */
  readonly origin: string;
  readonly servername: string;
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

export class Http1Upstream implements Upstream {
  readonly #options: Http1Options;
  readonly #pool: Pool;
  /** Requests that undici holds, those waiting and those aborted but not yet noticed included. */
  #held = 0;
  #closed = false;
  readonly #settled = (): void => {
    this.#held -= 1;
  };
  readonly #lineOptions: object;

  constructor(options: Http1Options) {
    this.#options = options;
    const keepAlive = Math.max(options.keepAliveMs, 1);
    this.#lineOptions = {
      allowH2: false,
      // A backend's own Keep-Alive hint can only shorten it.
      keepAliveTimeout: keepAlive,
      keepAliveMaxTimeout: keepAlive,
      maxHeaderSize: MAX_HEAD_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    this.#pool = new Pool(options.origin, {
      ...this.#lineOptions,
      connections: options.connections,
      pipelining: options.keepAliveMs === 0 ? 0 : 1,
      factory: (origin, clientOptions) => new BackendLine(origin, clientOptions, options.dial),
    });
  }

  get connections(): number {
    return this.#options.openSockets();
  }

  open(head: UpstreamHead, sink: AnswerSink): Outgoing {
    if (this.#closed) return refusedOutgoing(sink, { code: 'NO_BACKEND', detail: 'the backend was removed' });
    const { connections, queue } = this.#options;
    if (this.#held >= connections + queue) {
      const detail = `${connections} connections are busy and ${queue} requests wait`;
      return refusedOutgoing(sink, { code: 'TOO_MANY_CONNECTIONS', detail });
    }
    const exchange = new Http1Exchange(head, sink, this.#options.servername, this.#settled);
    this.#held += 1;
    // undici calls back, and reads from idle sockets, within dispatch: neither may happen within open (rule 2 of
    // the port), nor within a callback of another exchange, whose parser is then still running.
    queueMicrotask(() => {
      if (exchange.over) this.#held -= 1;
      else if (head.fresh === true) this.#dispatchAlone(exchange);
      else exchange.dispatchOn(this.#pool);
    });
    return exchange;
  }

  /** On a connection of its own, which ends with it: undici's pool cannot be asked for a new one. */
  #dispatchAlone(exchange: Http1Exchange): void {
    const { origin, dial } = this.#options;
    const line = new BackendLine(new URL(origin), { ...this.#lineOptions, pipelining: 0 }, dial);
    exchange.dispatchOn(line);
    void line.close();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // What was opened just now is dispatched first.
    queueMicrotask(() => void this.#pool.close());
  }
}

/** undici's Client, which tells a request on which connection it goes. */
class BackendLine extends Client implements Line {
  socket: Socket | null = null;
  #carried = 0;

  constructor(origin: URL, options: object, dial: Dial) {
    super(origin, {
      ...options,
      connect: (_options, callback) =>
        dial((failure, socket) => {
          if (failure !== null || socket === null) return callback(failure ?? new Error('no socket'), null);
          this.socket = socket;
          this.#carried = 0;
          callback(null, socket);
        }),
    });
  }

  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    if (handler instanceof Http1Exchange) handler.line = this;
    return super.dispatch(options, handler);
  }

  countRequest(): number {
    const before = this.#carried;
    this.#carried += 1;
    return before;
  }
}
