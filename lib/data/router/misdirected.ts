// Is a host served on this TLS connection? HTTP/2 clients reuse connections for other names (RFC 9110, section 7.4).

import type { ClientTls } from '../ports.ts';

/**
 * False means 421 (Misdirected Request, RFC 9110, section 15.5.20): the host is neither the name the client asked for by SNI
 * nor covered by the certificate it was shown. `host` is in normal form; without TLS, or without Host, there is nothing to compare.
 */
export function servedOn(host: string, tls: ClientTls | null): boolean {
  if (tls === null || host === '' || host === tls.serverName) return true;
  const bare = host.charCodeAt(0) === 0x5b ? host.slice(1, -1) : host;
  // SNI cannot carry an address (RFC 6066, section 3), so a client that came by address has said all it could.
  if (tls.serverName === '' && isAddress(bare)) return true;
  const dot = bare.indexOf('.');
  for (const name of tls.certificateNames) {
    if (name === bare) return true;
    // The star of a certificate stands for one whole label (RFC 9525, section 6.3).
    if (
      dot > 0 &&
      name.startsWith('*.') &&
      name.length === bare.length - dot + 1 &&
      name.endsWith(bare.slice(dot))
    )
      return true;
  }
  return false;
}

const isAddress = (host: string): boolean => host.includes(':') || /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host);
