// Closing so that the last answer arrives: a socket closed with unread bytes resets, and a reset destroys what the peer
// has not read yet (RFC 9112, section 9.6). So: say FIN, read and throw away for a while, then close.

import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

const LINGER_MS = 2000;
const LINGER_BYTES = 1024 * 1024;

/** Takes the socket over from whoever read it. Past the bytes it stops reading, so a client that floods gains nothing. */
export function lingeringClose(
  socket: Socket,
  clock: Clock,
  destroy: () => void = () => socket.destroy(),
): void {
  if (socket.destroyed) return;
  socket.removeAllListeners('data');
  socket.removeAllListeners('readable');
  socket.removeAllListeners('end');
  const timer = clock.after(LINGER_MS, destroy);
  socket.once('close', () => timer[Symbol.dispose]());
  let left = LINGER_BYTES;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) socket.pause();
  });
  socket.once('end', () => {
    if (socket.writableFinished) destroy();
    else socket.once('finish', destroy);
  });
  socket.end();
  if (socket.readableEnded) socket.once('finish', destroy);
  socket.resume();
}
