// Bytes that are lent for the time of a call, as the data plane lends what it has read.

import { freePage, takePage } from '../../lib/data/lent.ts';

/** Pieces of these sizes from the given one on, each with bytes of its own that are gone when `write` has returned. */
export function writeLent(sizes: readonly number[], write: (chunk: Uint8Array) => void, first = 0): void {
  const page = takePage()!;
  for (let i = first; i < sizes.length; i++) {
    write(page.fill(i + 1, 0, sizes[i]!).subarray(0, sizes[i]!));
    page.fill(0);
  }
  freePage(page);
}

/** What has to arrive. */
export const lentBytes = (sizes: readonly number[]): Buffer =>
  Buffer.concat(sizes.map((size, i) => Buffer.alloc(size, i + 1)));
