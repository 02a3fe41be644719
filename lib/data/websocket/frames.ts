// Where one WebSocket frame ends and the next begins (RFC 6455, section 5.2), and the Close frame that may go between.
//
// A relay never looks into messages; it has to know when a frame of its own may be put into a stream, where one message
// ends and another may go another way, and where a Close begins. A header is read where it stands in the chunk; only one
// that is split over chunks is collected byte by byte.

import { below, type Random } from '../../core/random.ts';

/** Close codes: RFC 6455, section 7.4.1, and IANA's registry of them. */
export const NORMAL = 1000;
export const GOING_AWAY = 1001;
/** The client should come back after a random delay. */
export const SERVICE_RESTART = 1012;

const CONTROL = 0x08;
const OPCODE = 0x0f;
const CONTINUATION = 0x00;
const CLOSING = 0x08;
const FIN = 0x80;
const MASK = 0x80;
/** RSV1 belongs to permessage-deflate (RFC 7692); nobody has claimed the other two. */
const UNKNOWN_RSV = 0x30;
const CLOSE = 0x88;
const PING = 0x89;
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
  /** A message of several frames is under way (section 5.4); control frames may come in between and end nothing. */
  #fragmented = false;
  #closing = false;
  /** Whole messages whose last frame has begun. */
  messages = 0;

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

  /** No message is under way: what comes next may go to somebody else. */
  get atMessage(): boolean {
    return !this.#fragmented && this.atBoundary;
  }

  /** A Close has begun: nothing but its rest is to come (section 5.5.1). */
  get closing(): boolean {
    return this.#closing;
  }

  feed(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length && !this.#lost; ) at = this.#step(chunk, at);
  }

  /** Feeds to the end of the message under way; how many bytes that took, all of them when it ends later (or never). */
  feedToMessage(chunk: Uint8Array): number {
    let at = 0;
    while (at < chunk.length && !this.#lost && !this.atMessage) at = this.#step(chunk, at);
    return this.#lost ? chunk.length : at;
  }

  /** Feeds what comes before a Close, of which no byte is taken; with `orMessage` no further than to the end of a message. */
  feedToClose(chunk: Uint8Array, orMessage: boolean): number {
    let at = 0;
    while (at < chunk.length && !this.#lost) {
      if (this.atBoundary) {
        if ((chunk[at]! & OPCODE) === CLOSING) {
          this.#closing = true;
          return at;
        }
        if (orMessage && !this.#fragmented) return at;
      }
      at = this.#step(chunk, at);
    }
    return this.#lost ? chunk.length : at;
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
    const end = at + 2 + (this.#masked ? MASK_BYTES : 0);
    if (this.#have > 0 || end > chunk.length || (chunk[at + 1]! & 0x7f) > MAX_CONTROL_BYTES)
      return this.#collect(chunk, at);
    const second = chunk[at + 1]!;
    if (!this.#checked(chunk[at]!, second)) return chunk.length;
    this.#payload = second & 0x7f;
    return end;
  }

  #collect(chunk: Uint8Array, from: number): number {
    for (let at = from; at < chunk.length; at++) {
      const byte = chunk[at]!;
      this.#have += 1;
      if (this.#have === 1) {
        this.#first = byte;
        if ((byte & OPCODE) === CLOSING) this.#closing = true;
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
    const opcode = first & OPCODE;
    const direction = ((second & MASK) !== 0) === this.#masked;
    if (!direction || (first & UNKNOWN_RSV) !== 0) return this.#lose();
    if ((opcode & CONTROL) !== 0) {
      if (opcode > 0x0a || (first & FIN) === 0 || (second & 0x7f) > MAX_CONTROL_BYTES) return this.#lose();
      if (opcode === CLOSING) this.#closing = true;
      return true;
    }
    // A message within another, or the continuation of none.
    if (opcode > 0x02 || (opcode === CONTINUATION) !== this.#fragmented) return this.#lose();
    this.#fragmented = (first & FIN) === 0;
    if (!this.#fragmented) this.messages += 1;
    return true;
  }

  #lose(): false {
    this.#lost = true;
    return false;
  }
}

/** A Close frame as a server sends it (RFC 6455, section 5.5.1). */
export const closeFrame = (code: number): Uint8Array =>
  Uint8Array.of(CLOSE, 2, (code >> 8) & 0xff, code & 0xff);

/** A Close frame as a client must send it: masked, with a key that nobody can foretell from outside (section 5.3). */
export const maskedCloseFrame = (code: number, random: Random): Uint8Array =>
  masked(CLOSE, [(code >> 8) & 0xff, code & 0xff], random);

/** A Ping as a client sends it. */
export const maskedPing = (text: string, random: Random): Uint8Array =>
  masked(PING, Buffer.from(text, 'latin1'), random);

function masked(first: number, payload: ArrayLike<number>, random: Random): Uint8Array {
  const key = Array.from({ length: MASK_BYTES }, () => below(random, 256));
  const frame = new Uint8Array(2 + MASK_BYTES + payload.length);
  frame.set([first, MASK | payload.length, ...key]);
  for (let i = 0; i < payload.length; i++) frame[2 + MASK_BYTES + i] = payload[i]! ^ key[i % MASK_BYTES]!;
  return frame;
}
