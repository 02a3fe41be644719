// Large bodies for tests: made block by block as they are wanted, the same each time, and known by their hash.

import { createHash, type Hash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

export const MIB = 1 << 20;
const BLOCK_BYTES = 64 * 1024;
const BASE = randomBytes(BLOCK_BYTES);

/** No two blocks are alike, so that a lost, doubled or swapped one shows. */
function block(index: number): Buffer {
  const made = Buffer.from(BASE);
  made.writeUInt32BE(index);
  return made;
}

/** SHA-256 of the first so many bytes, for each size. Sizes are whole mebibytes, in rising order. */
export function hashesOf(sizes: readonly number[]): Map<number, string> {
  const hash = createHash('sha256');
  const hashes = new Map<number, string>();
  let index = 0;
  for (const size of sizes) {
    while (index * BLOCK_BYTES < size) hash.update(block(index++));
    hashes.set(size, hash.copy().digest('hex'));
  }
  return hashes;
}

/** What has gone into a body so far. */
export interface Progress {
  bytes: number;
}

/** Writes so much and ends, no faster than the stream takes it; stops when the stream is destroyed. */
export async function pour(target: Writable, size: number, progress: Progress = { bytes: 0 }): Promise<void> {
  const gone = once(target, 'close').then(() => {});
  for (let index = 0; progress.bytes < size; index++) {
    if (target.destroyed) return;
    const room = target.write(block(index));
    progress.bytes += BLOCK_BYTES;
    if (!room) await Promise.race([once(target, 'drain'), gone]);
  }
  target.end();
}

/** Reads to the end. */
export async function digest(source: Readable): Promise<{ bytes: number; hash: string }> {
  const hash: Hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of source) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, hash: hash.digest('hex') };
}
