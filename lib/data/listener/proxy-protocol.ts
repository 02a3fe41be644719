// PROXY protocol, versions 1 and 2, as HAProxy's proxy-protocol.txt (2020/03/05) defines them: who the client really is.

import { isIPv4, isIPv6 } from 'node:net';
import { normaliseAddress } from '../../core/cidr.ts';
import { crc32c } from './crc32c.ts';
import { MORE, type Verdict } from './peek.ts';

/** Null for LOCAL and UNKNOWN: the connection is the peer's own (a health check), its address counts. */
export type ProxiedClient = {
  readonly address: string;
  readonly port: number;
  readonly localPort: number;
} | null;

/** Version 1: 107 bytes. Version 2: 16 and as many as its length says; this leaves room for sizeable TLVs. */
export const PROXY_HEADER_MAX_BYTES = 4096;
const V1_MAX_BYTES = 107;
const V2_SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');
const V1_SIGNATURE = Buffer.from('PROXY ', 'latin1');
const TLV_CRC32C = 0x03;

const bad = (detail: string): Verdict<never> => ({ kind: 'bad', detail: `PROXY protocol: ${detail}` });
const startsLike = (bytes: Buffer, signature: Buffer): boolean => {
  const seen = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, seen, 0, seen) === 0;
};

/** Parses the header at the front of `bytes`; anything else is bad, never guessed at. */
export function parseProxyHeader(bytes: Buffer): Verdict<ProxiedClient> {
  if (startsLike(bytes, V2_SIGNATURE)) return bytes.length < 16 ? MORE : parseV2(bytes);
  if (startsLike(bytes, V1_SIGNATURE)) return parseV1(bytes);
  return bad('the connection does not begin with a PROXY header');
}

function parseV1(bytes: Buffer): Verdict<ProxiedClient> {
  const end = bytes.indexOf('\r\n');
  if (end === -1) return bytes.length >= V1_MAX_BYTES ? bad('version 1 line longer than 107 bytes') : MORE;
  if (end + 2 > V1_MAX_BYTES) return bad('version 1 line longer than 107 bytes');
  const [, family, source, target, sourcePort, targetPort, ...rest] = bytes
    .toString('latin1', 0, end)
    .split(' ');
  if (family === 'UNKNOWN') return { kind: 'done', value: null, used: end + 2 };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : null;
  if (isAddress === null || rest.length > 0) return bad('malformed version 1 line');
  if (!isAddress(source ?? '') || !isAddress(target ?? '')) return bad('malformed address');
  const port = portOf(sourcePort);
  const localPort = portOf(targetPort);
  if (port === -1 || localPort === -1) return bad('malformed port');
  return { kind: 'done', value: { address: normaliseAddress(source!), port, localPort }, used: end + 2 };
}

const portOf = (text: string | undefined): number =>
  text !== undefined && /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65535 ? Number(text) : -1;

function parseV2(bytes: Buffer): Verdict<ProxiedClient> {
  const command = bytes[12]!;
  const family = bytes[13]!;
  const used = 16 + bytes.readUInt16BE(14);
  if (command >> 4 !== 2) return bad('unknown version');
  if (used > PROXY_HEADER_MAX_BYTES)
    return bad(`version 2 header longer than ${PROXY_HEADER_MAX_BYTES} bytes`);
  if (bytes.length < used) return MORE;
  const header = bytes.subarray(0, used);
  if ((command & 0xf) === 0) return { kind: 'done', value: null, used };
  if ((command & 0xf) !== 1) return bad('unknown command');
  // Only TCP; UNSPEC is the peer's own, as the specification asks.
  if (family === 0x00) return { kind: 'done', value: null, used };
  if (family !== 0x11 && family !== 0x21) return bad('neither TCP over IPv4 nor over IPv6');
  const size = family === 0x11 ? 4 : 16;
  if (used < 16 + 2 * size + 4) return bad('address block too short');
  const fault = tlvFault(header, 16 + 2 * size + 4);
  if (fault !== '') return bad(fault);
  const address = size === 4 ? header.subarray(16, 20).join('.') : ipv6Text(header.subarray(16, 32));
  const port = header.readUInt16BE(16 + 2 * size);
  const localPort = header.readUInt16BE(18 + 2 * size);
  return { kind: 'done', value: { address, port, localPort }, used };
}

/** TLVs are skipped, but they must add up, and a checksum that is there must be right. */
function tlvFault(header: Buffer, from: number): string {
  let at = from;
  while (at < header.length) {
    if (at + 3 > header.length) return 'TLV cut short';
    const length = header.readUInt16BE(at + 1);
    const end = at + 3 + length;
    if (end > header.length) return 'TLV cut short';
    if (header[at] === TLV_CRC32C) {
      if (length !== 4) return 'malformed checksum';
      const zeroed = Buffer.from(header);
      zeroed.fill(0, at + 3, end);
      if (crc32c(zeroed) !== header.readUInt32BE(at + 3)) return 'wrong checksum';
    }
    at = end;
  }
  return '';
}

/** As RFC 5952 writes it; IPv4-mapped as IPv4. */
function ipv6Text(bytes: Buffer): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(bytes.readUInt16BE(i).toString(16));
  if (groups.slice(0, 5).every(group => group === '0') && groups[5] === 'ffff')
    return bytes.subarray(12).join('.');
  let best = { start: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (groups[i + length] === '0') length++;
    if (length > best.length) best = { start: i, length };
  }
  if (best.start === -1) return groups.join(':');
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`;
}
