// Opens connections to one backend: TCP and TLS under one deadline, every failure with a code, every open socket counted.
//
// Both adapters and the WebSocket tunnels dial here, so that trust, server name and timeouts are decided in one
// place. The name that is asked for (SNI, RFC 6066 section 3) and verified is the configured one or the URL's host;
// it never comes from the Host that a client sent.

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext } from 'node:tls';
import type { Clock } from '../../core/clock.ts';
import { isOurLack, LeasewayError, messageOf } from '../../core/errors.ts';
import { type Descriptors, descriptorOf } from '../descriptors.ts';

export interface Endpoint {
  /** Name or address, IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  /** After this much silence the kernel probes the peer, a second apart, ten times; whole seconds. */
  readonly tcpKeepAliveMs: number;
  /** null on plain TCP. */
  readonly tls: EndpointTls | null;
}

export interface EndpointTls {
  /** Asked for and verified. */
  readonly serverName: string;
  readonly verify: boolean;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export type Protocol = 'h2' | 'http/1.1';
export type Dialed = (failure: LeasewayError | null, socket: Socket | null) => void;
/** How an adapter gets a connection; calls back once, never before it returns. */
export type Dial = (done: Dialed) => void;

export class Dialer {
  readonly #endpoint: Endpoint;
  readonly #clock: Clock;
  readonly #descriptors: Descriptors | undefined;
  #context: SecureContext | null = null;
  /** The newest TLS session: the next handshake is shorter. */
  #session: Buffer | null = null;
  #open = 0;
  /** One for all sockets: a WebSocket's lives for hours, with all that listens to it. */
  readonly #closed = (): void => {
    this.#open -= 1;
  };

  constructor(endpoint: Endpoint, clock: Clock, descriptors?: Descriptors) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#descriptors = descriptors;
  }

  /** Sockets that are open or being opened. */
  get open(): number {
    return this.#open;
  }

  /** `protocols` are offered by ALPN (RFC 7301); without TLS they say nothing. */
  dial(protocols: readonly Protocol[], done: Dialed): void {
    let socket: Socket;
    try {
      socket = this.#connect(protocols);
    } catch (error) {
      queueMicrotask(() => done(new LeasewayError('TLS_FAILED', messageOf(error)), null));
      return;
    }
    const dialing = new Dialing(socket, this.#endpoint, this.#clock, done);
    if (this.#descriptors !== undefined) dialing.within(this.#descriptors);
    this.#open += 1;
    socket.on('close', this.#closed);
  }

  #connect(protocols: readonly Protocol[]): Socket {
    const { host, port, tls, tcpKeepAliveMs } = this.#endpoint;
    const common = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: tcpKeepAliveMs };
    if (tls === null) return connectTcp(common);
    // Without a name Node takes the address for the check, which is what an https URL with an address means.
    const name = isIP(tls.serverName) === 0 ? { servername: tls.serverName } : {};
    this.#context ??= createSecureContext({
      ...(tls.ca === undefined ? {} : { ca: tls.ca }),
      ...(tls.cert === undefined ? {} : { cert: tls.cert }),
      ...(tls.key === undefined ? {} : { key: tls.key }),
    });
    const socket = connectTls({
      ...common,
      ...name,
      ALPNProtocols: [...protocols],
      rejectUnauthorized: tls.verify,
      secureContext: this.#context,
      ...(this.#session === null ? {} : { session: this.#session }),
    });
    // These are options of net.connect that tls.connect does not pass on.
    socket.setNoDelay(true).setKeepAlive(true, tcpKeepAliveMs);
    socket.on('session', session => {
      this.#session = session;
    });
    return socket;
  }
}

const ignore = (): void => {};

/** One attempt: whichever comes first of ready, error and deadline decides. */
class Dialing {
  readonly #socket: Socket;
  readonly #endpoint: Endpoint;
  readonly #done: Dialed;
  readonly #deadline: Disposable;
  readonly #onError = (error: Error): void => this.#finish(this.#failure(error));
  readonly #onClose = (): void =>
    this.#finish(new LeasewayError('CONNECT_FAILED', `${this.#where} closed at once`));
  #tcpOpen = false;
  #over = false;

  constructor(socket: Socket, endpoint: Endpoint, clock: Clock, done: Dialed) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#done = done;
    this.#deadline = clock.after(endpoint.connectTimeoutMs, () => this.#late());
    socket.once('connect', () => {
      this.#tcpOpen = true;
    });
    socket.once(endpoint.tls === null ? 'connect' : 'secureConnect', () => this.#finish(null));
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Gives up what got a descriptor that is kept for others; one has it at once when there is no name to look up. */
  within(descriptors: Descriptors): void {
    const look = (): void => {
      if (this.#over || descriptors.mayDial(descriptorOf(this.#socket))) return;
      this.#finish(
        new LeasewayError('TOO_MANY_CONNECTIONS', `${this.#where}: few file descriptors are left`),
      );
    };
    // Node opens the socket in the next tick.
    process.nextTick(look);
    this.#socket.prependOnceListener('connect', look);
  }

  get #where(): string {
    return `${this.#endpoint.host}:${this.#endpoint.port}`;
  }

  #late(): void {
    const step = this.#tcpOpen ? 'the TLS handshake' : 'the connection';
    const text = `${this.#where}: ${step} took longer than ${this.#endpoint.connectTimeoutMs} ms`;
    this.#finish(new LeasewayError('CONNECT_TIMEOUT', text));
  }

  #finish(failure: LeasewayError | null): void {
    if (this.#over) return;
    this.#over = true;
    this.#deadline[Symbol.dispose]();
    // Stays for the life of the socket: an error between two owners must not bring the process down.
    this.#socket.on('error', ignore);
    this.#socket.removeListener('error', this.#onError);
    this.#socket.removeListener('close', this.#onClose);
    if (failure !== null) this.#socket.destroy();
    this.#done(failure, failure === null ? this.#socket : null);
  }

  #failure(error: Error): LeasewayError {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    const text = `${this.#where}: ${error.message || code}`;
    if (isOurLack(error)) return new LeasewayError('TOO_MANY_CONNECTIONS', text, error);
    if (code === 'ETIMEDOUT') return new LeasewayError('CONNECT_TIMEOUT', text, error);
    // A reset in mid-handshake is a backend that is going away, not one that is configured wrongly.
    const reset = code === 'ECONNRESET' || code === 'EPIPE';
    return new LeasewayError(this.#tcpOpen && !reset ? 'TLS_FAILED' : 'CONNECT_FAILED', text, error);
  }
}
