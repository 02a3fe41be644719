// What every Upstream must do, whatever it speaks: one suite for HTTP/1.1 and HTTP/2, in clear and over TLS.

import type { Wire } from '../support/backends.ts';
import { exchangeContract } from './upstream-exchange.ts';
import { resourceContract } from './upstream-resources.ts';

export function upstreamContract(name: string, wire: Wire): void {
  exchangeContract(name, wire);
  resourceContract(name, wire);
}
