// Addresses and networks: one spelling for each address, and sets of networks that are asked whether they hold it.

import { BlockList, isIP } from 'node:net';

/** The address without zone and, when it is an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2), as IPv4. */
export function normaliseAddress(address: string): string {
  const zone = address.indexOf('%');
  const bare = zone === -1 ? address : address.slice(0, zone);
  if (bare.length > 7 && bare.slice(0, 7).toLowerCase() === '::ffff:' && isIP(bare.slice(7)) === 4)
    return bare.slice(7);
  return bare;
}

/** The leading 64 bits of an IPv6 address as text, which is what one client is given (RFC 6177); IPv4 whole. */
export function clientNetwork(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head, tail] = address.toLowerCase().split('::') as [string, string | undefined];
  const leading = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const trailing = tail === '' ? [] : tail.split(':');
    const groups = trailing.length + (tail.includes('.') ? 1 : 0);
    while (leading.length + groups < 8) leading.push('0');
    leading.push(...trailing);
  }
  return leading
    .slice(0, 4)
    .map(group => group.replace(/^0+(?=.)/, ''))
    .join(':');
}

/** An immutable set of networks, each `10.0.0.0/8`, `2001:db8::/32` or a single address. Throws on anything else. */
export class NetworkSet {
  readonly #list = new BlockList();
  readonly #empty: boolean;

  constructor(cidrs: readonly string[]) {
    this.#empty = cidrs.length === 0;
    for (const cidr of cidrs) {
      const slash = cidr.indexOf('/');
      const address = slash === -1 ? cidr : cidr.slice(0, slash);
      const plain = normaliseAddress(address);
      const version = isIP(plain);
      if (version === 0) throw new RangeError(`not a network: ${cidr}`);
      const family = version === 4 ? 'ipv4' : 'ipv6';
      const widest = version === 4 ? 32 : 128;
      // A mapped network counts its prefix from the mapped form.
      const offset = plain === address || version === 6 ? 0 : 96;
      const prefix = slash === -1 ? widest : Number(cidr.slice(slash + 1)) - offset;
      if (slash === cidr.length - 1 || !Number.isInteger(prefix) || prefix < 0 || prefix > widest)
        throw new RangeError(`not a network: ${cidr}`);
      this.#list.addSubnet(plain, prefix, family);
    }
  }

  /** False for what is not an address. */
  has(address: string): boolean {
    if (this.#empty) return false;
    const plain = normaliseAddress(address);
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
  }
}
