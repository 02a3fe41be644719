// Small writes of one turn of the event loop leave together, when all that was read in it has been worked on.
//
// A write that finds its reader asleep wakes it, and waking is the dearest part of a small write. One after the other, with
// work in between, each finds its reader asleep again; back to back the first alone does.

import type { Socket } from 'node:net';
import { isLent, owned } from '../lent.ts';
import { COALESCE_BYTES, joined } from './codec/write.ts';

const NOTHING: Buffer = Buffer.alloc(0);
/** Other heads are longer. */
const SCRATCH_SLACK_BYTES = 1024;
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
  if (piece.length <= COALESCE_BYTES)
    return socket.write(before === '' ? owned(piece) : joined(before, piece, behind));
  if (isLent(piece)) return writeLent(socket, before, piece, behind);
  if (before === '') return socket.write(piece);
  socket.cork();
  socket.write(before, 'latin1');
  let room = socket.write(piece);
  if (behind !== '') room = socket.write(behind, 'latin1');
  socket.uncork();
  return room;
}

/** What is large and lent is written from here, where it may stay until the kernel has taken it: mostly that is at once. */
let scratch = NOTHING;

function writeLent(socket: Socket, before: string, piece: Uint8Array, behind: string): boolean {
  const bytes = before.length + piece.length + behind.length;
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes + SCRATCH_SLACK_BYTES);
  scratch.write(before, 0, 'latin1');
  scratch.set(piece, before.length);
  scratch.write(behind, before.length + piece.length, 'latin1');
  const room = socket.write(scratch.subarray(0, bytes));
  if (socket.writableLength > 0) scratch = NOTHING;
  return room;
}
