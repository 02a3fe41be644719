// A WebSocket server for tests of moves: remembers what it was sent by whom, answers in order, and misbehaves when told to.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/**
 * good: answers each message with its name and the message. cooperative: as well, but late, and on the drain notice all that is owed, then Close.
 * silent: accepts the connection and never the handshake. other: chooses another subprotocol. refuses: 403. cut: closes in the middle of
 * the handshake. deaf: never answers Close. stuck: on Close sends half a message and nothing more. flood: sends without end from the start.
 */
export type Manner =
  | 'good'
  | 'cooperative'
  | 'silent'
  | 'other'
  | 'refuses'
  | 'cut'
  | 'deaf'
  | 'stuck'
  | 'flood';

export interface CountingOptions {
  readonly manner?: Manner;
  /** A cooperative backend owes its answers this long. */
  readonly lateMs?: number;
}

export class CountingBackend implements AsyncDisposable {
  readonly name: string;
  manner: Manner;
  /** By path of the handshake: messages as they came. */
  readonly heard = new Map<string, string[]>();
  /** Close codes as they came. */
  readonly codes: number[] = [];
  readonly heads: IncomingMessage[] = [];
  readonly #lateMs: number;
  readonly #server: Server;
  readonly #websockets: WebSocketServer;
  readonly #sockets = new Set<Duplex>();

  private constructor(name: string, { manner = 'good', lateMs = 0 }: CountingOptions) {
    this.name = name;
    this.manner = manner;
    this.#lateMs = lateMs;
    this.#websockets = new WebSocketServer({
      noServer: true,
      clientTracking: true,
      handleProtocols: offered =>
        this.manner === 'other' ? 'other' : (offered.values().next().value ?? false),
    });
    this.#websockets.on('headers', headers => {
      if (this.manner === 'cooperative') headers.push('Leaseway-Cooperative: 1');
    });
    this.#server = createServer((_request, response) => response.end(name));
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(name: string, options: CountingOptions = {}): Promise<CountingBackend> {
    const backend = new CountingBackend(name, options);
    backend.#server.listen(0, '127.0.0.1', 4096);
    await once(backend.#server, 'listening');
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get open(): number {
    return this.#websockets.clients.size;
  }

  reset(): void {
    this.manner = 'good';
    this.heard.clear();
    this.codes.length = 0;
    this.heads.length = 0;
  }

  /** As when its process is killed. */
  kill(): void {
    for (const socket of this.#sockets) (socket as Socket).resetAndDestroy();
    this.#server.close();
  }

  /** Sends to all, without having been asked. */
  say(text: string): void {
    for (const socket of this.#websockets.clients) socket.send(text);
  }

  closeAll(code: number): void {
    for (const socket of this.#websockets.clients) socket.close(code);
  }

  /** Raw bytes to all. */
  write(bytes: Uint8Array): void {
    for (const socket of this.#websockets.clients) rawOf(socket).write(bytes);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.heads.push(request);
    if (this.manner === 'silent') return;
    if (this.manner === 'refuses')
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno');
    if (this.manner === 'cut') return void socket.end('HTTP/1.1 101 Switching');
    this.#websockets.handleUpgrade(request, socket, head, client => this.#serve(client, request));
  }

  #serve(client: WebSocket, request: IncomingMessage): void {
    const path = request.url!;
    const heard = this.heard.get(path) ?? [];
    this.heard.set(path, heard);
    const owed: string[] = [];
    const answer = (): void => {
      for (const text of owed.splice(0)) client.send(`${this.name} ${text}`);
    };
    client.on('message', data => {
      heard.push(String(data));
      owed.push(String(data));
      if (this.manner !== 'cooperative') answer();
      else setTimeout(answer, this.#lateMs);
    });
    client.on('ping', data => {
      if (String(data) !== 'leaseway-drain') return;
      answer();
      client.close(1000);
    });
    client.on('close', code => this.codes.push(code));
    client.on('error', () => {});
    if (this.manner === 'flood') flood(rawOf(client));
    if (this.manner === 'deaf' || this.manner === 'stuck') this.#ignoreClose(client);
  }

  /** `ws` answers Close by itself; here the bytes of one are kept from it. */
  #ignoreClose(client: WebSocket): void {
    const raw = rawOf(client);
    const [listen] = raw.listeners('data') as ((chunk: Buffer) => void)[];
    raw.removeAllListeners('data');
    raw.on('data', chunk => {
      if ((chunk[0]! & 0x0f) !== 8) return void listen!.call(raw, chunk);
      // Ten bytes are announced and four come.
      if (this.manner === 'stuck') raw.write(Uint8Array.of(0x82, 10, 1, 2, 3, 4));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#websockets.clients) client.terminate();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>(resolve => this.#server.close(() => resolve()));
  }
}

const rawOf = (client: WebSocket): Socket => (client as unknown as { _socket: Socket })._socket;

/** Messages of 64 KiB as fast as they are taken. */
function flood(socket: Socket): void {
  const message = Buffer.alloc(4 + 65_535, 'f');
  message.set([0x82, 126, 0xff, 0xff]);
  const more = (): void => {
    while (!socket.destroyed && socket.write(message));
  };
  socket.on('drain', more);
  more();
}
