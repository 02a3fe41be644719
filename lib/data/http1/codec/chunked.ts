// The chunked coding read strictly (RFC 9112, section 7.1): sizes, extensions (checked and dropped), data, CRLFs.

import { BACKSLASH, CR, EQUALS, HEX, LF, QUOTE, SEMICOLON, TOKEN, VALUE } from './bytes.ts';

const C_SIZE = 0;
const C_NAME = 1;
const C_IS = 2;
const C_VALUE = 11;
const C_TOKEN = 3;
const C_QUOTED = 4;
const C_ESCAPED = 5;
const C_AFTER_QUOTED = 6;
const C_SIZE_LF = 7;
const C_DATA = 8;
const C_DATA_CR = 9;
const C_DATA_LF = 10;

const MAX_DIGITS = 16;
/** Of all extensions of a message: nobody needs them, and they cost the reader without giving it data. */
const MAX_EXTENSION_BYTES = 16 * 1024;

/** `data`: from `from` to `to`. `last`: the size 0 was read; the trailers follow. */
export type ChunkStep = 'more' | 'data' | 'last' | 'bad';

export class ChunkReader {
  fault = '';
  /** The fault is a bound that was passed, not a misspelling. */
  tooLarge = false;
  from = 0;
  to = 0;
  position = 0;
  #state = C_SIZE;
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;

  begin(): void {
    this.#state = C_SIZE;
    this.#size = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
  }

  read(bytes: Uint8Array, start: number): ChunkStep {
    const end = bytes.length;
    let at = start;
    while (at < end) {
      if (this.#state === C_DATA) {
        this.from = at;
        this.to = at + Math.min(this.#size, end - at);
        this.#size -= this.to - at;
        if (this.#size === 0) this.#state = C_DATA_CR;
        this.position = this.to;
        return 'data';
      }
      const fault = this.#octet(bytes[at]!);
      at++;
      if (fault !== '') {
        this.fault = fault;
        return 'bad';
      }
      if (this.#state === C_DATA && this.#size === 0) {
        this.position = at;
        return 'last';
      }
    }
    this.position = at;
    return 'more';
  }

  #octet(byte: number): string {
    switch (this.#state) {
      case C_SIZE: {
        const digit = HEX[byte]!;
        if (digit === 255) {
          if (this.#digits === 0) return 'a chunk without size';
          return this.#afterPart(byte, 'a chunk size that is no number');
        }
        this.#digits += 1;
        this.#size = this.#size * 16 + digit;
        if (this.#digits > MAX_DIGITS || this.#size > Number.MAX_SAFE_INTEGER)
          return 'a chunk size beyond all numbers';
        return '';
      }
      case C_NAME:
        if (TOKEN[byte] === 1) this.#state = C_IS;
        else return 'a chunk extension without name';
        return this.#countExtension();
      case C_IS:
        if (byte === EQUALS) this.#state = C_VALUE;
        else if (TOKEN[byte] !== 1) return this.#afterPart(byte, 'a bad name of a chunk extension');
        return this.#countExtension();
      case C_VALUE:
        if (byte === QUOTE) this.#state = C_QUOTED;
        else if (TOKEN[byte] === 1) this.#state = C_TOKEN;
        else return 'a chunk extension without value';
        return this.#countExtension();
      case C_TOKEN:
        if (TOKEN[byte] !== 1) return this.#afterPart(byte, 'a bad value of a chunk extension');
        return this.#countExtension();
      case C_QUOTED:
        if (byte === QUOTE) this.#state = C_AFTER_QUOTED;
        else if (byte === BACKSLASH) this.#state = C_ESCAPED;
        else if (VALUE[byte] !== 1) return 'a control character in a chunk extension';
        return this.#countExtension();
      case C_ESCAPED:
        if (VALUE[byte] !== 1) return 'a control character in a chunk extension';
        this.#state = C_QUOTED;
        return this.#countExtension();
      case C_AFTER_QUOTED:
        return this.#afterPart(byte, 'a bad value of a chunk extension');
      case C_SIZE_LF:
        if (byte !== LF) return 'a chunk size without CRLF';
        this.#state = C_DATA;
        return '';
      case C_DATA_CR:
        if (byte !== CR) return 'a chunk longer than its size';
        this.#state = C_DATA_LF;
        return '';
      default:
        if (byte !== LF) return 'a chunk without CRLF';
        this.#state = C_SIZE;
        this.#size = 0;
        this.#digits = 0;
        return '';
    }
  }

  #afterPart(byte: number, otherwise: string): string {
    if (byte === CR) {
      this.#state = C_SIZE_LF;
      return '';
    }
    if (byte !== SEMICOLON) return otherwise;
    this.#state = C_NAME;
    return this.#countExtension();
  }

  #countExtension(): string {
    this.#extensionBytes += 1;
    if (this.#extensionBytes <= MAX_EXTENSION_BYTES) return '';
    this.tooLarge = true;
    return `more than ${MAX_EXTENSION_BYTES} bytes of chunk extensions`;
  }
}
