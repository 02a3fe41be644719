// A proxy as an SDK's client sees it: leaseway.v1 by a Connect implementation that is not ours, and WebSockets relayed message by message.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Code, ConnectError, type ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import {
  type AnswerRequest,
  LeaseService,
  MigrationReason,
} from '../../lib/control/api/gen/leaseway/v1/lease_pb.ts';
import { DRAIN_NOTICE } from '../../lib/core/cooperation.ts';

type Event = NonNullable<Parameters<Watcher>[0]>;
type Watcher = (event: { readonly case: string; readonly value: object } | null) => void;
export type Answered = Pick<AnswerRequest, 'migration' | 'answer'>;

interface Tunnel {
  readonly client: WebSocket;
  readonly backend: WebSocket;
  readonly cooperative: boolean;
  fromClient: number;
  /** Of the client's messages; then the backend is left. */
  until: number;
}

export interface LeaseServiceOptions {
  /** Where the nth ticket leads. */
  readonly backend: (nth: number) => string;
  readonly termMs?: number;
  /** Milliseconds between the client's message and its way to the backend. */
  readonly delayMs?: number;
}

export class LeaseServiceStandIn implements AsyncDisposable {
  readonly answers: Answered[] = [];
  registered = 0;
  extended = 0;
  /** What `answer` throws for `ready`; null: it takes it. */
  readyFails: Code | null = null;
  readonly #options: LeaseServiceOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #backends = new Set<WebSocket>();
  readonly #websockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  /** By ticket. */
  readonly #tickets = new Map<string, string>();
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #watchers = new Set<Watcher>();
  /** By migration: the old connection's ticket. */
  readonly #moves = new Map<string, string>();
  #given = 0;

  private constructor(options: LeaseServiceOptions) {
    this.#options = options;
    const adapter = connectNodeAdapter({ routes: router => this.#routes(router) });
    this.#server = createServer(adapter);
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {});
    });
    this.#server.on('upgrade', (request, socket, head) => {
      const ticket = new URL(request.url!, 'http://x').searchParams.get('leaseway_ticket') ?? '';
      const url = this.#tickets.get(ticket);
      if (url === undefined) return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
      this.#tickets.delete(ticket);
      const offered = request.headers['sec-websocket-protocol']?.split(/, */) ?? [];
      const backend = new WebSocket(url, offered, { perMessageDeflate: false });
      this.#backends.add(backend);
      backend.on('close', () => this.#backends.delete(backend));
      let cooperative = false;
      const early: [RawData, boolean][] = [];
      backend.on('message', (data, isBinary) => early.push([data, isBinary]));
      backend.on('upgrade', answer => {
        cooperative = answer.headers['leaseway-cooperative'] === '1';
      });
      backend.on('error', () => socket.destroy());
      backend.on('open', () =>
        this.#websockets.handleUpgrade(request, socket, head, client =>
          this.#relay(ticket, { client, backend, cooperative, fromClient: 0, until: Infinity }, early),
        ),
      );
    });
  }

  static async start(options: LeaseServiceOptions): Promise<LeaseServiceStandIn> {
    const service = new LeaseServiceStandIn(options);
    await once(service.#server.listen(0, '127.0.0.1'), 'listening');
    return service;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/chat?room=1`;
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  get tunnels(): number {
    return this.#tunnels.size;
  }

  /** Serves pages too. */
  onRequest(answer: (path: string) => string | null): void {
    const [adapter] = this.#server.listeners('request') as [(...args: unknown[]) => void];
    this.#server.removeAllListeners('request');
    this.#server.on('request', (request, response) => {
      const page = answer(request.url!);
      if (page === null) return adapter(request, response);
      response.setHeader('content-type', request.url!.endsWith('.js') ? 'text/javascript' : 'text/html');
      response.end(page);
    });
  }

  /** Asks every client to move; the ids. */
  moveAll(deadlineMs = 5_000): string[] {
    return [...this.#tunnels.keys()].map(connection => {
      const id = `move-${this.#moves.size + 1}`;
      this.#moves.set(id, connection);
      const value = { id, connection, ticket: this.#ticket(), reason: MigrationReason.FORECAST, deadlineMs };
      this.say({ case: 'migration', value });
      return id;
    });
  }

  say(event: Event): void {
    for (const watcher of this.#watchers) watcher(event);
  }

  /** Ends every stream as a proxy does that goes down. */
  breakStreams(): void {
    for (const watcher of this.#watchers) watcher(null);
  }

  /** Cuts every WebSocket without a Close. */
  cutAll(): void {
    for (const { client, backend } of this.#tunnels.values()) {
      client.terminate();
      backend.terminate();
    }
  }

  answered(kind: Answered['answer']['case']): Answered[] {
    return this.answers.filter(({ answer }) => answer.case === kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.breakStreams();
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const backend of this.#backends) backend.terminate();
  }

  #ticket(): string {
    this.#given += 1;
    const ticket = `ticket-${this.#given}`;
    this.#tickets.set(ticket, this.#options.backend(this.#given));
    return ticket;
  }

  #lease() {
    return { token: 'lease-1', session: '0011223344556677', termMs: this.#options.termMs ?? 60_000 };
  }

  #routes(router: ConnectRouter): void {
    const check = (lease: string): void => {
      if (lease !== 'lease-1') throw new ConnectError('forged', Code.Unauthenticated);
    };
    const service = this;
    router.service(LeaseService, {
      register: ({ path, lease }) => {
        if (path !== '/chat?room=1') throw new ConnectError(`no route for ${path}`, Code.InvalidArgument);
        if (lease !== '') check(lease);
        service.registered += 1;
        return { lease: service.#lease(), ticket: service.#ticket() };
      },
      async *watch({ lease }, { signal }) {
        check(lease);
        const waiting: (Event | null)[] = [];
        let wake = (): void => {};
        const watcher: Watcher = event => {
          waiting.push(event);
          wake();
        };
        service.#watchers.add(watcher);
        signal.addEventListener('abort', () => watcher(null));
        try {
          for (;;) {
            while (waiting.length > 0) {
              const event = waiting.shift()!;
              if (event === null) throw new ConnectError('going down', Code.Unavailable);
              yield { event: event as never };
            }
            await new Promise<void>(resolve => {
              wake = resolve;
            });
          }
        } finally {
          service.#watchers.delete(watcher);
        }
      },
      answer: ({ lease, migration, answer }) => {
        check(lease);
        if (answer.case === 'ready') {
          if (service.readyFails !== null) throw new ConnectError('no', service.readyFails);
          const tunnel = service.#tunnels.get(service.#moves.get(migration) ?? '');
          if (tunnel === undefined) throw new ConnectError('no such migration', Code.NotFound);
          tunnel.until = Number(answer.value.sentMessages);
          service.#leaveIfDone(tunnel);
        }
        service.answers.push({ migration, answer });
        return {};
      },
      extend: ({ lease }) => {
        check(lease);
        service.extended += 1;
        return { lease: service.#lease() };
      },
    });
  }

  #relay(ticket: string, tunnel: Tunnel, early: readonly [RawData, boolean][]): void {
    const { client, backend } = tunnel;
    this.#tunnels.set(ticket, tunnel);
    client.on('error', () => {});
    const { delayMs = 0 } = this.#options;
    client.on('message', (data, isBinary) => {
      const pass = (): void => {
        tunnel.fromClient += 1;
        backend.send(data, { binary: isBinary });
        this.#leaveIfDone(tunnel);
      };
      if (delayMs === 0) pass();
      else setTimeout(pass, delayMs);
    });
    client.on('close', code => {
      this.#tunnels.delete(ticket);
      const end = (): void => backend.close(code === 1005 || code === 1006 ? 1001 : code);
      if (delayMs === 0) end();
      else setTimeout(end, delayMs);
    });
    backend.removeAllListeners('message');
    for (const [data, isBinary] of early) client.send(data, { binary: isBinary });
    backend.on('message', (data, isBinary) => client.send(data, { binary: isBinary }));
    backend.on('close', code => {
      if (code === 1006) client.terminate();
      else client.close(tunnel.until < Infinity || code === 1005 ? 1012 : code);
    });
  }

  #leaveIfDone(tunnel: Tunnel): void {
    if (tunnel.fromClient !== tunnel.until) return;
    if (tunnel.cooperative) tunnel.backend.ping(DRAIN_NOTICE);
    else tunnel.backend.close(1012);
  }
}
