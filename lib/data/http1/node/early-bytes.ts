// Between an upgrade request and its answer the socket is nobody's: this reads on, so that a client that leaves is
// noticed, and keeps the few bytes that came too early.

import type { Socket } from 'node:net';
import type { Upgrade } from './incoming.ts';

/** A client ought to wait for the 101; one that does not is stopped here until it comes. */
const MAX_EARLY_BYTES = 64 * 1024;

export function collectEarly(socket: Socket, rest: Buffer, left: () => void): Upgrade {
  let held = rest;
  const onData = (chunk: Buffer): void => {
    held = Buffer.concat([held, chunk]);
    if (held.length >= MAX_EARLY_BYTES) socket.pause();
  };
  socket.on('data', onData);
  socket.on('end', left);
  socket.resume();
  return {
    socket,
    take() {
      socket.removeListener('data', onData);
      socket.removeListener('end', left);
      socket.pause();
      return held;
    },
  };
}
