// The part of a request body that was already sent, kept while it is small enough to be sent again.

export class Replay {
  readonly #limitBytes: number;
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #whole = true;

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
    else this.#chunks.push(chunk);
  }

  /** The answer has begun: there will be no other try. */
  drop(): void {
    this.#whole = false;
    this.#chunks = [];
  }
}
