// TLS of the admin API: certificates by name, client certificates, all exchangeable while it listens.

import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls';

export interface AdminTls {
  /** Names in lower case, wildcards as `*.example.org`; the first certificate answers names that none has. */
  readonly certificates: readonly {
    readonly cert: string;
    readonly key: string;
    readonly names: readonly string[];
  }[];
  /** PEM text; with it, clients are asked for a certificate. */
  readonly clientCa?: string | undefined;
  /** Connections without a verified certificate are closed. */
  readonly clientRequired: boolean;
  readonly minVersion: '1.2' | '1.3';
  readonly handshakeTimeoutMs: number;
}

/** Options of node:https; `current` is asked at each handshake, so that new certificates need no new server. */
export function tlsOptions(tls: AdminTls, current: () => AdminContexts): TlsOptions {
  return {
    ...contextOptions(tls, 0),
    requestCert: tls.clientCa !== undefined,
    rejectUnauthorized: tls.clientRequired,
    handshakeTimeout: tls.handshakeTimeoutMs,
    SNICallback: (name, done) => done(null, current().for(name)),
  };
}

export const contextOptions = (tls: AdminTls, index: number) => ({
  cert: tls.certificates[index]!.cert,
  key: tls.certificates[index]!.key,
  ...(tls.clientCa !== undefined && { ca: tls.clientCa }),
  minVersion: `TLSv${tls.minVersion}` as const,
});

/** The certificates of one configuration, ready to use. Throws when a PEM text is not valid. */
export class AdminContexts {
  readonly #contexts: readonly { readonly names: readonly string[]; readonly context: SecureContext }[];

  constructor(tls: AdminTls) {
    this.#contexts = tls.certificates.map(({ names }, i) => ({
      names,
      context: createSecureContext(contextOptions(tls, i)),
    }));
  }

  for(name: string): SecureContext {
    const wanted = name.toLowerCase();
    const entry = this.#contexts.find(({ names }) => names.some(pattern => covers(pattern, wanted)));
    return (entry ?? this.#contexts[0]!).context;
  }

  certifies(name: string): boolean {
    return this.#contexts.some(({ names }) => names.some(pattern => covers(pattern, name)));
  }
}

/** A wildcard stands for exactly one label (RFC 6125). */
const covers = (pattern: string, name: string): boolean =>
  pattern.startsWith('*.')
    ? name.slice(name.indexOf('.')) === pattern.slice(1) && name.includes('.')
    : pattern === name;
