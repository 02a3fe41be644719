// A certificate with its key: fit to be served or not, its names and its dates. Pure: text in, verdict out.

import { belongTogether, certificateNames, keyFault, readCertificates } from '../../config/pem.ts';
import type { CertificateEntry } from '../../orders/snapshot.ts';

/** Certificates that live a few days are renewed in their last third; those that live long, in their last two weeks. */
const EXPIRY_WARNING_MS = 14 * 86_400_000;
const BEGIN = '-----BEGIN CERTIFICATE-----';
const END = '-----END CERTIFICATE-----';

export interface CheckedCertificate {
  readonly entry: CertificateEntry;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Throws an Error whose message says what is wrong, in words that follow the file's name. */
export function checkCertificate(cert: string, key: string): CheckedCertificate {
  const [leaf] = parseChain(cert);
  const fault = keyFault(key);
  if (fault !== undefined) throw new Error(`${fault.what}; expected ${fault.expected}`);
  if (!belongTogether(leaf!, key)) throw new Error('the key is not the key of the certificate');
  return {
    entry: { cert, key, names: certificateNames(leaf!) },
    notBeforeMs: Date.parse(leaf!.validFrom),
    notAfterMs: Date.parse(leaf!.validTo),
  };
}

/** All certificates of the text, at least one; throws as above. A block that is begun and not ended is a file half-written. */
export function parseChain(pem: string) {
  const read = readCertificates(pem);
  if ('fault' in read) throw new Error(`${read.fault.what}; expected ${read.fault.expected}`);
  if (pem.split(BEGIN).length !== pem.split(END).length) throw new Error('a certificate in it is incomplete');
  return read.certificates;
}

/** What an operator should know about the dates; undefined when all is well. */
export function validityWarning(certificate: CheckedCertificate, nowMs: number): string | undefined {
  const { notBeforeMs, notAfterMs } = certificate;
  if (nowMs < notBeforeMs) return `is not valid before ${new Date(notBeforeMs).toISOString()}`;
  if (nowMs > notAfterMs) return `expired at ${new Date(notAfterMs).toISOString()}`;
  const soon = Math.min(EXPIRY_WARNING_MS, (notAfterMs - notBeforeMs) / 3);
  return nowMs > notAfterMs - soon ? `expires at ${new Date(notAfterMs).toISOString()}` : undefined;
}
