// A listener on a free port with a handler that a test scripts, and what it saw.

import type { Test } from 'tap';
import { type ListenerConfig, type RequestLimits, Root } from '../../lib/config/proxy.ts';
import { systemClock } from '../../lib/core/clock.ts';
import type { Fields } from '../../lib/core/fields.ts';
import { silentLog } from '../../lib/core/log.ts';
import { Listener } from '../../lib/data/listener/listener.ts';
import type { ClientConnection, Incoming, Reason, RequestSink } from '../../lib/data/ports.ts';
import type { ListeningSocket } from '../../lib/orders/messages.ts';
import type { CertificateEntry, ListenerEntry } from '../../lib/orders/snapshot.ts';
import type { ClientLedger, WorkerCounter } from '../../lib/scoreboard/ports.ts';
import { HTTP1, type Http1Kind } from './http1-kind.ts';

/** Defaults of the configuration with some replaced. */
export function limitsWith(change: Partial<RequestLimits> = {}): RequestLimits {
  const parsed = Root.parse({ listeners: [{ address: ':0' }], routes: [{ respond: {} }] });
  return { ...parsed.limits, ...change };
}

export interface HarnessOptions {
  readonly listener?: Record<string, unknown>;
  readonly limits?: Partial<RequestLimits>;
  readonly certificates?: readonly CertificateEntry[];
  readonly clientCa?: string;
  readonly ticketKeys?: Uint8Array;
  readonly clients?: ClientLedger;
  /** By the environment when left out. */
  readonly http1?: Http1Kind;
}

export function listenerEntry(options: HarnessOptions = {}): ListenerEntry {
  const certificates = options.certificates ?? [];
  const named = { certificates: certificates.map(() => ({ cert: 'given', key: 'given' })) };
  const given = options.listener ?? {};
  const tls =
    certificates.length === 0 ? {} : { tls: { ...named, ...((given.tls as object | undefined) ?? {}) } };
  const parsed = Root.parse({
    listeners: [{ address: '127.0.0.1:0', ...given, ...tls }],
    routes: [{ respond: {} }],
  });
  return {
    config: parsed.listeners[0] as ListenerConfig,
    certificates,
    ...(options.clientCa === undefined ? {} : { clientCa: options.clientCa }),
  };
}

/** Records everything; `told` resolves at the next event of a kind that is waited for. */
export class RecordingSink implements RequestSink {
  readonly chunks: Buffer[] = [];
  readonly events: string[] = [];
  trailers: Fields | undefined;
  reason: Reason | undefined;
  onData: ((chunk: Uint8Array) => void) | null = null;
  onEnd: (() => void) | null = null;
  onDrained: (() => void) | null = null;
  readonly #waiting: { kind: string; resolve: () => void }[] = [];

  get body(): Buffer {
    return Buffer.concat(this.chunks);
  }

  data(chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk));
    this.onData?.(chunk);
    this.#tell('data');
  }
  end(trailers?: Fields): void {
    this.trailers = trailers;
    this.#tell('end');
    this.onEnd?.();
  }
  drained(): void {
    this.#tell('drained');
    this.onDrained?.();
  }
  gone(reason: Reason): void {
    this.reason = reason;
    this.#tell('gone');
  }
  sent(): void {
    this.#tell('sent');
  }

  /** Resolves once this event has happened. */
  until(kind: 'data' | 'end' | 'drained' | 'gone' | 'sent'): Promise<void> {
    if (this.events.includes(kind)) return Promise.resolve();
    return new Promise(resolve => this.#waiting.push({ kind, resolve }));
  }

  #tell(kind: string): void {
    if (kind !== 'data' || this.events.at(-1) !== 'data') this.events.push(kind);
    for (const one of this.#waiting) if (one.kind === kind) one.resolve();
  }
}

export interface Exchange {
  readonly incoming: Incoming;
  readonly sink: RecordingSink;
}

export interface Harness {
  readonly listener: Listener;
  readonly port: number;
  readonly socket: ListeningSocket;
  /** Messages at error level. */
  readonly logged: string[];
  /** Makes the listening socket report an error of accept(). */
  failAccept(error: Error): void;
  readonly exchanges: Exchange[];
  readonly refused: {
    readonly connection: ClientConnection;
    readonly reason: Reason;
    readonly status: number;
  }[];
  readonly counters: Map<WorkerCounter, number>;
  /** What the handler does with each request; by default it waits for the body and answers 200 `ok`. */
  serve: (exchange: Exchange) => void;
  /** The next request, in order of arrival; each is handed out once. */
  next(): Promise<Exchange>;
  /** Resolves when `holds` does; looked at whenever the event loop has turned. */
  until(holds: () => boolean): Promise<void>;
}

export const openLedger: ClientLedger = {
  takeToken: () => 0,
  enter: () => true,
  leave: () => {},
  connections: () => 0,
};

/** Answers 200 with a short body once the request is complete. */
export function answerOk({ incoming, sink }: Exchange): void {
  const answer = (): void => {
    incoming.answer({ status: 200, fields: ['Content-Length', '2'] }, incoming.head.method === 'HEAD');
    if (incoming.head.method !== 'HEAD') incoming.write(Buffer.from('ok'));
    incoming.end();
  };
  sink.onEnd = answer;
}

export async function startListener(
  t: Test,
  options: HarnessOptions = {},
  how: { readonly fd: number } | { readonly reusePort: boolean } = { reusePort: false },
): Promise<Harness> {
  const logged: string[] = [];
  const waiting: ((exchange: Exchange) => void)[] = [];
  const unseen: Exchange[] = [];
  const counters = new Map<WorkerCounter, number>();
  const exchanges: Exchange[] = [];
  const refused: Harness['refused'] = [];
  let ids = 0;
  const listener = new Listener({
    entry: listenerEntry(options),
    limits: limitsWith(options.limits),
    ticketKeys: options.ticketKeys ?? Buffer.alloc(48, 7),
    handler: {
      request(incoming) {
        const exchange = { incoming, sink: new RecordingSink() };
        incoming.listen(exchange.sink);
        exchanges.push(exchange);
        const taker = waiting.shift();
        if (taker === undefined) unseen.push(exchange);
        else taker(exchange);
        harness.serve(exchange);
      },
      refused: (connection, reason, status) => refused.push({ connection, reason, status }),
    },
    clock: systemClock,
    log: { ...silentLog, error: message => logged.push(message) },
    clients: options.clients ?? openLedger,
    ledger: { add: (counter, amount) => counters.set(counter, (counters.get(counter) ?? 0) + amount) },
    index: 0,
    http1: options.http1 ?? HTTP1,
    nextConnectionId: () => ++ids,
  });
  t.teardown(() => listener.destroyAll());
  const socket = await listener.listen(how);
  const { port } = socket;
  const harness: Harness = {
    listener,
    port,
    socket,
    logged,
    failAccept: error => listener.acceptFailed(error),
    exchanges,
    refused,
    counters,
    serve: answerOk,
    next() {
      const ready = unseen.shift();
      if (ready !== undefined) return Promise.resolve(ready);
      return new Promise(resolve => waiting.push(resolve));
    },
    async until(holds) {
      while (!holds()) await new Promise(resolve => setImmediate(resolve));
    },
  };
  return harness;
}
