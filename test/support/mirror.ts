// Backends that answer with what they were asked, so that a test sees the request as they saw it.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The answer's body. */
export interface Seen {
  readonly backend: string;
  readonly method: string;
  readonly url: string;
  /** Flat, as received. */
  readonly rawHeaders: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class Mirror implements AsyncDisposable {
  readonly name: string;
  readonly server: Server;
  requests = 0;

  private constructor(name: string, server: Server) {
    this.name = name;
    this.server = server;
  }

  static async start(name: string): Promise<Mirror> {
    const server = createServer();
    const mirror = new Mirror(name, server);
    server.on('request', async (request, response) => {
      mirror.requests += 1;
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const { method, url, rawHeaders, headers } = request;
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-backend': name,
        'x-remove-me': 'yes',
        'leaseway-internal': 'never for clients',
      });
      const body = Buffer.concat(chunks).toString();
      response.end(JSON.stringify({ backend: name, method, url, rawHeaders, headers, body }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return mirror;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close').catch(() => {});
  }
}
