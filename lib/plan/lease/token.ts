// The lease token: a session lease, signed, small enough for a cookie, honoured by every proxy that holds the key.
//
//   1        4       8   1     6        6           1+n      1+n    1+n      16
//   version  key id  id  type  expires  generation  cluster  route  backend  AMAC-SHA256, first 16 bytes
//
// base64url without padding (RFC 4648, section 5), canonical: one lease and key have one token.
//
// The MAC is AMAC (Bellare, Bernstein and Tessaro, Hash-Function based PRFs: AMAC and its Multi-User Security, Eurocrypt 2016; Ed25519
// uses the same construction): SHA-256 over a block of key and the message, of which half is told. What HMAC's second hash is for, that nobody
// can go on hashing from what was told, the half that is kept back does: it is 128 bits of the state. One hash in place of two
// is half of what a token costs that was not seen before. Guessing one of 2^128 buys an attacker a choice of backend.

import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { SessionLease } from './lease.ts';
import { TwoGenerations } from './two-generations.ts';

/** `id` is 8 hex digits. */
export interface SigningKey {
  readonly id: string;
  readonly secret: Uint8Array;
}

export type TokenRejection = 'malformed' | 'unknown_key' | 'bad_signature';

/** 1 was signed with HMAC. */
const VERSION = 2;
const TYPE_AT = 13;
const EXPIRES_AT = 14;
const GENERATION_AT = 20;
const HEAD_BYTES = 26;
const MAC_BYTES = 16;
const MAX_NAME_BYTES = 255;
/** Of SHA-256: the key has the first for itself. */
const BLOCK_BYTES = 64;
const MAX_BYTES = HEAD_BYTES + 3 * (1 + MAX_NAME_BYTES) + MAC_BYTES;
const MAX_TOKEN_CHARS = Math.ceil((MAX_BYTES * 4) / 3); // of the longest lease there can be
const MIN_TOKEN_CHARS = Math.ceil(((HEAD_BYTES + 3 + MAC_BYTES) * 4) / 3);
const TYPES = ['dynamic', 'static'] as const;

/** Signs with the first key, verifies with all. Make a new one when the keys change: its memory goes with it. */
export class LeaseTokens {
  /** By key id as a number: a block each. */
  readonly #keys = new Map<number, Uint8Array>();
  readonly #signer: { readonly id: number; readonly key: Uint8Array };
  /** The key's block, then a token as bytes. */
  readonly #room = Buffer.alloc(BLOCK_BYTES + MAX_BYTES);
  readonly #bytes = this.#room.subarray(BLOCK_BYTES);
  readonly #verified: TwoGenerations<SessionLease>;

  /** `remembered` bounds the verified tokens that are kept, so that a repeated cookie costs a look-up. */
  constructor(keys: readonly SigningKey[], remembered = 10_000) {
    if (keys.length === 0) throw new RangeError('no key to sign leases with');
    for (const { id, secret } of keys) {
      if (!/^[0-9a-f]{8}$/.test(id)) throw new RangeError(`not a key id: ${id}`);
      const number = Number.parseInt(id, 16);
      // The secret signs other things too; what is signed here can never pass for one of them.
      const derived = createHmac('sha256', secret).update('leaseway session lease 2').digest();
      const block = new Uint8Array(BLOCK_BYTES);
      block.set(derived);
      if (!this.#keys.has(number)) this.#keys.set(number, block);
    }
    const id = Number.parseInt(keys[0]!.id, 16);
    this.#signer = { id, key: this.#keys.get(id)! };
    this.#verified = new TwoGenerations(remembered);
  }

  sign(lease: SessionLease): string {
    const names = [lease.cluster, lease.route, lease.backend].map(name => Buffer.from(name, 'utf8'));
    let length = HEAD_BYTES;
    for (const name of names) {
      if (name.length > MAX_NAME_BYTES) throw new RangeError('a name in a lease is longer than 255 bytes');
      length += 1 + name.length;
    }
    const bytes = this.#bytes;
    bytes[0] = VERSION;
    bytes.writeUInt32BE(this.#signer.id, 1);
    bytes.write(lease.id, 5, 8, 'hex');
    bytes[TYPE_AT] = TYPES.indexOf(lease.type);
    bytes.writeUIntBE(lease.expiresMs, EXPIRES_AT, 6);
    bytes.writeUIntBE(lease.generation, GENERATION_AT, 6);
    let at = HEAD_BYTES;
    for (const name of names) {
      bytes[at] = name.length;
      name.copy(bytes, at + 1);
      at += 1 + name.length;
    }
    this.#mac(this.#signer.key, length).copy(bytes, length);
    const token = bytes.toString('base64url', 0, length + MAC_BYTES);
    this.#verified.set(token, lease); // it comes back with the client's next request
    return token;
  }

  /** The lease, or why there is none. Says nothing about term, cluster or route: see `leaseFor` and `decideSession`. */
  verify(token: string): SessionLease | TokenRejection {
    return this.#verified.get(token) ?? this.#verify(token);
  }

  #verify(token: string): SessionLease | TokenRejection {
    if (token.length < MIN_TOKEN_CHARS || token.length > MAX_TOKEN_CHARS) return 'malformed';
    const bytes = this.#bytes;
    const length = bytes.write(token, 'base64url');
    if (length < HEAD_BYTES + 3 + MAC_BYTES || bytes[0] !== VERSION) return 'malformed';
    const key = this.#keys.get(bytes.readUInt32BE(1));
    if (key === undefined) return 'unknown_key';
    const end = length - MAC_BYTES;
    if (!timingSafeEqual(this.#mac(key, end), bytes.subarray(end, length))) return 'bad_signature';
    // Node decodes leniently; a second spelling of the same bytes is not our token.
    const canonical = bytes.toString('base64url', 0, length);
    if (canonical !== token) return 'malformed';
    const lease = read(bytes, end);
    if (lease === null) return 'malformed';
    // Only what is genuine is remembered, so that nobody can push others out with rubbish;
    // and under our own string, since `token` may be a slice that keeps a whole request head alive.
    this.#verified.set(canonical, lease);
    return lease;
  }

  /** Of the first `length` bytes that stand in the room. */
  #mac(key: Uint8Array, length: number): Buffer {
    this.#room.set(key);
    return hash('sha256', this.#room.subarray(0, BLOCK_BYTES + length), 'buffer').subarray(0, MAC_BYTES);
  }
}

function read(bytes: Buffer, end: number): SessionLease | null {
  const names: string[] = [];
  let at = HEAD_BYTES;
  for (let i = 0; i < 3; i++) {
    if (at >= end) return null;
    const next = at + 1 + bytes[at]!;
    if (next > end) return null;
    names.push(bytes.toString('utf8', at + 1, next));
    at = next;
  }
  const type = TYPES[bytes[TYPE_AT]!];
  if (at !== end || type === undefined) return null;
  return Object.freeze({
    id: bytes.toString('hex', 5, 13),
    cluster: names[0]!,
    route: names[1]!,
    backend: names[2]!,
    generation: bytes.readUIntBE(GENERATION_AT, 6),
    type,
    expiresMs: bytes.readUIntBE(EXPIRES_AT, 6),
  });
}

/** The lease if it holds here: of this cluster, and of this route unless it is of all. */
export const holdsOn = (lease: SessionLease, cluster: string, route: string): boolean =>
  lease.cluster === cluster && (lease.route === '' || lease.route === route);
