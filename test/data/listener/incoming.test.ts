// The contract of the client side, for both protocols, plain and over TLS.

import t from 'tap';
import { incomingContract } from '../../contract/incoming.ts';
import { makeAuthority } from '../../support/certs.ts';
import { http1Client } from '../../support/http1-client.ts';
import { http2Client } from '../../support/http2-client.ts';

const authority = makeAuthority();
const certificates = [authority.issue(['localhost', '127.0.0.1'])];

for (const [secure, options, ca] of [
  ['plain', {}, undefined],
  ['TLS', { certificates }, authority.ca],
] as const) {
  for (const http1 of ['node', 'native'] as const)
    incomingContract(t, {
      name: `HTTP/1.1 ${secure} by ${http1}`,
      version: '1.1',
      options: { ...options, http1 },
      connect: async port => http1Client(port, ca),
    });
  incomingContract(t, {
    name: `HTTP/2 ${secure}`,
    version: '2',
    options,
    connect: port => http2Client(port, ca),
  });
}
