// Opens the connection of a check: plain or TLS, always a new one, since an old one says nothing about accepting.

import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';

export interface Target {
  readonly url: URL;
  readonly protocol: 'http1' | 'h2' | 'auto';
  /** Needed on https only. */
  readonly tls: {
    readonly context: SecureContext | undefined;
    readonly verify: boolean;
    /** The URL's host when undefined. */
    readonly serverName: string | undefined;
  };
}

/** `[::1]` is written so in a URL and without the brackets everywhere else. */
const bareHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');

const portOf = (url: URL): number =>
  url.port !== '' ? Number(url.port) : url.protocol === 'https:' ? 443 : 80;

/** Resolves once the TCP connection stands. Aborting destroys the socket, later as well. */
export function dialTcp({ url }: Target, signal: AbortSignal): Promise<Socket> {
  return established(netConnect({ host: bareHost(url), port: portOf(url) }), 'connect', signal);
}

/** As `dialTcp`, and through the TLS handshake on https, offering `alpn`. */
export function dial(target: Target, alpn: readonly string[], signal: AbortSignal): Promise<Socket> {
  const { url, tls } = target;
  if (url.protocol !== 'https:') return dialTcp(target, signal);
  const host = bareHost(url);
  const serverName = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  const socket: TLSSocket = tlsConnect({
    host,
    port: portOf(url),
    ALPNProtocols: [...alpn],
    rejectUnauthorized: tls.verify,
    ...(tls.context === undefined ? {} : { secureContext: tls.context }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  });
  return established(socket, 'secureConnect', signal);
}

/** Did the backend agree to HTTP/2? Without TLS it is prior knowledge: the configuration's word. */
export const agreedToH2 = (socket: Socket): boolean => (socket as TLSSocket).alpnProtocol === 'h2';

function established<S extends Socket>(
  socket: S,
  event: 'connect' | 'secureConnect',
  signal: AbortSignal,
): Promise<S> {
  return new Promise((resolve, reject) => {
    const abort = (): void => void socket.destroy(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    // Stays for the socket's life: an error without a listener would end the process.
    socket.on('error', reject);
    socket.once('close', () => {
      signal.removeEventListener('abort', abort);
      reject(new Error('connection closed'));
    });
    socket.once(event, () => resolve(socket));
    if (signal.aborted) abort();
  });
}
