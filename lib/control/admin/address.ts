// Addresses as `host:port` text, and which of them only this machine can reach.

import { BlockList, isIP } from 'node:net';

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

export interface HostPort {
  /** Without brackets; empty for every address. */
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[v6]:port` or `:port`, as the configuration's schema has checked it. */
export function splitAddress(address: string): HostPort {
  const colon = address.lastIndexOf(':');
  return { host: unbracketed(address.slice(0, colon)), port: Number(address.slice(colon + 1)) };
}

/** The host of a Host header or an origin, lower case, without port and brackets; empty when it is malformed. */
export function hostOf(authority: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/.exec(authority.toLowerCase());
  return match === null ? '' : unbracketed(match[1]!);
}

const unbracketed = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host);

/** True for 127/8, ::1 (mapped forms too) and the name localhost, which RFC 6761 ties to them. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host === 'localhost' || host.endsWith('.localhost');
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1];
  if (mapped !== undefined) return LOOPBACK.check(mapped, 'ipv4');
  return LOOPBACK.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/** An IPv4 address that came over a dual-stack socket, as IPv4. */
export const plainIp = (ip: string): string => (ip.startsWith('::ffff:') ? ip.slice(7) : ip);
