// Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2), and the Close frame that may go between.
//
// A tunnel never looks into messages; it only has to know when a frame of its own may be put into a stream. A header
// is read where it stands in the chunk; only one that is split over chunks is collected byte by byte.

import { below, type Random } from '../../core/random.ts';

const CONTROL = 0x08;
const FIN = 0x80;
const MASK = 0x80;
/** RSV1 belongs to permessage-deflate (RFC 7692); nobody has claimed the other two. */
const UNKNOWN_RSV = 0x30;
const CLOSE = 0x88;
const MAX_CONTROL_BYTES = 125;
const MASK_BYTES = 4;

export class FrameTracker {
  readonly #masked: boolean;
  /** Payload of the present frame that has not passed yet. */
  #payload = 0;
  /** Header bytes of the present frame that have passed; 0 outside a header. */
  #have = 0;
  #first = 0;
  #length = 0;
  #lengthLeft = 0;
  #maskLeft = 0;
  #lost = false;

  /** `masked`: the stream comes from a client (RFC 6455, section 5.1). */
  constructor(masked: boolean) {
    this.#masked = masked;
  }

  /** What passed is not WebSocket, or not as this can read it: where frames end is not known any more. */
  get lost(): boolean {
    return this.#lost;
  }

  /** A frame may be put in here. */
  get atBoundary(): boolean {
    return this.#payload === 0 && this.#have === 0 && !this.#lost;
  }

  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#lost; ) at = this.#step(chunk, at);
  }

  /** Feeds to the end of the frame under way; how many bytes that took, all of them when it ends later (or never). */
  feedToBoundary(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && !this.#lost && !this.atBoundary) at = this.#step(chunk, at);
    return this.#lost ? chunk.length : at;
  }

  /** To the end of the frame, of its header, or of the chunk. */
  #step(chunk: Uint8Array, at: number): number {
    if (this.#payload > 0) {
      const taken = Math.min(this.#payload, chunk.length - at);
      this.#payload -= taken;
      return at + taken;
    }
    if (this.#have > 0 || at + 1 >= chunk.length || (chunk[at + 1]! & 0x7f) > MAX_CONTROL_BYTES)
      return this.#collect(chunk, at);
    const second = chunk[at + 1]!;
    if (!this.#checked(chunk[at]!, second)) return chunk.length;
    const end = at + 2 + (this.#masked ? MASK_BYTES : 0);
    if (end > chunk.length) return this.#collect(chunk, at);
    this.#payload = second & 0x7f;
    return end;
  }

  #collect(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!;
      this.#have += 1;
      if (this.#have === 1) {
        this.#first = byte;
        continue;
      }
      if (this.#have === 2) this.#begin(byte);
      else if (this.#lengthLeft > 0) {
        this.#length = this.#length * 256 + byte;
        this.#lengthLeft -= 1;
      } else this.#maskLeft -= 1;
      if (this.#lost) return chunk.length;
      if (this.#lengthLeft > 0 || this.#maskLeft > 0) continue;
      if (this.#length > Number.MAX_SAFE_INTEGER) this.#lost = true;
      this.#payload = this.#length;
      this.#have = 0;
      return at + 1;
    }
    return chunk.length;
  }

  #begin(second: number): void {
    if (!this.#checked(this.#first, second)) return;
    const length = second & 0x7f;
    this.#lengthLeft = length === 126 ? 2 : length === 127 ? 8 : 0;
    this.#length = this.#lengthLeft === 0 ? length : 0;
    this.#maskLeft = this.#masked ? MASK_BYTES : 0;
  }

  #checked(first: number, second: number): boolean {
    const opcode = first & 0x0f;
    const control = (opcode & CONTROL) !== 0;
    const known = control ? opcode <= 0x0a : opcode <= 0x02;
    const whole = !control || ((first & FIN) !== 0 && (second & 0x7f) <= MAX_CONTROL_BYTES);
    const direction = ((second & MASK) !== 0) === this.#masked;
    if (!known || !whole || !direction || (first & UNKNOWN_RSV) !== 0) this.#lost = true;
    return !this.#lost;
  }
}

/** A Close frame as a server sends it (RFC 6455, section 5.5.1). */
export const closeFrame = (code: number): Uint8Array =>
  Uint8Array.of(CLOSE, 2, (code >> 8) & 0xff, code & 0xff);

/** A Close frame as a client must send it: masked, with a key that nobody can foretell from outside (section 5.3). */
export function maskedCloseFrame(code: number, random: Random): Uint8Array {
  const key = Array.from({ length: MASK_BYTES }, () => below(random, 256));
  return Uint8Array.of(CLOSE, MASK | 2, ...key, ((code >> 8) & 0xff) ^ key[0]!, (code & 0xff) ^ key[1]!);
}
