// The ticket that opens one connection of a lease: signed, good once and for half a minute, so that a log that holds it holds nothing.
//
//   base64url of: key id, nonce, session, cluster, route, backend, expiry, from, epoch, a line each  .  HMAC-SHA256, first 16 bytes
//
// Whoever takes it looks nothing up; that it is taken once is the business of the table that all workers share.

import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { SigningKey } from './token.ts';

/** Query parameter that carries it: a page can set neither header nor cookie for a WebSocket. */
export const TICKET_PARAMETER = 'leaseway_ticket';

export interface Ticket {
  /** 16 hex digits, random. */
  readonly nonce: string;
  /** Id of the lease. */
  readonly session: string;
  readonly cluster: string;
  readonly route: string;
  /** Where the connection is to go, while that takes it. */
  readonly backend: string;
  /** Unix ms. */
  readonly expiresMs: number;
  /** Backend that the session comes from, and its generation; empty and 0 when it comes from none. */
  readonly from: string;
  readonly epoch: number;
}

export type TicketRejection = 'forged' | 'lapsed';

const MAC_BYTES = 16;
const MAX_CHARS = 2_048;
const LINES = 9;

/** Signs with the first key, verifies with all. */
export class Tickets {
  readonly #keys = new Map<string, KeyObject>();
  readonly #signer: { readonly id: string; readonly key: KeyObject };

  constructor(keys: readonly SigningKey[]) {
    for (const { id, secret } of keys) {
      const derived = createHmac('sha256', secret).update('leaseway ticket 1').digest();
      if (!this.#keys.has(id)) this.#keys.set(id, createSecretKey(derived));
    }
    const { id } = keys[0]!;
    this.#signer = { id, key: this.#keys.get(id)! };
  }

  sign({ nonce, session, cluster, route, backend, expiresMs, from, epoch }: Ticket): string {
    const lines = [this.#signer.id, nonce, session, cluster, route, backend, expiresMs, from, epoch];
    const said = Buffer.from(lines.join('\n')).toString('base64url');
    return `${said}.${mac(this.#signer.key, said).toString('base64url')}`;
  }

  verify(text: string, wallMs: number): Ticket | TicketRejection {
    const dot = text.indexOf('.');
    if (dot < 0 || text.length > MAX_CHARS) return 'forged';
    const said = text.slice(0, dot);
    const lines = Buffer.from(said, 'base64url').toString().split('\n');
    const key = this.#keys.get(lines[0]!);
    const given = Buffer.from(text.slice(dot + 1), 'base64url');
    if (key === undefined || lines.length !== LINES || given.length !== MAC_BYTES) return 'forged';
    // Node decodes leniently; a second spelling is not our ticket.
    if (given.toString('base64url') !== text.slice(dot + 1)) return 'forged';
    if (!timingSafeEqual(given, mac(key, said))) return 'forged';
    const [, nonce, session, cluster, route, backend, expires, from, epoch] = lines as [string, ...string[]];
    const expiresMs = Number(expires);
    if (expiresMs <= wallMs) return 'lapsed';
    return {
      ...{ nonce: nonce!, session: session!, cluster: cluster!, route: route!, backend: backend! },
      ...{ expiresMs, from: from!, epoch: Number(epoch) },
    };
  }
}

const mac = (key: KeyObject, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest().subarray(0, MAC_BYTES);
