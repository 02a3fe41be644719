// No piece may hold DATA behind HEADERS, however the bytes arrive, and no byte may be lost.

import t from 'tap';
import { below, seededRandom } from '../../../lib/core/random.ts';
import { FrameCutter } from '../../../lib/data/http2/cutter.ts';
import { Flag, frame, GET, greeting, headers, POST, Type } from '../../support/h2-frames.ts';

const data = (bytes: number): Buffer => frame(Type.data, 0, 1, Buffer.alloc(bytes, 1));
const head = headers(1, POST, 0);

/** The pieces of these chunks. */
function piecesOf(chunks: readonly Buffer[]): Buffer[] {
  const cutter = new FrameCutter();
  return chunks.flatMap(chunk => {
    const pieces: Buffer[] = [];
    for (let from = 0; from < chunk.length; ) {
      const end = from + cutter.next(chunk.subarray(from));
      pieces.push(chunk.subarray(from, end));
      from = end;
    }
    return pieces;
  });
}

const sizes = (chunks: readonly Buffer[]): number[] => piecesOf(chunks).map(piece => piece.length);

t.test('a chunk is cut where DATA follows HEADERS, and nowhere else', async t => {
  const start = greeting.length + head.length;
  t.same(sizes([Buffer.concat([greeting, head, data(5)])]), [start, 14]);
  t.same(sizes([Buffer.concat([greeting, head, data(5), data(7), head, head, data(1)])]), [
    start,
    14 + 16 + 2 * head.length,
    10,
  ]);
  const quiet = Buffer.concat([greeting, headers(1, GET), headers(3, GET), frame(Type.ping, 0, 0), head]);
  t.same(sizes([quiet]), [quiet.length]);
  const half = headers(1, POST.slice(0, 4), 0);
  half[4] = 0;
  const rest = frame(Type.continuation, Flag.endHeaders, 1, Buffer.alloc(3));
  t.same(sizes([greeting, Buffer.concat([half, rest, data(2)])]), [
    greeting.length,
    half.length + rest.length,
    11,
  ]);
  t.same(sizes([greeting, Buffer.concat([data(2), data(0), data(3)])]), [greeting.length, 11 + 9 + 12]);
});

t.test('however the frames are split over chunks', async t => {
  const seed = Date.now() % 1_000_000;
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  let cuts = 0;
  for (let round = 0; round < 300; round++) {
    const frames = Array.from({ length: 1 + below(random, 30) }, () => {
      const type = [Type.data, Type.data, Type.headers, Type.continuation, Type.ping][below(random, 5)]!;
      const bytes = below(random, 3) === 0 ? below(random, 70_000) : below(random, 12);
      return frame(type, 0, 1, Buffer.alloc(bytes, type));
    });
    const all = Buffer.concat([greeting, ...frames]);
    const chunks: Buffer[] = [];
    for (let at = 0; at < all.length; ) {
      const end = at + 1 + (below(random, 2) === 0 ? below(random, 40) : below(random, 65_536));
      chunks.push(all.subarray(at, end));
      at = end;
    }
    const pieces = piecesOf(chunks);
    cuts += pieces.length - chunks.length;
    if (!Buffer.concat(pieces).equals(all)) t.fail(`round ${round}: bytes changed`);
    if (faultOf(pieces, frames) !== '') t.fail(`round ${round}: ${faultOf(pieces, frames)}`);
  }
  t.ok(cuts > 300, `${cuts} cuts`);
});

/** In which piece a frame of DATA gives its first byte after HEADERS have ended in it. */
function faultOf(pieces: readonly Buffer[], frames: readonly Buffer[]): string {
  const pieceOf: number[] = [];
  let at = 0;
  pieces.forEach((piece, i) => {
    at += piece.length;
    pieceOf.push(at);
    if (i > 0 && piece.length === 0) throw new Error('an empty piece');
  });
  const where = (byte: number): number => pieceOf.findIndex(end => byte < end);
  let begun = -1;
  let offset = greeting.length;
  for (const one of frames) {
    const type = one[3]!;
    const last = where(offset + one.length - 1);
    if (type === Type.headers || type === Type.continuation) begun = last;
    if (type === Type.data && one.length > 9 && where(offset + 9) === begun) return `DATA at ${offset}`;
    offset += one.length;
  }
  return '';
}
