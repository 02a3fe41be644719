// Identifiers: random bytes drawn in bulk, since one call of the system's generator per request is measurable.

import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4096;

/** Draws random hex strings; one instance per thread. */
export class IdSource {
  readonly #pool = Buffer.allocUnsafe(POOL_BYTES);
  #used = POOL_BYTES;

  /** `bytes` random bytes as lower-case hex; never all zero (W3C Trace Context forbids zero ids). */
  hex(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const id = this.#pool.toString('hex', this.#used, this.#used + bytes);
    this.#used += bytes;
    return /^0+$/.test(id) ? this.hex(bytes) : id;
  }
}
