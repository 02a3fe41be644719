// A backend of a set speed: so many places, so long each, the rest waits; it can fail at once, hang, and tell its load.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Mood = 'well' | 'failing' | 'hanging';

export class SpeedyBackend implements AsyncDisposable {
  readonly id: string;
  readonly serviceMs: number;
  readonly places: number;
  /** Requests so far, probes not among them. */
  requests = 0;
  probes = 0;
  mood: Mood = 'well';
  readonly #server: Server;
  readonly #waiting: (() => void)[] = [];
  #hanging: ServerResponse[] = [];
  #going = 0;

  private constructor(id: string, serviceMs: number, places: number) {
    this.id = id;
    this.serviceMs = serviceMs;
    this.places = places;
    this.#server = createServer((request, response) => this.#serve(request, response));
  }

  static async start(id: string, serviceMs: number, places: number): Promise<SpeedyBackend> {
    const backend = new SpeedyBackend(id, serviceMs, places);
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    return backend;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Answers what hung. */
  wake(): void {
    this.mood = 'well';
    for (const response of this.#hanging.splice(0)) response.end();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('x-backend', this.id);
    if (request.url === '/load') {
      this.probes += 1;
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({ in_flight: this.#going + this.#waiting.length, latency_ms: this.serviceMs }),
      );
      return;
    }
    this.requests += 1;
    if (this.mood === 'hanging') return void this.#hanging.push(response);
    if (this.mood === 'failing') {
      response.statusCode = 500;
      return void response.end();
    }
    if (this.#going < this.places) this.#begin(response);
    else this.#waiting.push(() => this.#begin(response));
  }

  #begin(response: ServerResponse): void {
    this.#going += 1;
    setTimeout(() => {
      this.#going -= 1;
      response.end(this.id);
      this.#waiting.shift()?.();
    }, this.serviceMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close').catch(() => {});
  }
}
