// A client that sends bytes as they are and keeps what comes back.

import net, { type Socket } from 'node:net';
import tls from 'node:tls';

export interface RawTls {
  readonly ca: string;
  readonly servername?: string;
}

export class RawClient {
  readonly socket: Socket;
  received = Buffer.alloc(0);
  closed = false;
  /** The peer said FIN. */
  ended = false;
  error: Error | null = null;
  readonly #waiting = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
      this.#wake();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#wake();
    });
    socket.on('error', error => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  get text(): string {
    return this.received.toString('latin1');
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Resolves when `holds`, rejects when the connection closes first. */
  until(holds: (text: string) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const text = this.text;
        if (holds(text)) resolve(text);
        else if (this.closed) reject(new Error(`closed after: ${JSON.stringify(text.slice(0, 300))}`));
        else return;
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Everything until the connection closes. */
  async whole(): Promise<string> {
    while (!this.closed && !this.ended) await new Promise<void>(resolve => this.#once(resolve));
    this.socket.end();
    return this.text;
  }

  #once(resolve: () => void): void {
    const look = (): void => {
      this.#waiting.delete(look);
      resolve();
    };
    this.#waiting.add(look);
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }
}

export function rawConnect(port: number, secure?: RawTls & tls.ConnectionOptions): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket =
      secure === undefined
        ? net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
        : tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ...secure });
    socket.once('error', reject);
    socket.once(secure === undefined ? 'connect' : 'secureConnect', () => {
      socket.removeListener('error', reject);
      resolve(new RawClient(socket));
    });
  });
}

/** Connects, sends, returns everything until the other side closes. */
export async function exchangeRaw(port: number, bytes: string): Promise<string> {
  const client = await rawConnect(port);
  client.send(bytes);
  return client.whole();
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
