// Feeds sockets to one node:http server and hands what it parses to the connection it came on.

import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Accepted, Protocol, Session, SessionEnv } from '../../listener/session.ts';
import { Http1Connection } from './connection.ts';
import type { ParserError } from './faults.ts';

/** What the parser may read of a head beyond line and fields as our own limits count them. */
const HEAD_SLACK_BYTES = 1024;

/** One per listener. It never listens itself: the listener accepts, and says which connections are HTTP/1. */
export class Http1Server implements Protocol {
  readonly #env: SessionEnv;
  readonly #server: http.Server;
  readonly #connections = new WeakMap<object, Http1Connection>();

  constructor(env: SessionEnv) {
    this.#env = env;
    const server = http.createServer({
      insecureHTTPParser: false,
      // Checked by head.ts, which also sees duplicates.
      requireHostHeader: false,
      // Time-outs are the connection's: node's would need the server to listen, and run on the system clock.
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      ...({ optimizeEmptyRequests: true } as object),
      shouldUpgradeCallback: (request: IncomingMessage) =>
        this.#of(request.socket)?.mayUpgrade(request) ?? false,
    });
    // Node's default cuts the list at 2000 without a word; the bytes are bounded and head.ts counts.
    server.maxHeadersCount = 0;
    server.timeout = 0;
    server.on('request', (request, response) => this.#onRequest(request, response));
    // With these two listeners node neither sends 100 by itself nor answers 417.
    server.on('checkContinue', (request, response) => this.#onRequest(request, response));
    server.on('checkExpectation', (request, response) => this.#onRequest(request, response));
    server.on('upgrade', (request, socket, rest) => this.#of(socket)?.onUpgrade(request, rest));
    // CONNECT leaves the parser like an upgrade; without this listener node destroys the socket without an answer.
    server.on('connect', (request, socket) => this.#of(socket)?.onUpgrade(request, Buffer.alloc(0)));
    server.on('clientError', (error: ParserError, socket) => {
      const connection = this.#of(socket);
      if (connection === undefined) socket.destroy();
      else connection.onError(error);
    });
    this.#server = server;
  }

  serve(accepted: Accepted): Session {
    const { limits } = this.#env;
    const connection = new Http1Connection(accepted, this.#env);
    this.#connections.set(accepted.socket, connection);
    // Read by node for each connection; typed as an option of the constructor only.
    (this.#server as http.Server & { maxHeaderSize: number }).maxHeaderSize =
      limits.uri_bytes + limits.header_bytes + HEAD_SLACK_BYTES;
    this.#server.emit('connection', accepted.socket);
    return connection;
  }

  #of(socket: object): Http1Connection | undefined {
    return this.#connections.get(socket as Socket);
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    this.#of(request.socket)?.onRequest(request, response);
  }
}
