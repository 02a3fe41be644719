// The fields that decide where a message ends, whom it is for and what becomes of its connection, gathered in one pass.

import { type Fields, nameIs } from '../../../core/fields.ts';
import { isAuthority } from '../../listener/syntax.ts';

/** Digits without a leading zero, small enough to be exact in a double. */
const LENGTH = /^(0|[1-9]\d{0,14})$/;

export class Framing {
  hosts = 0;
  host = '';
  lengths = 0;
  length = '';
  codings = 0;
  coding = '';
  expects = 0;
  expect = '';
  /** `Connection` has this option. */
  close = false;
  keepAlive = false;
  upgrade = false;
  /** Keep-Alive, as it was sent. */
  keepAliveHint = '';
  /** All values of Upgrade, in lower case. */
  protocols = '';
  /** Names and values, each field counted with four more. */
  bytes = 0;
  #hostFault: string | null = null;

  constructor(fields: Fields) {
    for (let i = 0; i < fields.length; i += 2) {
      const name = fields[i]!;
      const value = fields[i + 1]!;
      this.bytes += name.length + value.length + 4;
      // By length first: most fields are none of these.
      switch (name.length) {
        case 4:
          if (nameIs(name, 'host')) {
            this.hosts += 1;
            this.host = value;
          }
          break;
        case 6:
          if (nameIs(name, 'expect')) {
            this.expects += 1;
            this.expect = value;
          }
          break;
        case 7:
          if (nameIs(name, 'upgrade')) this.protocols += `${this.protocols && ','}${value.toLowerCase()}`;
          break;
        case 10:
          if (nameIs(name, 'connection')) this.#options(value.toLowerCase());
          else if (nameIs(name, 'keep-alive')) this.keepAliveHint = value;
          break;
        case 14:
          if (nameIs(name, 'content-length')) {
            this.lengths += 1;
            this.length = value;
          }
          break;
        case 17:
          if (nameIs(name, 'transfer-encoding')) {
            this.codings += 1;
            this.coding = value;
          }
      }
    }
  }

  /** Why the request is for nobody in particular, or empty (RFC 9112, section 3.2). */
  hostFault(modern: boolean): string {
    if (this.hosts === 0) return modern ? 'no Host' : '';
    this.#hostFault ??=
      this.hosts > 1 ? 'more than one Host' : isAuthority(this.host) ? '' : 'Host is not host[:port]';
    return this.#hostFault;
  }

  /** Why it is not clear where the message ends, or empty (RFC 9112, sections 6.1 to 6.3, on the strict side). */
  bodyFault(modern: boolean): string {
    if (this.codings > 0) {
      if (this.lengths > 0) return 'both Transfer-Encoding and Content-Length';
      if (!modern) return 'Transfer-Encoding in HTTP/1.0';
      if (this.codings > 1 || this.coding.toLowerCase() !== 'chunked')
        return 'Transfer-Encoding is not chunked';
    }
    if (this.lengths > 1) return 'more than one Content-Length';
    return this.lengths === 1 && !LENGTH.test(this.length) ? 'Content-Length is not a plain number' : '';
  }

  /** Of a message without a fault: 0 or more by Content-Length, -1 chunked, -2 when nothing is said. */
  get bodyLength(): number {
    if (this.codings > 0) return -1;
    return this.lengths > 0 ? Number(this.length) : -2;
  }

  #options(value: string): void {
    if (value === 'keep-alive') this.keepAlive = true;
    else if (value === 'close') this.close = true;
    else
      for (const option of value.split(',')) {
        const token = option.trim();
        if (token === 'close') this.close = true;
        else if (token === 'keep-alive') this.keepAlive = true;
        else if (token === 'upgrade') this.upgrade = true;
      }
  }
}
