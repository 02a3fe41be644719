// WebSockets from HTTP/1.1 clients to one HTTP/1.1 backend, carried by http-proxy's ws(); see README.md for why and how far.

import { Agent, type ClientRequest } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type HttpProxy from 'http-proxy';
import type { Clock } from '../../core/clock.ts';
import type { Fields } from '../../core/fields.ts';
import type { Random } from '../../core/random.ts';
import type { BackendEntry, ClusterEntry } from '../../orders/snapshot.ts';
import type { Descriptors } from '../descriptors.ts';
import type { AnswerHead, UpstreamHead } from '../ports.ts';
import { endpointOf } from '../upstream/create.ts';
import { type Dialed, Dialer } from '../upstream/dial.ts';
import { httpProxy } from './http-proxy.ts';
import { HttpProxyTunnel } from './http-proxy-tunnel.ts';

export interface TunnelRequest {
  readonly head: UpstreamHead;
  /** To the backend, from `connect`; the tunnel's from now on. */
  readonly connection: Socket;
  /** From Incoming.rawUpgrade: the client's socket as it is, and what it sent already. */
  readonly socket: Duplex;
  readonly rest: Uint8Array;
  /** For the backend's answer to the handshake. */
  readonly headTimeoutMs: number;
  /** 0 for none. */
  readonly idleMs: number;
  /** The backend's answer is about to go to the client, 101 or not: with these fields. Connection and Upgrade are added. */
  answered(head: AnswerHead): Fields;
}

export interface TunnelTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly descriptors?: Descriptors | undefined;
}

/** http-proxy takes a request; this is all it reads of one. */
class ProxiedRequest {
  readonly method = 'GET';
  readonly url: string;
  readonly headers: Record<string, string | string[]>;
  readonly tunnel: HttpProxyTunnel;

  constructor(tunnel: HttpProxyTunnel, head: UpstreamHead) {
    this.tunnel = tunnel;
    this.url = head.target;
    this.headers = { ...grouped(head.fields), connection: 'Upgrade', upgrade: 'websocket' };
  }
}

export class HttpProxyTunnels {
  readonly #proxy: HttpProxy;
  readonly #dialer: Dialer;
  readonly #target: HttpProxy.ServerOptions['target'];
  readonly #tools: TunnelTools;

  constructor(cluster: ClusterEntry, backend: BackendEntry, tools: TunnelTools) {
    const endpoint = endpointOf(cluster, backend);
    this.#tools = tools;
    this.#dialer = new Dialer(endpoint, tools.clock, tools.descriptors);
    // The dialer does TLS, so to http-proxy it is plain HTTP in any case.
    this.#target = { protocol: 'http:', host: endpoint.host, port: endpoint.port };
    this.#proxy = httpProxy.createProxyServer({});
    this.#proxy.on('proxyReqWs', (handshake: ClientRequest, request: unknown) => {
      if (request instanceof ProxiedRequest) request.tunnel.dispatched(handshake);
    });
    // A second listener keeps http-proxy from throwing what the call's own listener has dealt with.
    this.#proxy.on('error', () => {});
  }

  /** Connections to the backend that carry tunnels. */
  get connections(): number {
    return this.#dialer.open;
  }

  /**
   * Dials the backend. Before the client's socket is given away: http-proxy cannot give it back, so a backend that cannot be
   * reached must show while another can still be asked.
   */
  connect(done: Dialed): void {
    this.#dialer.dial(['http/1.1'], done);
  }

  /** Opens a tunnel; whatever comes of it, the client's socket is answered and closed from here. */
  open(request: TunnelRequest): HttpProxyTunnel {
    const tunnel = new HttpProxyTunnel(request, this.#tools);
    const { socket, rest, head, connection } = request;
    // Not before the caller has the tunnel.
    queueMicrotask(() => {
      if (tunnel.over) return void connection.destroy();
      const proxied = new ProxiedRequest(tunnel, head);
      const options = {
        target: this.#target!,
        agent: new HandedAgent(connection),
        toProxy: true,
        prependPath: false,
      };
      try {
        this.#proxy.ws(
          proxied as never,
          socket as Socket,
          Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength),
          options,
          error => tunnel.failed(error),
        );
        tunnel.wired();
      } catch (error) {
        tunnel.failed(error);
      }
    });
    return tunnel;
  }
}

/** Lets node:http use the connection that stands already. */
class HandedAgent extends Agent {
  readonly #connection: Socket;

  constructor(connection: Socket) {
    super({ keepAlive: false });
    this.#connection = connection;
  }

  override createConnection(): Socket {
    return this.#connection;
  }
}

/** As node:http wants them: repeats as a list under the first spelling. */
function grouped(fields: Fields): Record<string, string | string[]> {
  const byName = new Map<string, { name: string; values: string[] }>();
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase();
    const known = byName.get(lower);
    if (known === undefined) byName.set(lower, { name: fields[i]!, values: [fields[i + 1]!] });
    else known.values.push(fields[i + 1]!);
  }
  const object: Record<string, string | string[]> = Object.create(null);
  for (const { name, values } of byName.values()) object[name] = values.length === 1 ? values[0]! : values;
  return object;
}
