// The body of a message by its framing: none, so many bytes, chunks and trailers, or all until the connection ends.

import { type Fields, nameIs } from '../../../core/fields.ts';
import { ChunkReader } from './chunked.ts';
import { HeadReader } from './head-reader.ts';
import type { ScanLimits } from './scan.ts';

/** Lengths that are none. */
const CHUNKED = -1;
export const UNTIL_CLOSE = -2;

export type BodyStep = 'more' | 'data' | 'end' | 'bad';
export type BodyFault = 'syntax' | 'extensions' | 'trailers';

export class BodyReader {
  fault = '';
  faultKind: BodyFault = 'syntax';
  /** Of `data`: from here to there in the bytes that were given. */
  from = 0;
  to = 0;
  position = 0;
  /** Of a chunked body that has ended; undefined when it had none. */
  trailers: Fields | undefined;
  #left = 0;
  #chunks: ChunkReader | null = null;
  #trailerReader: HeadReader | null = null;
  #inTrailers = false;

  /** `length` in bytes, or CHUNKED, or UNTIL_CLOSE. */
  begin(length: number): void {
    this.#left = length;
    this.#inTrailers = false;
    this.trailers = undefined;
    if (length !== CHUNKED) return;
    this.#chunks ??= new ChunkReader();
    this.#chunks.begin();
  }

  /** The end of the connection is the end of the body. */
  get untilClose(): boolean {
    return this.#left === UNTIL_CLOSE;
  }

  read(bytes: Buffer, at: number, limits: ScanLimits): BodyStep {
    if (this.#left === 0) {
      this.position = at;
      return 'end';
    }
    if (this.#left === CHUNKED) return this.#readChunked(bytes, at, limits);
    this.from = at;
    if (at === bytes.length) {
      this.position = at;
      return 'more';
    }
    this.to = this.#left === UNTIL_CLOSE ? bytes.length : at + Math.min(this.#left, bytes.length - at);
    if (this.#left !== UNTIL_CLOSE) this.#left -= this.to - at;
    this.position = this.to;
    return 'data';
  }

  #readChunked(bytes: Buffer, at: number, limits: ScanLimits): BodyStep {
    if (this.#inTrailers) return this.#readTrailers(bytes, at, limits);
    const chunks = this.#chunks!;
    const step = chunks.read(bytes, at);
    this.position = chunks.position;
    if (step === 'data') {
      this.from = chunks.from;
      this.to = chunks.to;
      return step;
    }
    if (step === 'more') return step;
    if (step === 'bad') {
      this.faultKind = chunks.tooLarge ? 'extensions' : 'syntax';
      this.fault = chunks.fault;
      return step;
    }
    this.#inTrailers = true;
    return this.#readTrailers(bytes, chunks.position, limits);
  }

  #readTrailers(bytes: Buffer, at: number, limits: ScanLimits): BodyStep {
    this.#trailerReader ??= new HeadReader('trailers', limits);
    const reader = this.#trailerReader;
    const scanned = reader.read(bytes, at, limits);
    this.position = reader.position;
    if (scanned === 'more') return 'more';
    if (scanned === 'bad') {
      this.faultKind = reader.scanner.faultKind === 'fields' ? 'trailers' : 'syntax';
      this.fault = `in the trailers: ${reader.scanner.fault}`;
      return 'bad';
    }
    const { fields } = reader.block!;
    if (fields.length > 0) {
      const fault = trailerFault(fields);
      if (fault !== '') {
        this.faultKind = 'syntax';
        this.fault = fault;
        return 'bad';
      }
      this.trailers = fields;
    }
    this.#left = 0;
    return 'end';
  }
}

/** Fields that would have framed or routed the message, had they come before it: somebody takes us for a fool. */
function trailerFault(fields: Fields): string {
  for (let i = 0; i < fields.length; i += 2)
    for (const name of ['content-length', 'transfer-encoding', 'host'])
      if (nameIs(fields[i]!, name)) return `${name} in the trailers`;
  return '';
}
