// What is read from PEM files: names, faults, and whether certificate and key belong together.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { belongTogether, certificateNames, keyFault, readCertificates } from '../../lib/config/pem.ts';

const pem = (name: string): string => readFileSync(join(import.meta.dirname, 'pem', name), 'utf8');

t.test('a chain is read in order and the first certificate gives the names', async t => {
  const read = readCertificates(`${pem('example.crt')}${pem('ca.crt')}`);
  if ('fault' in read) return t.fail(read.fault.what);
  t.equal(read.certificates.length, 2);
  t.same(certificateNames(read.certificates[0]!), ['example.org', '*.example.org', '127.0.0.1']);
  t.ok(belongTogether(read.certificates[0]!, pem('example.key')));
  t.notOk(belongTogether(read.certificates[0]!, pem('other.key')));
});

t.test('faults are named', async t => {
  t.match(readCertificates(''), { fault: { what: 'holds no PEM certificate' } });
  t.match(readCertificates(pem('ca.key')), { fault: { what: /private key instead/ } });
  const spoilt = pem('ca.crt').replace(/\n[A-Za-z0-9+/]{8}/, '\nAAAAAAAA');
  t.match(readCertificates(pem('ca.crt') + spoilt), {
    fault: { what: /^certificate 2 of 2 cannot be read/ },
  });
  t.equal(keyFault(pem('ca.key')), undefined);
  t.match(keyFault(pem('encrypted.key')), { what: 'the private key is encrypted' });
  t.match(keyFault(pem('ca.crt')), { what: /certificate instead/ });
  t.match(keyFault('-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----'), {
    what: /cannot be read/,
  });
});
