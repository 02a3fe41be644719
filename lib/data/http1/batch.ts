// Small writes of one turn of the event loop leave together, when all that was read in it has been worked on.
//
// A write that finds its reader asleep wakes it, and waking is the dearest part of a small write. One after the other, with
// work in between, each finds its reader asleep again; back to back the first alone does.

import type { Socket } from 'node:net';

/** More would only make the first wait. */
const MAX_HELD = 64;

const held: Socket[] = [];

/** What is written to the socket from here on leaves at the end of the turn. */
export function hold(socket: Socket): void {
  if (socket.writableCorked > 0) return;
  socket.cork();
  held.push(socket);
  if (held.length === 1) setImmediate(letGo);
  else if (held.length > MAX_HELD) letGo();
}

function letGo(): void {
  for (const socket of held.splice(0)) socket.uncork();
}
