// Chooses the certificate for a server name and keeps one TLS context for each.

import tls, { type SecureContext } from 'node:tls';
import type { CertificateEntry, ListenerEntry } from '../../orders/snapshot.ts';

interface Loaded {
  readonly names: readonly string[];
  readonly context: SecureContext;
}

/** Immutable; a reload builds a new one. Throws when a certificate or key cannot be used. */
export class Certificates {
  readonly #loaded: readonly Loaded[];
  readonly #byName = new Map<string, Loaded>();

  constructor(entry: ListenerEntry, ticketKeys: Uint8Array) {
    const config = entry.config.tls;
    if (config === undefined || entry.certificates.length === 0)
      throw new TypeError('a TLS listener without certificate');
    this.#loaded = entry.certificates.map(certificate => ({
      names: certificate.names,
      context: tls.createSecureContext(contextOptions(entry, certificate, ticketKeys)),
    }));
    // The first that has a name keeps it.
    for (const loaded of this.#loaded)
      for (const name of loaded.names) if (!this.#byName.has(name)) this.#byName.set(name, loaded);
  }

  /** Exact name, else the wildcard over its first label (RFC 9525, section 6.3), else the first certificate. */
  choose(serverName: string): { readonly names: readonly string[]; readonly context: SecureContext } {
    const lower = serverName.toLowerCase().replace(/\.$/, '');
    const dot = lower.indexOf('.');
    const wildcard = dot > 0 ? `*${lower.slice(dot)}` : '';
    return this.#byName.get(lower) ?? this.#byName.get(wildcard) ?? this.#loaded[0]!;
  }
}

/** `ticketKeys` shared by all workers: a session resumes whichever of them the next connection meets. */
export function contextOptions(
  entry: ListenerEntry,
  certificate: CertificateEntry,
  ticketKeys: Uint8Array,
): tls.SecureContextOptions {
  const config = entry.config.tls!;
  return {
    cert: certificate.cert,
    key: certificate.key,
    minVersion: config.min_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
    honorCipherOrder: true,
    // Bound to the listener, so that a session of one never resumes on another.
    sessionIdContext: `leaseway:${entry.config.address}`.slice(0, 32),
    ...(entry.clientCa === undefined ? {} : { ca: entry.clientCa }),
    ...({ ticketKeys: Buffer.from(ticketKeys) } as object),
  };
}
