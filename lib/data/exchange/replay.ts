// The part of a request body that was already sent, kept while it is small enough to be sent again.

import { freePage, isLent, owned, PAGE_BYTES, takePage } from '../lent.ts';

export class Replay {
  readonly #limitBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #whole = true;
  #page: Buffer | null = null;
  /** Of the page in use. */
  #pageUsed = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** False once more was sent than is kept: from then on the request cannot be tried again. */
  get whole(): boolean {
    return this.#whole;
  }

  get chunks(): readonly Uint8Array[] {
    return this.#chunks;
  }

  keep(chunk: Uint8Array): void {
    if (!this.#whole) return;
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limitBytes) this.drop();
    else this.#chunks.push(this.#paged(chunk) ?? owned(chunk));
  }

  /** The answer has begun, or never will: there will be no other try. Whoever keeps must come to this. */
  drop(): void {
    this.#whole = false;
    this.#chunks = [];
    if (this.#page !== null) freePage(this.#page);
    this.#page = null;
  }

  /** A copy in a page, which costs the collector nothing; null where that is of no use, or has no room. */
  #paged(chunk: Uint8Array): Uint8Array | null {
    const from = this.#pageUsed;
    if (!isLent(chunk) || from + chunk.length > PAGE_BYTES) return null;
    this.#page ??= takePage();
    if (this.#page === null) return null;
    this.#pageUsed += chunk.length;
    this.#page.set(chunk, from);
    return this.#page.subarray(from, this.#pageUsed);
  }
}
