// Cuts what a client sends into pieces in none of which DATA follows HEADERS. Pure.
//
// nghttp2 works a piece off to its end whatever becomes of JavaScript. When the worker is ended in the middle of one, a stream that
// begins in it has nobody to read it, and node ends the whole process at its first DATA. Between two pieces JavaScript must run.

const PREFACE_BYTES = 24;
const HEAD_BYTES = 9;
const DATA = 0;
const HEADERS = 1;
const CONTINUATION = 9;

export class FrameCutter {
  /** Of the preface, then of the payload of the frame in which the bytes so far end. */
  #owed = PREFACE_BYTES;
  #headSeen = 0;
  #length = 0;
  #type = -1;

  /** How many of the next bytes make a piece; those behind it are to be shown again. */
  next(bytes: Uint8Array): number {
    let begun = false;
    for (let at = 0; ; ) {
      at += this.#owed;
      if (at > bytes.length) {
        this.#owed = at - bytes.length;
        return bytes.length;
      }
      this.#owed = 0;
      if (this.#type === HEADERS || this.#type === CONTINUATION) begun = true;
      this.#type = -1;
      if (at === bytes.length) return at;
      if (this.#headSeen === 0 && at + HEAD_BYTES <= bytes.length) {
        const type = bytes[at + 3]!;
        if (begun && type === DATA) return at;
        this.#type = type;
        this.#owed = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
        at += HEAD_BYTES;
      } else {
        at = this.#partOfHead(bytes, at);
        if (this.#headSeen !== 0) return at;
      }
    }
  }

  /** A frame's head that comes in parts; the frame itself then begins in a later piece than the one before ended. */
  #partOfHead(bytes: Uint8Array, from: number): number {
    let at = from;
    for (; at < bytes.length && this.#headSeen < HEAD_BYTES; at++) {
      if (this.#headSeen < 3) this.#length = (this.#length << 8) | bytes[at]!;
      else if (this.#headSeen === 3) this.#nextType = bytes[at]!;
      this.#headSeen += 1;
    }
    if (this.#headSeen === HEAD_BYTES) {
      this.#type = this.#nextType;
      this.#owed = this.#length;
      this.#headSeen = this.#length = 0;
    }
    return at;
  }

  #nextType = -1;
}
