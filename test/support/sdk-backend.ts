// A backend of the SDK's clients, made with leaseway/server: echoes as `ID TEXT` after a while, in the envelope as it is, and remembers.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  EnvelopeServer,
  type EnvelopeStore,
  heedDrainNotices,
  onDrainNotice,
} from '../../lib/server/index.ts';

export interface SdkBackendOptions {
  /** Enveloped where the path begins with /enveloped. */
  readonly store: EnvelopeStore;
  /** Does not heed the notice of a drain. */
  readonly plain?: boolean;
  /** Owes its answers this long. */
  readonly lateMs?: number;
}

export class SdkBackend implements AsyncDisposable {
  readonly id: string;
  readonly handshakes: IncomingMessage[] = [];
  /** By `client` of the query: messages as they came. */
  readonly heard = new Map<string, string[]>();
  readonly #server: Server;
  readonly #websockets: WebSocketServer;
  readonly #sockets = new Set<Socket>();
  #frozen = false;
  readonly #envelopes: EnvelopeServer;
  readonly #options: SdkBackendOptions;

  private constructor(id: string, options: SdkBackendOptions) {
    this.id = id;
    this.#options = options;
    this.#envelopes = new EnvelopeServer({ store: options.store });
    this.#server = createServer((_request, response) => {
      if (!this.#frozen) response.end(id);
    });
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket)).on('error', () => {});
    });
    this.#websockets = new WebSocketServer({
      server: this.#server,
      handleProtocols: offered => offered.values().next().value ?? false,
    });
    if (!options.plain) heedDrainNotices(this.#websockets);
    this.#websockets.on('connection', (socket, request) => this.#serve(socket, request));
  }

  static async start(id: string, options: SdkBackendOptions): Promise<SdkBackend> {
    const backend = new SdkBackend(id, options);
    await once(backend.#server.listen(0, '127.0.0.1'), 'listening');
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** WebSockets that it has now. */
  get open(): number {
    return this.#websockets.clients.size;
  }

  /** As when its process is killed. */
  kill(): void {
    this.#server.close();
    this.cutAll();
  }

  /** Without a Close. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Reads nothing and answers nothing from now on, while its connections stand. */
  freeze(): void {
    this.#frozen = true;
    for (const socket of this.#sockets) socket.pause();
  }

  #serve(socket: WebSocket, request: IncomingMessage): void {
    this.handshakes.push(request);
    socket.on('error', () => {});
    const url = new URL(request.url!, 'http://x');
    const client = url.searchParams.get('client') ?? '';
    const heard = this.heard.get(client) ?? [];
    this.heard.set(client, heard);
    if (url.pathname.startsWith('/enveloped'))
      return this.#envelopes.serve(socket, {
        message(conversation, data) {
          heard.push(String(data));
          conversation.send(data);
        },
      });
    const owed: string[] = [];
    const answer = (): void => {
      for (const text of owed.splice(0)) socket.send(`${this.id} ${text}`);
    };
    socket.on('message', data => {
      heard.push(String(data));
      owed.push(String(data));
      if (this.#options.lateMs === undefined) answer();
      else setTimeout(answer, this.#options.lateMs);
    });
    if (!this.#options.plain) onDrainNotice(socket, answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
  }
}
