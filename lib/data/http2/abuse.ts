// Counts what an HTTP/2 client makes us do for nothing, and says when it is too much. Pure.
//
// Two measures. Strikes: events that each cost us work (a stream reset, a PING to acknowledge, SETTINGS), so many a
// minute. Overhead: bytes read that carried neither body nor a request, which holds every kind of frame at once:
// PRIORITY, WINDOW_UPDATE, CONTINUATION, padding, frames of unknown type, those not invented yet. It is a difference of
// two totals, so it costs nothing a frame and needs no look at the bytes.

const WINDOW_MS = 60_000;

export interface StrikeLimits {
  readonly reset: number;
  readonly ping: number;
  readonly settings: number;
}

/** A fixed window: at worst twice the limit passes within one minute, which the limits allow for. */
export class Strikes {
  #startMs: number;
  readonly #counts = { reset: 0, ping: 0, settings: 0 };

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** True when this one is one too many. */
  add(kind: keyof StrikeLimits, limits: StrikeLimits, nowMs: number): boolean {
    if (nowMs - this.#startMs >= WINDOW_MS) {
      this.#startMs = nowMs;
      this.#counts.reset = this.#counts.ping = this.#counts.settings = 0;
    }
    this.#counts[kind] += 1;
    return this.#counts[kind] > limits[kind];
  }
}

/** Bytes a minute that may be overhead without a reason. */
const FREE_BYTES = 512 * 1024;
/** A frame header, the smallest TLS record around it, and a WINDOW_UPDATE or two in return. */
const PER_PIECE_BYTES = 64;

export class Overhead {
  #startMs: number;
  #earned = 0;
  #readBefore = 0;

  constructor(nowMs: number) {
    this.#startMs = nowMs;
  }

  /** A piece of a body, or a head by its decoded size (the wire has less). */
  received(bytes: number): void {
    this.#earned += bytes + PER_PIECE_BYTES;
  }

  /** What we sent brings WINDOW_UPDATEs back: some hundredths of its size with the usual windows. */
  sent(bytes: number): void {
    this.#earned += (bytes >> 4) + PER_PIECE_BYTES;
  }

  /** True when of `bytesRead` (a total) too much carried nothing. */
  excessive(bytesRead: number, nowMs: number): boolean {
    const over = bytesRead - this.#readBefore > this.#earned + FREE_BYTES;
    if (nowMs - this.#startMs >= WINDOW_MS) {
      this.#startMs = nowMs;
      this.#readBefore = bytesRead;
      this.#earned = 0;
    }
    return over;
  }
}
