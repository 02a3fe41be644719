// The TLS side of a listener: handshakes with bounds, certificate by name, client certificates, ALPN.

import type { Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import type { Log } from '../../core/log.ts';
import type { ListenerEntry } from '../../orders/snapshot.ts';
import type { ClientTls } from '../ports.ts';
import { Certificates, contextOptions } from './certificates.ts';

const ALPN = { http1: 'http/1.1', h2: 'h2' } as const;

/** `protocol` is what ALPN settled on; without ALPN it is HTTP/1.1 (RFC 7301, section 3.1). */
export type OnSecure = (raw: Socket, socket: TLSSocket, client: ClientTls, protocol: 'http1' | 'h2') => void;

/** One generation of certificates and settings; immutable, replaced whole by a reload while its handshakes go on. */
export class TlsFront {
  readonly #server: tls.Server;
  readonly #certificates: Certificates;
  readonly #config: NonNullable<ListenerEntry['config']['tls']>;

  constructor(entry: ListenerEntry, ticketKeys: Uint8Array, log: Log, onSecure: OnSecure) {
    const config = entry.config.tls!;
    this.#config = config;
    this.#certificates = new Certificates(entry, ticketKeys);
    this.#server = tls.createServer({
      ...contextOptions(entry, entry.certificates[0]!, ticketKeys),
      ALPNProtocols: entry.config.protocols
        .map(protocol => ALPN[protocol])
        .sort((a, b) => (a === 'h2' ? -1 : b === 'h2' ? 1 : 0)),
      SNICallback: (name, chosen) => chosen(null, this.#certificates.choose(name).context),
      handshakeTimeout: config.handshake_timeout,
      requestCert: config.client_auth !== 'none',
      // Judged below: node cannot tell "none sent" from "not valid".
      rejectUnauthorized: false,
    });
    this.#server.on('secureConnection', socket => {
      // The wrapped socket; node itself walks this property to share time-outs.
      const raw = (socket as unknown as { _parent: Socket })._parent;
      const client = this.#describe(socket);
      if (typeof client !== 'string')
        return onSecure(raw, socket, client, socket.alpnProtocol === 'h2' ? 'h2' : 'http1');
      log.info('client certificate refused', {
        listener: entry.config.address,
        peer: raw.remoteAddress,
        reason: client,
      });
      raw.destroy();
    });
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      log.debug('TLS handshake failed', {
        listener: entry.config.address,
        reason: error.code ?? error.message,
      });
      socket.destroy();
    });
  }

  accept(raw: Socket): void {
    this.#server.emit('connection', raw);
  }

  /** What is known of the client, or why it is refused. */
  #describe(socket: TLSSocket): ClientTls | string {
    const serverName = typeof socket.servername === 'string' ? socket.servername.toLowerCase() : '';
    const names = this.#certificates.choose(serverName).names;
    const base = { serverName, certificateNames: names, protocol: socket.getProtocol() ?? '' };
    if (this.#config.client_auth === 'none') return { ...base, client: null };
    const peer = socket.getPeerX509Certificate();
    if (peer === undefined)
      return this.#config.client_auth === 'required' ? 'none was sent' : { ...base, client: null };
    // A certificate that is shown must be good, also where none is needed.
    if (!socket.authorized) return String(socket.authorizationError);
    return { ...base, client: { subject: peer.subject, fingerprint256: peer.fingerprint256 } };
  }
}
