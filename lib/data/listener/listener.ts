// One listening socket and everything that came through it: accepts, admits, finds out the protocol, drains, closes.
//
//   accept ─► [PROXY header] ─► admission ─► [TLS] ─► first bytes or ALPN ─► http1/ or http2/ ─► RequestHandler

import net, { type Socket } from 'node:net';
import type { RequestLimits } from '../../config/proxy.ts';
import { NetworkSet, normaliseAddress } from '../../core/cidr.ts';
import type { Clock } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { ListeningSocket } from '../../orders/messages.ts';
import type { ListenerEntry } from '../../orders/snapshot.ts';
import type { ClientLedger, WorkerLedger } from '../../scoreboard/ports.ts';
import { type Descriptors, descriptorOf } from '../descriptors.ts';
import { NativeServer } from '../http1/native/server.ts';
import { Http1Server } from '../http1/node/server.ts';
import { Http2Server } from '../http2/server.ts';
import type { ClientConnection, ClientTls, RequestHandler } from '../ports.ts';
import { parseAddress } from './address.ts';
import { Admission } from './admission.ts';
import { DrainPacer } from './drain.ts';
import { PREFACE_BYTES, protocolOf } from './first-bytes.ts';
import { lingeringClose } from './linger.ts';
import { peek } from './peek.ts';
import { PROXY_HEADER_MAX_BYTES, type ProxiedClient, parseProxyHeader } from './proxy-protocol.ts';
import { refusal, refusalBytes } from './refusal.ts';
import type { Accepted, Protocol, Session, SessionEnv } from './session.ts';
import { sweepIntervalMs } from './sweep.ts';
import { TlsFront } from './tls-front.ts';
import { Tunnelled } from './tunnelled.ts';

/** While draining an idle connection is kept this long unless the caller says otherwise. */
const DRAIN_IDLE_MS = 1000;
/** While descriptors are short an idle client connection is kept no longer than this. */
const SHORT_KEEP_ALIVE_MS = 5000;
/** A failing accept() is told at most this often. */
const ACCEPT_ERROR_LOG_MS = 5000;

const ignore = (): void => {};

export interface ListenerOptions {
  readonly entry: ListenerEntry;
  /** Where to bind, when the configured port is 0 and another worker was given one. */
  readonly bindAddress?: string;
  readonly limits: RequestLimits;
  /** 48 bytes, the same in all workers. */
  readonly ticketKeys: Uint8Array;
  readonly handler: RequestHandler;
  readonly clock: Clock;
  readonly log: Log;
  readonly clients: ClientLedger;
  readonly ledger: Pick<WorkerLedger, 'add'>;
  /** Of this listener in the snapshot: what the client ledger counts under. */
  readonly index: number;
  /** Keys the hash of client addresses; the same in all workers. */
  readonly seed?: number;
  /** Of the process; left out where they are not bounded. */
  readonly descriptors?: Descriptors | undefined;
  /** Draws ids unique within the worker; shared by its listeners. */
  readonly nextConnectionId: () => number;
  /** Who reads HTTP/1: our codec (the default), or node:http. */
  readonly http1?: 'native' | 'node';
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #env: SessionEnv;
  readonly #http1: Protocol;
  readonly #http2: Protocol;
  readonly #admission: Admission;
  /** Every admitted socket; the session is null until its protocol is known. */
  readonly #open = new Map<Socket, Session | null>();
  /** Completes the description of a connection whose TLS handshake runs. */
  readonly #describers = new WeakMap<Socket, (tls: ClientTls) => ClientConnection>();
  #entry: ListenerEntry;
  #limits: RequestLimits;
  #proxies: NetworkSet;
  #tls: TlsFront | null;
  #server: net.Server | null = null;
  #sweep: Disposable | null = null;
  #pacer: DrainPacer | null = null;
  #acceptErrorMs = Number.NEGATIVE_INFINITY;

  constructor(options: ListenerOptions) {
    this.#options = options;
    const { limits, handler, clock, log, ledger } = options;
    this.#limits = limits;
    const tunnelled = ({ socket, raw }: Accepted): void => this.#tunnelled(socket, raw);
    this.#env = { limits, drainIdleMs: DRAIN_IDLE_MS, handler, clock, log, ledger, tunnelled };
    this.#http1 = options.http1 === 'node' ? new Http1Server(this.#env) : new NativeServer(this.#env);
    this.#http2 = new Http2Server(this.#env);
    this.#admission = new Admission(options.clients, options.index, options.seed ?? 0);
    this.#entry = options.entry;
    this.#proxies = new NetworkSet(options.entry.config.proxy_protocol_from);
    this.#tls = this.#front(options.entry, options.ticketKeys);
  }

  /** Connections that were admitted and are not closed yet. */
  get connections(): number {
    return this.#open.size;
  }

  get tunnels(): number {
    let count = 0;
    for (const session of this.#open.values()) count += session?.tunnels ?? 0;
    return count;
  }

  /** Binds, or takes over a listening socket by its file descriptor. Rejects when that is impossible. */
  listen(how: { readonly fd: number } | { readonly reusePort: boolean }): Promise<ListeningSocket> {
    const { host, port } = parseAddress(this.#options.bindAddress ?? this.#entry.config.address);
    // A client's FIN must not become ours before the protocol has said its last word.
    const server = net.createServer({ allowHalfOpen: true, noDelay: true });
    server.on('connection', socket => this.#accept(socket));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.once('listening', () => {
        server.removeListener('error', reject);
        server.on('error', error => this.acceptFailed(error));
        this.#scheduleSweep();
        const bound = server.address() as net.AddressInfo;
        const fd = (server as unknown as { _handle: { fd: number } })._handle.fd;
        resolve({ address: this.#entry.config.address, port: bound.port, fd });
      });
      if ('fd' in how) server.listen({ fd: how.fd });
      else
        server.listen({
          port,
          ...(host === undefined ? {} : { host }),
          reusePort: how.reusePort,
          backlog: 4096,
        });
    });
  }

  /** New settings for what comes from now on; limits also for what is there. Nothing is dropped. Throws on unusable certificates and then changes nothing. */
  update(entry: ListenerEntry, limits: RequestLimits, ticketKeys: Uint8Array): void {
    this.#tls = this.#front(entry, ticketKeys);
    this.#proxies = new NetworkSet(entry.config.proxy_protocol_from);
    this.#entry = entry;
    this.#limits = limits;
    this.#env.limits = limits;
  }

  /** Closes the listening socket; connections go on. Idempotent. */
  stopAccepting(): void {
    this.#server?.close();
    this.#server = null;
  }

  /** Lets every connection finish and close, GOAWAYs at this pace; those that carry a tunnel are told last. Idempotent. `idleMs`: how long one without a request may still bring one. */
  drain(pacePerSecond: number, idleMs = DRAIN_IDLE_MS): void {
    this.#env.drainIdleMs = idleMs;
    this.#pacer ??= new DrainPacer(this.#options.clock, pacePerSecond, () => this.#open);
  }

  /** Stops accepting and closes everything at once. */
  destroyAll(): void {
    this.stopAccepting();
    for (const [socket, session] of this.#open) {
      session?.destroy();
      socket.destroy();
    }
    this.#pacer?.[Symbol.dispose]();
    this.#sweep?.[Symbol.dispose]();
    this.#sweep = null;
  }

  // ---- a connection's way in

  #accept(socket: Socket): void {
    // Errors of a socket that nobody owns yet, or any more, must not end the worker.
    socket.on('error', ignore);
    // Probes on a quiet connection find a peer that vanished without a word (half-open TCP).
    socket.setKeepAlive(true, this.#limits.tcp_keep_alive);
    const { config } = this.#entry;
    const peer = normaliseAddress(socket.remoteAddress ?? '');
    if (!this.#welcome(socket, peer)) return;
    if (config.proxy_protocol === 'off') return this.#admit(socket, peer, null);
    if (!this.#proxies.has(peer)) return this.#drop(socket, peer, 'the peer may not send a PROXY header');
    peek<ProxiedClient>(
      socket,
      this.#options.clock,
      { bytes: PROXY_HEADER_MAX_BYTES, ms: this.#env.limits.head_timeout },
      parseProxyHeader,
      client => this.#admit(socket, peer, client),
      detail => this.#drop(socket, peer, detail),
    );
  }

  #admit(socket: Socket, peer: string, proxied: ProxiedClient): void {
    const { config } = this.#entry;
    const { ledger } = this.#options;
    const place = this.#admission.enter(proxied?.address ?? peer, config);
    const describe = (tls: ClientTls | null): ClientConnection => this.#describe(socket, peer, proxied, tls);
    if (place === null)
      return this.#refuse(socket, describe(null), 'max_connections or max_connections_per_client');
    ledger.add('connectionsAccepted', 1);
    ledger.add('connections', 1);
    this.#open.set(socket, null);
    socket.on('close', () => {
      place.leave();
      ledger.add('connections', -1);
      this.#open.delete(socket);
    });
    if (socket.destroyed) return;
    if (this.#tls === null) this.#servePlain(socket, describe(null));
    else {
      this.#describers.set(socket, describe);
      this.#tls.accept(socket);
    }
  }

  #describe(socket: Socket, peer: string, proxied: ProxiedClient, tls: ClientTls | null): ClientConnection {
    return {
      id: this.#options.nextConnectionId(),
      remoteAddress: proxied?.address ?? peer,
      remotePort: proxied?.port ?? socket.remotePort ?? 0,
      localPort: proxied?.localPort ?? socket.localPort ?? 0,
      listener: this.#entry.config.address,
      tls,
    };
  }

  #servePlain(socket: Socket, connection: ClientConnection): void {
    const { protocols } = this.#entry.config;
    if (protocols.length === 1) return this.#serve(protocols[0]!, connection, socket, socket);
    peek(
      socket,
      this.#options.clock,
      { bytes: PREFACE_BYTES, ms: this.#env.limits.head_timeout },
      protocolOf,
      protocol => this.#serve(protocol, connection, socket, socket),
      () => socket.destroy(),
    );
  }

  #front(entry: ListenerEntry, ticketKeys: Uint8Array): TlsFront | null {
    if (entry.config.tls === undefined) return null;
    return new TlsFront(entry, ticketKeys, this.#options.log, (raw, socket, tls, protocol) => {
      socket.on('error', ignore);
      if (!entry.config.protocols.includes(protocol)) return raw.destroy();
      this.#serve(protocol, this.#describers.get(raw)!(tls), socket, raw);
    });
  }

  #serve(protocol: 'http1' | 'h2', connection: ClientConnection, socket: Socket, raw: Socket): void {
    if (raw.destroyed) return;
    const session = (protocol === 'h2' ? this.#http2 : this.#http1).serve({ connection, socket, raw });
    this.#open.set(raw, session);
  }

  #tunnelled(socket: Socket, raw: Socket): void {
    if (this.#open.has(raw)) this.#open.set(raw, new Tunnelled(socket, raw));
  }

  // ---- those that stay out

  /** False when the process has no descriptor to spare for this one, which is then dealt with. */
  #welcome(socket: Socket, peer: string): boolean {
    const { descriptors, clients, ledger } = this.#options;
    if (descriptors === undefined) return true;
    const welcome = descriptors.welcome(descriptorOf(socket), clients.connections());
    if (welcome === 'admit') return true;
    if (welcome === 'refuse')
      this.#refuse(socket, this.#describe(socket, peer, null, null), 'the limit of open files');
    else {
      ledger.add('connectionsRefused', 1);
      socket.destroy();
    }
    return false;
  }

  #refuse(socket: Socket, connection: ClientConnection, detail: string): void {
    this.#options.ledger.add('connectionsRefused', 1);
    const refused = refusal('TOO_MANY_CONNECTIONS', detail);
    this.#options.handler.refused(connection, { code: refused.code, detail: refused.detail }, refused.status);
    if (this.#tls !== null) return void socket.destroy();
    socket.write(refusalBytes(refused), 'latin1');
    lingeringClose(socket, this.#options.clock);
  }

  #drop(socket: Socket, peer: string, reason: string): void {
    this.#options.ledger.add('connectionsRefused', 1);
    this.#options.log.info('connection refused', { listener: this.#entry.config.address, peer, reason });
    socket.destroy();
  }

  /** The system refused a connection (EMFILE, ENFILE, ENOBUFS): it is lost, the listener is not. */
  acceptFailed(error: Error): void {
    this.#options.ledger.add('connectionsRefused', 1);
    const now = this.#options.clock.monotonicMs();
    if (now - this.#acceptErrorMs < ACCEPT_ERROR_LOG_MS) return;
    this.#acceptErrorMs = now;
    this.#options.log.error('cannot accept connections', {
      listener: this.#entry.config.address,
      reason: messageOf(error),
    });
  }

  // ---- time

  #scheduleSweep(): void {
    const { clock, descriptors } = this.#options;
    this.#sweep = clock.after(sweepIntervalMs(this.#env.limits), () => {
      const now = clock.monotonicMs();
      const limits = this.#limits;
      this.#env.limits =
        descriptors?.short === true
          ? { ...limits, keep_alive: Math.min(limits.keep_alive, SHORT_KEEP_ALIVE_MS) }
          : limits;
      for (const session of this.#open.values()) session?.sweep(now);
      if (this.#server !== null || this.#open.size > 0) this.#scheduleSweep();
      else this.#sweep = null;
    });
  }
}
