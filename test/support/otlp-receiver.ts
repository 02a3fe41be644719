// A collector for tests: takes OTLP over HTTP, keeps what came as JSON, and can be told to fail.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As OTLP/JSON has it. */
export interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly OtlpAttribute[];
  readonly status: { readonly code?: number };
}
export interface OtlpPoint {
  readonly attributes: readonly OtlpAttribute[];
  readonly startTimeUnixNano: string;
  readonly timeUnixNano: string;
  readonly asInt?: string | number;
  readonly asDouble?: number;
  readonly count?: string | number;
  readonly sum?: number;
  readonly bucketCounts?: readonly (string | number)[];
  readonly explicitBounds?: readonly number[];
}
export interface OtlpMetric {
  readonly name: string;
  readonly unit: string;
  readonly sum?: { readonly dataPoints: readonly OtlpPoint[]; readonly isMonotonic: boolean };
  readonly gauge?: { readonly dataPoints: readonly OtlpPoint[] };
  readonly histogram?: { readonly dataPoints: readonly OtlpPoint[]; readonly aggregationTemporality: number };
}
export interface OtlpLog {
  readonly severityText: string;
  readonly severityNumber: number;
  readonly body: { readonly stringValue: string };
  readonly attributes: readonly OtlpAttribute[];
}
export interface OtlpPost {
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export class OtlpReceiver implements AsyncDisposable {
  readonly posts: OtlpPost[] = [];
  readonly spans: OtlpSpan[] = [];
  readonly logs: OtlpLog[] = [];
  /** The newest data of each metric. */
  readonly metrics = new Map<string, OtlpMetric>();
  readonly resources: Readonly<Record<string, unknown>>[] = [];
  /** Answered instead of 200, or `hang` for no answer at all. */
  failure: number | 'hang' | null = null;
  readonly #server: Server;
  readonly #waiting = new Set<() => void>();

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Port 0 takes any. */
  static async listen(port = 0): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => receiver.#take(request, response));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Resolves when `isSo` holds, looked at after each post; rejects after ten seconds. */
  until(isSo: (receiver: OtlpReceiver) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!isSo(this)) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(
          new Error(`the collector waited in vain; posts: ${this.posts.map(post => post.path).join(' ')}`),
        );
      }, 10_000);
      this.#waiting.add(look);
      look();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = Buffer.concat(await request.toArray());
    const post = { path: request.url ?? '', headers: request.headers, body };
    this.posts.push(post);
    if (this.failure === 'hang') return;
    if (this.failure === null && String(post.headers['content-type']).includes('json')) this.#read(post);
    response.writeHead(this.failure ?? 200, { 'content-type': 'application/json' }).end('{}');
    for (const look of [...this.#waiting]) look();
  }

  #read({ path, body }: OtlpPost): void {
    const content = JSON.parse(body.toString());
    if (path === '/v1/traces')
      for (const group of content.resourceSpans) {
        this.resources.push(plain(group.resource.attributes));
        for (const scope of group.scopeSpans) this.spans.push(...scope.spans);
      }
    else if (path === '/v1/logs')
      for (const group of content.resourceLogs)
        for (const scope of group.scopeLogs) this.logs.push(...scope.logRecords);
    else if (path === '/v1/metrics')
      for (const group of content.resourceMetrics)
        for (const scope of group.scopeMetrics)
          for (const metric of scope.metrics) this.metrics.set(metric.name, metric);
  }
}

/** Attributes as a plain object; integers as numbers. */
export function plain(attributes: readonly OtlpAttribute[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.intValue === undefined ? Object.values(value)[0] : Number(value.intValue),
    ]),
  );
}
