// The request body as undici wants it: a stream that is pushed into and says when it wants more.

import { Readable } from 'node:stream';
import { owned } from '../lent.ts';

const HIGH_WATER_BYTES = 64 * 1024;

export class RequestBody extends Readable {
  readonly #wanted: () => void;
  #asked = false;

  /** `wanted` is called when `feed` had returned false and there is room again. */
  constructor(wanted: () => void) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#wanted = wanted;
  }

  feed(chunk: Uint8Array): boolean {
    const more = this.push(owned(chunk));
    if (!more) this.#asked = true;
    return more;
  }

  finish(): void {
    this.push(null);
  }

  override _read(): void {
    if (!this.#asked) return;
    this.#asked = false;
    this.#wanted();
  }
}
