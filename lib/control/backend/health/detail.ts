// What went wrong with a check, in an operator's words.

import { messageOf } from '../../../core/errors.ts';

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EPIPE: 'connection reset',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  EADDRNOTAVAIL: 'no local address to connect from',
  EMFILE: 'the proxy is out of file descriptors',
  ENOTFOUND: 'host not found',
  EAI_AGAIN: 'host name look-up failed',
  ETIMEDOUT: 'connection timed out',
  ERR_HTTP2_ERROR: 'not valid HTTP/2',
  ERR_HTTP2_SESSION_ERROR: 'not valid HTTP/2',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate chain is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate is of an unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'certificate is for another name',
};

/** A check that was answered, but not well; its message is the detail. */
export class CheckFailure extends Error {}

export function describeFailure(error: unknown): string {
  if (error instanceof CheckFailure) return error.message;
  // Several addresses were tried (IPv6 and IPv4): the first refusal says enough.
  const first = error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
  const code = (first as NodeJS.ErrnoException).code ?? '';
  if (code.startsWith('HPE_')) return `not valid HTTP: ${messageOf(first)}`;
  if (code.startsWith('ERR_SSL_')) return `TLS handshake failed: ${messageOf(first)}`;
  return WORDS[code] ?? messageOf(first);
}
