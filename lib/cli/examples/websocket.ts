// A WebSocket echo in a few lines (RFC 6455), so that the example backends need no package that the proxy does not.

import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;
const PROTOCOL_ERROR = 1002;
const TOO_BIG = 1009;

/** Answers the handshake and echoes every frame; with `?hello` it says its name first. Other paths are refused. */
export function serveWebSocket(name: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => socket.destroy());
  const key = request.headers['sec-websocket-key'];
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend');
  if (pathname !== '/ws' || key === undefined) {
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  if (searchParams.has('hello')) socket.write(frame(0x81, Buffer.from(`${name} is here`)));
  let pending = head;
  const read = (): void => {
    pending = echo(pending, socket);
  };
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    read();
  });
  socket.on('drain', () => socket.resume());
  socket.on('end', () => socket.end());
  read();
}

/** Echoes every whole frame in `bytes` and returns what is left. Fragments keep their flags, so messages stay whole. */
function echo(bytes: Buffer, socket: Duplex): Buffer {
  let rest = bytes;
  for (let next = unmask(rest); next !== null && socket.writable; next = unmask(rest)) {
    if (typeof next === 'number') {
      socket.end(closeFrame(next));
      return EMPTY;
    }
    rest = rest.subarray(next.length);
    const opcode = next.first & 0x0f;
    if (opcode === CLOSE) {
      socket.end(frame(0x80 | CLOSE, next.payload.subarray(0, 2)));
      return EMPTY;
    }
    if (opcode === PONG) continue;
    const first = opcode === PING ? 0x80 | PONG : next.first;
    // A client that sends but does not read must not fill our memory.
    if (!socket.write(frame(first, next.payload))) socket.pause();
  }
  return rest;
}

const EMPTY = Buffer.alloc(0);

/** The first frame of a client; null when it is not whole yet; a close code when it is not allowed. */
function unmask(bytes: Buffer): { first: number; payload: Buffer; length: number } | number | null {
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

function frame(first: number, payload: Buffer): Buffer {
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

function closeFrame(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return frame(0x80 | CLOSE, payload);
}
