// Writes HTTP/2 frames as bytes, right or wrong, and reads the frames that come back.

import type { RawClient } from './raw-client.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  rst: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const;
export const Code = { none: 0, protocol: 1, internal: 2, flow: 3, refused: 7, cancel: 8, calm: 11 } as const;

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const integer = (value: number): Buffer => {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  bytes.push(rest);
  return Buffer.from(bytes);
};
const text = (value: string): Buffer => Buffer.concat([integer(value.length), Buffer.from(value, 'latin1')]);

/** HPACK without compression: every field a literal that is not indexed (RFC 7541, section 6.2.2). */
export function block(fields: readonly string[]): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < fields.length; i += 2)
    parts.push(Buffer.from([0]), text(fields[i]!), text(fields[i + 1]!));
  return Buffer.concat(parts);
}

export const GET: readonly string[] = [':method', 'GET', ':scheme', 'http', ':path', '/', ':authority', 'a'];
export const POST: readonly string[] = [
  ':method',
  'POST',
  ':scheme',
  'http',
  ':path',
  '/',
  ':authority',
  'a',
];

export const headers = (stream: number, fields: readonly string[], flags: number = Flag.endStream): Buffer =>
  frame(Type.headers, flags | Flag.endHeaders, stream, block(fields));

export const uint32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => void bytes.writeUInt32BE(value, i * 4));
  return bytes;
};

export const setting = (id: number, value: number): Buffer => {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt32BE(value, 2);
  return bytes;
};

export const rst = (stream: number, code: number): Buffer => frame(Type.rst, 0, stream, uint32(code));
/** Preface and SETTINGS; no header table for the answers, so that each block stands for itself. */
export const greeting = Buffer.concat([PREFACE, frame(Type.settings, 0, 0, setting(1, 0))]);

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** All whole frames received so far. */
function framesOf(client: RawClient): Frame[] {
  const bytes = client.received;
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length; ) {
    const length = bytes.readUIntBE(at, 3);
    if (at + 9 + length > bytes.length) break;
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({
      type: bytes[at + 3]!,
      flags: bytes[at + 4]!,
      stream: bytes.readUInt32BE(at + 5) & 0x7fffffff,
      payload,
    });
    at += 9 + length;
  }
  return frames;
}

/** Error code of the last GOAWAY, or -1. */
export function goawayOf(client: RawClient): number {
  const found = framesOf(client).findLast(one => one.type === Type.goaway);
  return found === undefined ? -1 : found.payload.readUInt32BE(4);
}

/** Error code of the RST_STREAM on this stream, or -1. */
export function rstOf(client: RawClient, stream: number): number {
  const found = framesOf(client).find(one => one.type === Type.rst && one.stream === stream);
  return found === undefined ? -1 : found.payload.readUInt32BE(0);
}

/** The status of the stream's answer: an indexed or a literal field with the static name `:status`; 0 when there is none. */
export function h2StatusOf(client: RawClient, stream: number): number {
  const found = framesOf(client).find(one => one.type === Type.headers && one.stream === stream);
  if (found === undefined) return 0;
  // The table's new size may stand in front (RFC 7541, section 6.3).
  const from = found.payload.findIndex(byte => (byte & 0xe0) !== 0x20);
  const payload = found.payload.subarray(from);
  const first = payload[0]!;
  const known: Record<number, number> = {
    136: 200,
    137: 204,
    138: 206,
    139: 304,
    140: 400,
    141: 404,
    142: 500,
  };
  if (known[first] !== undefined) return known[first];
  const length = payload[1]! & 0x7f;
  const value = payload.subarray(2, 2 + length);
  // Three digits are shorter in Huffman's code (RFC 7541, appendix B): 5 bits for 0 to 2, 6 for the others.
  return (payload[1]! & 0x80) === 0 ? Number(value.toString('latin1')) : huffmanDigits(value);
}

function huffmanDigits(bytes: Buffer): number {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  for (let at = 0; digits.length < 3; ) {
    const short = Number.parseInt(bits.slice(at, at + 5), 2);
    if (short < 3) {
      digits += short;
      at += 5;
    } else {
      digits += Number.parseInt(bits.slice(at, at + 6), 2) - 0b011001 + 3;
      at += 6;
    }
  }
  return Number(digits);
}
