// PEM texts: do they parse, do certificate and key belong together, which names does the certificate hold?

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { messageOf } from '../core/errors.ts';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;
/** Authorities in one file; the system's own bundle has about 150. */
const MAX_CERTIFICATES = 1000;

/** What is wrong, in words that follow the file's name; `expected` is what should be there. */
export interface PemFault {
  readonly what: string;
  readonly expected: string;
}

export type Certificates =
  | { readonly certificates: readonly X509Certificate[] }
  | { readonly fault: PemFault };

const kinds = (pem: string): string[] => [...pem.matchAll(BLOCK)].map(([, kind]) => kind!);

export function readCertificates(pem: string): Certificates {
  const blocks = [...pem.matchAll(BLOCK)].filter(([, kind]) => kind === 'CERTIFICATE');
  if (blocks.length === 0) {
    const instead = kinds(pem).find(kind => kind.endsWith('PRIVATE KEY'));
    const what =
      instead === undefined ? 'holds no PEM certificate' : 'holds a private key instead of a certificate';
    return { fault: { what, expected: '-----BEGIN CERTIFICATE-----' } };
  }
  if (blocks.length > MAX_CERTIFICATES)
    return {
      fault: { what: `holds ${blocks.length} certificates`, expected: `at most ${MAX_CERTIFICATES}` },
    };
  const certificates: X509Certificate[] = [];
  for (const [index, [block]] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch (thrown) {
      const what = `certificate ${index + 1} of ${blocks.length} cannot be read (${messageOf(thrown)})`;
      return { fault: { what, expected: 'an X.509 certificate in PEM' } };
    }
  }
  return { certificates };
}

export function keyFault(pem: string): PemFault | undefined {
  const found = kinds(pem);
  const expected = 'a private key without passphrase, in PEM';
  if (!found.some(kind => kind.endsWith('PRIVATE KEY'))) {
    const what = found.includes('CERTIFICATE')
      ? 'holds a certificate instead of a private key'
      : 'holds no PEM private key';
    return { what, expected };
  }
  if (found.includes('ENCRYPTED PRIVATE KEY') || /^Proc-Type: 4,ENCRYPTED/m.test(pem))
    return { what: 'the private key is encrypted', expected };
  try {
    createPrivateKey(pem);
    return undefined;
  } catch (thrown) {
    return { what: `the private key cannot be read (${messageOf(thrown)})`, expected };
  }
}

/** Both must have been read without fault. */
export const belongTogether = (leaf: X509Certificate, keyPem: string): boolean =>
  leaf.checkPrivateKey(createPrivateKey(keyPem));

/** DNS names and addresses of the subject alternative names, lower case, wildcards as `*.example.org`; the common name when there are none. */
export function certificateNames(leaf: X509Certificate): readonly string[] {
  const names = [...(leaf.subjectAltName ?? '').matchAll(/(?:DNS|IP Address):("[^"]*"|[^,]+)/g)].map(
    ([, name]) => name!,
  );
  if (names.length === 0) names.push(...[/^CN=(.+)$/m.exec(leaf.subject)?.[1] ?? []].flat());
  return [...new Set(names.map(name => name.replaceAll('"', '').trim().toLowerCase()))];
}
