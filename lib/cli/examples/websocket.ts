// A WebSocket echo in a few lines.

import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSE, closeFrame, frame, NOT_FOUND, PING, PONG, switchingAnswer, TEXT, unmask } from './frames.ts';

const EMPTY = Buffer.alloc(0);

/** Answers the handshake and echoes every frame; with `?hello` it says its name first. Other paths are refused. */
export function serveWebSocket(name: string, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  socket.on('error', () => socket.destroy());
  const key = request.headers['sec-websocket-key'];
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend');
  if (pathname !== '/ws' || key === undefined) {
    socket.end(NOT_FOUND);
    return;
  }
  socket.write(switchingAnswer(key));
  if (searchParams.has('hello')) socket.write(frame(0x80 | TEXT, Buffer.from(`${name} is here`)));
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
