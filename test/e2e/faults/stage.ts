// The stage of the fault tests: one leaseway with two workers, its access log, and a steady client that must notice nothing.

import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { type Backend, goodBackend } from '../../support/backends.ts';
import { Leaseway, type LeasewayOptions } from '../../support/leaseway.ts';
import { RawClient } from '../../support/raw-client.ts';
import { SteadyClient } from './steady-client.ts';

/** One line of the access log, as far as tests read it. */
export interface Line {
  readonly client: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly duration_ms: number;
  readonly queued_ms: number;
  readonly cluster: string;
  readonly backend: string;
  /** `BACKEND:STATUS-OR-CODE:MS` each. */
  readonly attempts: readonly string[];
  readonly lease: string;
  readonly error: string;
  readonly detail: string;
}

interface BackendStatus {
  readonly cluster: string;
  readonly id: string;
  readonly state: string;
  readonly health: string;
  readonly ejectedUntilMs: number | null;
  readonly effectiveWeight: number;
  readonly inFlight: number;
  readonly limit: number;
  readonly tunnels: number;
  readonly requests: number;
  readonly failures: number;
}

interface Status {
  readonly workers: readonly { readonly counters: Readonly<Record<string, number>> }[];
  readonly backends: readonly BackendStatus[];
}

export interface StageOptions extends LeasewayOptions {
  /** Before the route of the steady client is put in front. */
  readonly routes: readonly Record<string, unknown>[];
  /** For the steady client. */
  readonly boundMs?: number;
}

const WORKERS = 2;

export class Stage implements AsyncDisposable {
  readonly leaseway: Leaseway;
  readonly steady: SteadyClient;
  readonly #bystander: Backend;
  readonly #backends: Backend[] = [];
  #address = 1;

  static async open(options: StageOptions): Promise<Stage> {
    const bystander = await goodBackend({ protocol: 'http1', secure: false }, (request, response) => {
      request.resume();
      response.end('steady');
    });
    const { config, clusters, routes } = options;
    const leaseway = await Leaseway.start({
      ...options,
      config: {
        workers: WORKERS,
        log: { access: 'access.log' },
        ...config,
        routes: [{ name: 'steady', match: { path: '/steady' }, cluster: 'steady' }, ...routes],
      },
      clusters: { ...clusters, steady: { backends: [bystander.url] } },
    });
    return new Stage(leaseway, bystander, options.boundMs);
  }

  private constructor(leaseway: Leaseway, bystander: Backend, boundMs: number | undefined) {
    this.leaseway = leaseway;
    this.#bystander = bystander;
    this.steady = new SteadyClient(leaseway.port(), boundMs);
  }

  get port(): number {
    return this.leaseway.port();
  }

  /** Closed with the stage. */
  keep(...backends: readonly Backend[]): void {
    this.#backends.push(...backends);
  }

  /** A loopback address that nobody else came from, by which the log tells who is meant. */
  nextAddress(): string {
    this.#address += 1;
    return `127.0.${this.#address >> 7}.${(this.#address & 127) + 1}`;
  }

  /** Bytes as they are, from an address of its own. */
  connect(options: tls.ConnectionOptions = {}, port = this.port): Promise<Caller> {
    const address = this.nextAddress();
    return connectFrom(address, { port, host: '127.0.0.1', ...options });
  }

  /** Sends, and reads until the other side closes. */
  async say(bytes: string): Promise<{ answer: string; address: string }> {
    const caller = await this.connect();
    caller.send(bytes);
    return { answer: await caller.whole(), address: caller.address };
  }

  lines(): Line[] {
    const path = join(this.leaseway.folder, 'access.log');
    if (!existsSync(path)) return [];
    const whole = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return whole.map(line => JSON.parse(line));
  }

  /** The first line that fits, once it has been written. */
  line(fits: (line: Line) => boolean): Promise<Line> {
    return this.leaseway.until(() => this.lines().find(fits));
  }

  /** The line of whoever came from this address. */
  lineFrom(address: string): Promise<Line> {
    return this.line(({ client }) => client === address);
  }

  lineOf(path: string): Promise<Line> {
    return this.line(line => line.path === path);
  }

  /** A gauge or counter, summed over the workers. */
  async count(name: string): Promise<number> {
    const { workers } = await this.status();
    return workers.reduce((sum, { counters }) => sum + counters[name]!, 0);
  }

  status(): Promise<Status> {
    return this.leaseway.status();
  }

  async backend(cluster: string, id: string): Promise<BackendStatus> {
    const { backends } = await this.status();
    return backends.find(one => one.cluster === cluster && one.id === id)!;
  }

  /** Nothing is under way at these clusters' backends and nobody waits: what every fault must leave behind. */
  async quiet(...clusters: readonly string[]): Promise<void> {
    await this.leaseway.until(async () => {
      const { backends, workers } = await this.status();
      const busy = backends.some(
        one => clusters.includes(one.cluster) && (one.inFlight !== 0 || one.tunnels !== 0),
      );
      return !busy && workers.every(({ counters }) => counters.queued === 0);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.steady.stop();
    await this.leaseway[Symbol.asyncDispose]();
    await Promise.all([this.#bystander, ...this.#backends].map(backend => backend.close()));
  }
}

/** A raw client that knows where it came from. */
export class Caller extends RawClient {
  readonly address: string;

  constructor(socket: net.Socket, address: string) {
    super(socket);
    this.address = address;
  }
}

export function connectFrom(
  address: string,
  options: net.TcpNetConnectOpts | tls.ConnectionOptions,
): Promise<Caller> {
  return new Promise((resolve, reject) => {
    const secure = 'ca' in options;
    const common = { host: '127.0.0.1', localAddress: address, allowHalfOpen: true, ...options };
    const socket = secure
      ? tls.connect(common as tls.ConnectionOptions)
      : net.connect(common as net.TcpNetConnectOpts);
    socket.once('error', reject);
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      socket.removeListener('error', reject);
      resolve(new Caller(socket, address));
    });
  });
}
