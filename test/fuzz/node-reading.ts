// What Node's own HTTP/1 parser makes of the same bytes, by the one way that is documented: a server given a stream, and a
// client given one.

import http from 'node:http';
import { duplexPair } from 'node:stream';

export interface NodeMessage {
  readonly first: string;
  readonly fields: readonly string[];
  body: string;
  trailers: readonly string[];
  whole: boolean;
}

export interface NodeReading {
  readonly messages: NodeMessage[];
  /** Code of the parser's error, if it had one. */
  error: string;
}

/** Everything that was handed to a stream has been read when the loop has turned a few times. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise(resolve => setImmediate(resolve));
};

function collect(reading: NodeReading, message: http.IncomingMessage, first: string): void {
  const entry: NodeMessage = { first, fields: message.rawHeaders, body: '', trailers: [], whole: false };
  reading.messages.push(entry);
  message.on('data', (chunk: Buffer) => {
    entry.body += chunk.toString('latin1');
  });
  message.on('end', () => {
    entry.whole = message.complete;
    entry.trailers = message.rawTrailers;
  });
  message.on('error', () => {});
}

export class NodeParser {
  readonly #server: http.Server;
  readonly #readings = new WeakMap<object, NodeReading>();

  constructor() {
    const server = http.createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      shouldUpgradeCallback: () => false,
    } as http.ServerOptions);
    server.timeout = 0;
    const onRequest = (request: http.IncomingMessage): void => {
      const reading = this.#readings.get(request.socket);
      if (reading !== undefined)
        collect(reading, request, `${request.method} ${request.url} ${request.httpVersion}`);
    };
    server.on('request', onRequest);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('connect', onRequest);
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const reading = this.#readings.get(socket);
      if (reading !== undefined) reading.error ||= error.code ?? error.message;
    });
    this.#server = server;
  }

  async requests(texts: readonly string[]): Promise<NodeReading[]> {
    const readings: NodeReading[] = [];
    const open: { destroy(): void }[] = [];
    for (const text of texts) {
      const reading: NodeReading = { messages: [], error: '' };
      readings.push(reading);
      const [near, far] = duplexPair();
      near.on('error', () => {});
      far.on('error', () => {});
      this.#readings.set(far, reading);
      this.#server.emit('connection', far);
      near.write(Buffer.from(text, 'latin1'));
      near.resume();
      open.push(near, far);
    }
    await turns();
    for (const stream of open) stream.destroy();
    return readings;
  }

  async answers(
    asked: readonly { readonly bytes: string; readonly method: string }[],
  ): Promise<NodeReading[]> {
    const readings: NodeReading[] = [];
    const open: { destroy(): void }[] = [];
    for (const { bytes, method } of asked) {
      const reading: NodeReading = { messages: [], error: '' };
      readings.push(reading);
      const [near, far] = duplexPair();
      near.on('error', () => {});
      far.on('error', () => {});
      const request = http.request({ method, createConnection: () => near as never, headers: ['Host', 'a'] });
      request.on('response', response => collect(reading, response, String(response.statusCode)));
      request.on('information', info => {
        reading.messages.push({
          first: String(info.statusCode),
          fields: info.rawHeaders,
          body: '',
          trailers: [],
          whole: true,
        });
      });
      request.on('upgrade', () => {
        reading.error ||= 'upgrade';
      });
      request.on('error', (error: NodeJS.ErrnoException) => {
        reading.error ||= error.code ?? error.message;
      });
      request.end();
      far.resume();
      far.write(Buffer.from(bytes, 'latin1'));
      far.end();
      open.push(near, far);
    }
    await turns();
    for (const stream of open) stream.destroy();
    return readings;
  }
}
