// One HTTP(S) server with bounds on everything a client can hold; knows nothing of what is served.

import * as http from 'node:http';
import * as https from 'node:https';
import { type AddressInfo, Server as NetServer, type Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { ListeningSocket } from '../../orders/messages.ts';
import { splitAddress } from './address.ts';
import { AdminContexts, type AdminTls, contextOptions, tlsOptions } from './tls.ts';

const BOUNDS: http.ServerOptions = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 16 * 1024,
  requireHostHeader: true,
};
const MAX_CONNECTIONS = 256;
/** For answers under way when it closes. */
const CLOSE_GRACE_MS = 1_000;

/** `port`: the one that the address's 0 was given before. */
export type ListenSource = { readonly fd: number } | { readonly address: string; readonly port?: number };

/** A server of one kind (plain or TLS, client certificates or not) on one socket. */
export class Endpoint {
  readonly #server: http.Server | https.Server;
  readonly #clock: Clock;
  #contexts: AdminContexts | null;
  #leaving = false;

  constructor(tls: AdminTls | null, clock: Clock, answer: http.RequestListener) {
    this.#clock = clock;
    const serve: http.RequestListener = (request, response) => {
      if (this.#leaving) response.shouldKeepAlive = false;
      answer(request, response);
    };
    this.#contexts = tls && new AdminContexts(tls);
    this.#server =
      tls === null
        ? http.createServer(BOUNDS, serve)
        : https.createServer({ ...BOUNDS, ...tlsOptions(tls, () => this.#contexts!) }, serve);
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('clientError', refuseMalformed);
  }

  /** Of the name in a Host header, which has no port left. */
  certifies(name: string): boolean {
    return this.#contexts?.certifies(name) ?? false;
  }

  /** `address` is what the configuration says; with a descriptor the socket is already bound. */
  async listen(source: ListenSource, address: string): Promise<ListeningSocket> {
    const { host, port } = splitAddress(address);
    const where =
      'fd' in source ? { fd: source.fd } : { port: source.port ?? port, ...(host !== '' && { host }) };
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(where, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    // Such as EMFILE at accept: the connection is lost, the server stays.
    this.#server.on('error', () => {});
    return { address, port: this.bound.port, fd: descriptorOf(this.#server) };
  }

  /** The address that is really bound; listening is a precondition. */
  get bound(): AddressInfo {
    return this.#server.address() as AddressInfo;
  }

  /** New certificates for the handshakes from now on. Throws when they are not valid, and then keeps the old. */
  renew(tls: AdminTls): void {
    const contexts = new AdminContexts(tls);
    (this.#server as https.Server).setSecureContext(contextOptions(tls, 0));
    this.#contexts = contexts;
  }

  /** For a successor that listens on the same socket: who came to us is still answered, on connections that then end. */
  async leave(): Promise<void> {
    if (!this.#server.listening) return;
    this.#leaving = true;
    // Not http's own close, which cuts connections whose first request is just arriving.
    const closed = new Promise<void>(resolve =>
      NetServer.prototype.close.call(this.#server, () => resolve()),
    );
    using _grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#server.closeAllConnections());
    await closed;
  }

  /** Stops accepting, lets answers finish for a moment, then cuts. Safe to call when not listening. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    using _grace = this.#clock.after(CLOSE_GRACE_MS, () => this.#server.closeAllConnections());
    await closed;
  }
}

/** What cannot be parsed is answered without a body, since nothing is known of who asks; the connection ends. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: import('node:stream').Duplex): void {
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  if (!socket.writable || (socket as Socket).bytesWritten > 0) return void socket.destroy();
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  );
}

/** Not in Node's public types, but how a listening socket is handed on (child_process passes the same handle). */
const descriptorOf = (server: http.Server): number =>
  (server as unknown as { readonly _handle?: { readonly fd?: number } })._handle?.fd ?? -1;
