// Backends that last as long as a roll does: echo, path, a download that drips, WebSockets; they count what is open on them.

import http, { type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { WebSocketServer } from 'ws';

/** Bytes of `/drip/MS`, in pieces, one each MS milliseconds, until the client leaves or the test says `finishDrips`. */
const PIECE = Buffer.alloc(1024, 'x');

export class RollBackend implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #drips = new Set<ServerResponse>();
  readonly #websockets = new WebSocketServer({ noServer: true });
  /** Requests that have begun and are neither answered whole nor left. */
  active = 0;
  requests = 0;
  /** Held back until `release`. */
  readonly #held = new Set<ServerResponse>();

  private constructor() {
    this.#websockets.on('connection', socket => {
      socket.on('error', () => {});
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
    this.#server = http.createServer((request, response) => {
      this.requests += 1;
      this.active += 1;
      response.on('close', () => {
        this.active -= 1;
        this.#drips.delete(response);
        this.#held.delete(response);
      });
      request.on('error', () => {});
      const path = request.url!;
      if (path.startsWith('/echo')) {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => response.end(Buffer.concat(chunks)));
      } else if (path.startsWith('/drip/')) this.#drip(response, Number(path.slice('/drip/'.length)));
      else if (path.startsWith('/hold')) this.#held.add(response);
      else if (path.startsWith('/endless')) this.#pour(response);
      else response.end(path);
    });
    // Longer than any test: whether the proxy survives a backend's closing is shown elsewhere.
    this.#server.keepAliveTimeout = 600_000;
    this.#server.on('connection', socket => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) =>
      this.#websockets.handleUpgrade(request, socket, head, client =>
        this.#websockets.emit('connection', client, request),
      ),
    );
  }

  static async start(): Promise<RollBackend> {
    const backend = new RollBackend();
    await new Promise<void>(resolve => backend.#server.listen(0, '127.0.0.1', 4096, resolve));
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get webSockets(): number {
    return this.#websockets.clients.size;
  }

  get held(): number {
    return this.#held.size;
  }

  /** Downloads that drip end well. */
  finishDrips(): void {
    for (const response of this.#drips) response.end('end');
  }

  /** Answers what is held. */
  release(): void {
    for (const response of this.#held) response.end('released');
  }

  #drip(response: ServerResponse, everyMs: number): void {
    this.#drips.add(response);
    response.write(PIECE);
    const timer = setInterval(() => response.write(PIECE), everyMs);
    response.on('close', () => clearInterval(timer));
    response.on('finish', () => clearInterval(timer));
  }

  /** As fast as it is taken, without end. */
  #pour(response: ServerResponse): void {
    const chunk = Buffer.alloc(64 * 1024, 'y');
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#websockets.clients) client.terminate();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}
