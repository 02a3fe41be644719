// Reads of many sockets into one buffer. Node makes a buffer of 64 KiB for each read, whose memory the collector gives back later:
// that costs as much as to parse a head, and with large bodies it was a third of all CPU.
//
// `onread` of net.connect does this, but sockets that a server accepts cannot be given it. What it sets is looked for on a socket
// that has it, and set on others; where that is not found, reads come as 'data' like any.

import { Socket } from 'node:net';

/** A body of 64 KiB comes in one read with its head. */
const READ_BYTES = 128 * 1024;
/** For what is kept a while and then certainly let go. */
export const PAGE_BYTES = 64 * 1024;
const PAGES = 64;

/** One piece, so that one look tells what is lent; the system gives it memory as it is used. */
const MEMORY: ArrayBufferLike = new ArrayBuffer(READ_BYTES + PAGES * PAGE_BYTES);
const shared = Buffer.from(MEMORY, 0, READ_BYTES);
const freePages: Buffer[] = Array.from({ length: PAGES }, (_, i) =>
  Buffer.from(MEMORY, READ_BYTES + (PAGES - 1 - i) * PAGE_BYTES, PAGE_BYTES),
);

type Taker = (bytes: number, buffer: Buffer) => boolean;
type Inside = Record<symbol, unknown> & { _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null };

const [BUFFER, TAKER] = ((): [symbol | undefined, symbol | undefined] => {
  const callback = (): boolean => true;
  const probe = new Socket({ onread: { buffer: shared, callback } } as object);
  const inside = probe as unknown as Inside;
  const find = (value: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(probe).find(symbol => inside[symbol] === value);
  const found: [symbol | undefined, symbol | undefined] = [find(shared), find(callback)];
  probe.destroy();
  return found;
})();

/**
 * What is read from now on is lent to `take` until it returns; what it does not want (false) comes as 'data', which is also how
 * everything comes that was read before. Not for TLS, whose reads may come from within a write.
 */
export function readShared(socket: Socket, take: (bytes: Buffer) => boolean): void {
  const inside = socket as unknown as Inside;
  if (BUFFER === undefined || TAKER === undefined || inside._handle?.useUserBuffer === undefined) return;
  inside[BUFFER] = shared;
  inside[TAKER] = ((bytes, buffer) => {
    const view = buffer.subarray(0, bytes);
    return take(view) || socket.push(Buffer.from(view));
  }) satisfies Taker;
  inside._handle.useUserBuffer(shared);
}

/** From here on everything comes as 'data'; whoever took is let go, which counts where a tunnel stays for hours. */
export function readOwned(socket: Socket): void {
  const inside = socket as unknown as Inside;
  if (TAKER !== undefined && inside[TAKER] != null) inside[TAKER] = pushOwned;
}

/** Called by Node on the socket, so that one serves all. */
function pushOwned(this: Socket, bytes: number, buffer: Buffer): boolean {
  return this.push(Buffer.from(buffer.subarray(0, bytes)));
}

/** PAGE_BYTES for bytes that are lent on from there; null when none is free. To be given back once. */
export const takePage = (): Buffer | null => freePages.pop() ?? null;

export function freePage(page: Buffer): void {
  freePages.push(page);
}

/** Somebody will soon write over these. */
export const isLent = (bytes: Uint8Array): boolean => bytes.buffer === MEMORY;

/** The same bytes, to keep. */
export const owned = (bytes: Uint8Array): Uint8Array => (isLent(bytes) ? Buffer.from(bytes) : bytes);
