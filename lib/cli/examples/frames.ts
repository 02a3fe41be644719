// WebSocket frames as a server reads and writes them (RFC 6455, section 5), and its half of the handshake: written out here, so that the
// example backends need no package that the proxy does not.

import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const PROTOCOL_ERROR = 1002;
const TOO_BIG = 1009;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;
export const NOT_FOUND = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** The answer to a handshake with this Sec-WebSocket-Key; `fields` are whole lines. */
export function switchingAnswer(key: string, fields = ''): string {
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${fields}\r\n`;
}

/** The first frame of a client; null when it is not whole yet; a close code when it is not allowed. */
export function unmask(bytes: Buffer): { first: number; payload: Buffer; length: number } | number | null {
  if (bytes.length < 2) return null;
  const first = bytes[0]!;
  const second = bytes[1]!;
  if ((first & 0x70) !== 0 || (second & 0x80) === 0) return PROTOCOL_ERROR;
  const short = second & 0x7f;
  const extra = short === 127 ? 8 : short === 126 ? 2 : 0;
  const start = 2 + extra + 4;
  if (bytes.length < start) return null;
  const size = extra === 8 ? Number(bytes.readBigUInt64BE(2)) : extra === 2 ? bytes.readUInt16BE(2) : short;
  if (size > MAX_FRAME_BYTES) return TOO_BIG;
  if (bytes.length < start + size) return null;
  const mask = bytes.subarray(start - 4, start);
  const payload = Buffer.from(bytes.subarray(start, start + size));
  for (let i = 0; i < size; i++) payload[i]! ^= mask[i & 3]!;
  return { first, payload, length: start + size };
}

export function frame(first: number, payload: Uint8Array): Buffer {
  const size = payload.length;
  const head = Buffer.alloc(size < 126 ? 2 : size < 0x1_0000 ? 4 : 10);
  head[0] = first;
  if (size < 126) head[1] = size;
  else if (size < 0x1_0000) {
    head[1] = 126;
    head.writeUInt16BE(size, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(size), 2);
  }
  return Buffer.concat([head, payload]);
}

export function closeFrame(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(0x80 | CLOSE, payload);
}
