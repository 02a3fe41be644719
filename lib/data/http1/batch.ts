// Small writes of one turn of the event loop leave together, when all that was read in it has been worked on.
//
// A write that finds its reader asleep wakes it, and waking is the dearest part of a small write. One after the other, with
// work in between, each finds its reader asleep again; back to back the first alone does.

import type { Socket } from 'node:net';
import { COALESCE_BYTES, joined } from './codec/write.ts';

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

/** A piece of a body with the lines around it, in one write of the kernel; false when the socket has enough for now. */
export function writeFramed(socket: Socket, before: string, piece: Uint8Array, behind: string): boolean {
  if (before === '') return socket.write(piece);
  if (piece.length <= COALESCE_BYTES) return socket.write(joined(before, piece, behind));
  socket.cork();
  socket.write(before, 'latin1');
  let room = socket.write(piece);
  if (behind !== '') room = socket.write(behind, 'latin1');
  socket.uncork();
  return room;
}
