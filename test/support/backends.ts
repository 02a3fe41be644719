// Backends for tests: servers that behave, and servers that are told byte by byte how not to.

import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  createServer as createHttp2,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { AUTHORITY, CERTIFICATE, PRIVATE_KEY } from './backend-certificate.ts';
import type { Http1Kind } from './http1-kind.ts';

export interface Wire {
  readonly protocol: 'http1' | 'h2';
  readonly secure: boolean;
  /** Who speaks HTTP/1.1 on our side; by the environment when left out. */
  readonly http1?: Http1Kind;
}

export const TLS = { cert: CERTIFICATE, key: PRIVATE_KEY, ca: AUTHORITY };

/** What both node:http and the compatibility API of node:http2 give a handler. */
export type AnyRequest = IncomingMessage & Http2ServerRequest;
export type AnyResponse = ServerResponse & Http2ServerResponse;

export class Backend {
  readonly server: Server;
  readonly secure: boolean;
  /** Connections so far. */
  accepted = 0;
  readonly sockets = new Set<Socket>();
  readonly #watchers = new Set<() => void>();

  constructor(server: Server, secure: boolean) {
    this.server = server;
    this.secure = secure;
    server.on('connection', (socket: Socket) => {
      this.accepted += 1;
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.changed();
      });
      this.changed();
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<this> {
    await new Promise<void>(resolve => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  /** Tells waiting tests to look again. */
  changed(): void {
    for (const watch of this.#watchers) watch();
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise(resolve => {
      const watch = (): void => {
        if (!condition()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
      watch();
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.server.listening) await new Promise<void>(resolve => this.server.close(() => resolve()));
  }
}

/** A server that speaks the protocol as it should and does what `handle` says. */
export function goodBackend(
  wire: Wire,
  handle: (request: AnyRequest, response: AnyResponse) => void,
): Promise<Backend> {
  const both = handle as (request: unknown, response: unknown) => void;
  const h2 = { settings: { enableConnectProtocol: true } };
  const server =
    wire.protocol === 'h2'
      ? wire.secure
        ? createSecureServer({ ...TLS, ...h2 }, both)
        : createHttp2(h2, both)
      : wire.secure
        ? createHttps(TLS, both)
        : createHttp(both);
  server.on('sessionError', () => {});
  return new Backend(server as Server, wire.secure).listen();
}

/** HTTP/2 with the streams in hand. */
export function streamBackend(
  secure: boolean,
  onStream: (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void,
  onSession: (session: Http2Session) => void = () => {},
  settings: Record<string, unknown> = {},
): Promise<Backend> {
  const server = secure ? createSecureServer({ ...TLS, settings }) : createHttp2({ settings });
  server.on('session', (session: Http2Session) => {
    session.on('error', () => {});
    onSession(session);
  });
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    onStream(stream, headers);
  });
  return new Backend(server as unknown as Server, secure).listen();
}

/** Bytes only: `talk` gets each connection, decrypted, and its number from 1. */
export function rawBackend(
  secure: boolean,
  talk: (socket: Socket, number: number) => void,
): Promise<Backend> {
  let number = 0;
  const serve = (socket: Socket): void => {
    number += 1;
    socket.on('error', () => {});
    talk(socket, number);
  };
  return new Backend(secure ? createTls(TLS, serve) : createServer(serve), secure).listen();
}

/** Calls `answer` with each request head of a connection; bodies are not looked into. */
export function eachHead(socket: Socket, answer: (head: string, number: number) => void): void {
  let text = '';
  let number = 0;
  socket.on('data', chunk => {
    text += chunk.toString('latin1');
    for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
      number += 1;
      const head = text.slice(0, end);
      text = text.slice(end + 4);
      answer(head, number);
    }
  });
}

/** A port on which nothing listens. */
export async function deadPort(): Promise<number> {
  const backend = await rawBackend(false, socket => socket.destroy());
  const { port } = backend;
  await backend.close();
  return port;
}
