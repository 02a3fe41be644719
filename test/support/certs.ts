// Certificates made with openssl into a temporary folder, once for each test process that asks.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateEntry } from '../../lib/orders/snapshot.ts';

export interface Authority {
  readonly ca: string;
  /** A certificate for these names (IP addresses too), signed by this authority. */
  issue(names: readonly string[]): CertificateEntry;
}

export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'leaseway-certs-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const at = (name: string): string => join(folder, name);
  const openssl = (...args: string[]): void => {
    try {
      execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw new Error('these tests need the openssl command (Debian: apt-get install openssl)');
      throw error;
    }
  };
  const key = (path: string): void =>
    openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', path);
  key(at('ca.key'));
  openssl(
    'req',
    '-x509',
    '-new',
    '-key',
    at('ca.key'),
    '-out',
    at('ca.pem'),
    '-days',
    '2',
    '-subj',
    '/CN=test authority',
  );
  let serial = 0;
  return {
    ca: readFileSync(at('ca.pem'), 'utf8'),
    issue(names) {
      serial += 1;
      const base = at(`leaf${serial}`);
      key(`${base}.key`);
      const alternatives = names
        .map(name => (/^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`))
        .join(',');
      writeFileSync(`${base}.ext`, `subjectAltName=${alternatives}\n`);
      openssl('req', '-new', '-key', `${base}.key`, '-out', `${base}.csr`, '-subj', `/CN=${names[0]}`);
      openssl(
        ...['x509', '-req', '-in', `${base}.csr`, '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
        ...['-set_serial', String(serial), '-days', '2', '-out', `${base}.pem`, '-extfile', `${base}.ext`],
      );
      return {
        cert: readFileSync(`${base}.pem`, 'utf8'),
        key: readFileSync(`${base}.key`, 'utf8'),
        names: names.map(name => name.toLowerCase()),
      };
    },
  };
}
