// Field sections from reads of any size: octets are kept until a head is whole, and a section that came before, octet for
// octet, is not read again.

import type { Fields } from '../../../core/fields.ts';
import type { FieldsMemo } from '../../ports.ts';
import { Framing } from './framing.ts';
import { HeadScanner, type Kind, type ScanLimits, type Scanned } from './scan.ts';

/** A field section as it was understood. */
export interface Block {
  readonly fields: Fields;
  readonly framing: Framing;
  /** Null until the section has come again. */
  memo: FieldsMemo | null;
}

/** What a first line may have beside its target and fields: method, version, blanks. */
const LINE_SLACK_BYTES = 64;
/** Longer sections are read anew each time. */
const MAX_KNOWN_BYTES = 4096;
const NOTHING: Buffer = Buffer.alloc(0);

export class HeadReader {
  readonly scanner: HeadScanner;
  /** Of the head that is whole. */
  block: Block | null = null;
  /** Where what follows the head begins, in the bytes that `read` was given. */
  position = 0;
  #limits: ScanLimits;
  #reading = false;
  /** Octets of a head that is not whole, from its first one on. */
  #held = NOTHING;
  #heldLength = 0;
  #octets = NOTHING;
  #known = NOTHING;
  #knownLength = 0;
  #knownBlock: Block | null = null;
  #knownLimits: ScanLimits | null = null;
  #lastLength = 0;

  constructor(kind: Kind, limits: ScanLimits) {
    this.scanner = new HeadScanner(kind, limits);
    this.#limits = limits;
  }

  /** Some of a head has been read, but not all. */
  get begun(): boolean {
    return this.#reading;
  }

  /** `limits` count for the head that begins here. */
  read(bytes: Buffer, from: number, limits: ScanLimits): Scanned {
    const { scanner } = this;
    if (!this.#reading) {
      this.#reading = true;
      this.#limits = limits;
      scanner.begin(from, limits);
    }
    const before = this.#heldLength;
    let octets = bytes;
    let end = bytes.length;
    if (before > 0) {
      this.#hold(bytes, from);
      octets = this.#held;
      end = this.#heldLength;
    }
    this.#octets = octets;
    const scanned = this.#scan(octets, end);
    if (scanned === 'more') {
      if (before === 0) {
        this.#hold(bytes, from);
        scanner.move(0);
      }
      this.position = bytes.length;
      return scanned;
    }
    this.position = before > 0 ? from + scanner.position - before : scanner.position;
    this.#reading = false;
    this.#heldLength = 0;
    return scanned;
  }

  /** Text of the head between two positions of the scanner; until the next read. */
  text(from: number, to: number): string {
    const { base } = this.scanner;
    return this.#octets.toString('latin1', base + from, base + to);
  }

  /** The octets kept for an unfinished head are let go. */
  reset(): void {
    this.#reading = false;
    this.#heldLength = 0;
  }

  #scan(octets: Buffer, end: number): Scanned {
    const { scanner } = this;
    const line = scanner.scan(octets, end, true);
    if (line === 'bad') return line;
    if (scanner.atFields && this.#isKnown(octets, scanner.position, end)) {
      const block = this.#knownBlock!;
      block.memo ??= { made: null };
      this.block = block;
      scanner.position += this.#knownLength;
      this.#lastLength = this.#knownLength;
      return 'done';
    }
    const scanned = scanner.scan(octets, end, false);
    if (scanned === 'done') this.#understand(octets);
    return scanned;
  }

  #isKnown(octets: Buffer, at: number, end: number): boolean {
    const length = this.#knownLength;
    if (length === 0 || at + length > end || this.#knownLimits !== this.#limits) return false;
    // Sections of another length fail here already, without a comparison: theirs do not end at this place.
    if (octets[at + length - 1] !== 0x0a || octets[at + length - 3] !== 0x0a) return false;
    return octets.compare(this.#known, 0, length, at, at + length) === 0;
  }

  #understand(octets: Buffer): void {
    const { marks, fields: count, fieldsStart, base, position } = this.scanner;
    const start = base + fieldsStart;
    const text = octets.toString('latin1', start, position);
    const fields: string[] = [];
    for (let i = 0; i < count * 4; i += 4) {
      fields.push(
        text.slice(marks[i]! - fieldsStart, marks[i + 1]! - fieldsStart),
        text.slice(marks[i + 2]! - fieldsStart, marks[i + 3]! - fieldsStart),
      );
    }
    const framing = new Framing(fields);
    // Some parsers trim spaces only: a coding with a tab beside it is chunked for one and unknown to the other.
    if (framing.codings > 0 && /\ntransfer-encoding:(?: *\t|[^\r]*\t *\r)/i.test(`\n${text}`))
      framing.coding = 'chunked with a tab beside it';
    const block: Block = { fields, framing, memo: null };
    this.block = block;
    const length = position - start;
    // Kept when it has the length of the one before: then it may well be the same again.
    if (length === this.#lastLength && length <= MAX_KNOWN_BYTES) this.#keep(octets, start, length, block);
    this.#lastLength = length;
  }

  #keep(octets: Buffer, start: number, length: number, block: Block): void {
    if (this.#known.length < length) this.#known = Buffer.allocUnsafeSlow(length);
    octets.copy(this.#known, 0, start, start + length);
    this.#knownLength = length;
    this.#knownBlock = block;
    this.#knownLimits = this.#limits;
  }

  /** Never more than a head may have: what lies beyond is read when the head is done. */
  #hold(bytes: Buffer, from: number): void {
    const { targetBytes, fieldBytes } = this.#limits;
    const most = targetBytes + fieldBytes + LINE_SLACK_BYTES;
    const taken = Math.min(bytes.length - from, most - this.#heldLength);
    const needed = this.#heldLength + taken;
    if (this.#held.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.min(most, Math.max(1024, needed, this.#held.length * 2)));
      this.#held.copy(grown, 0, 0, this.#heldLength);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldLength, from, from + taken);
    this.#heldLength = needed;
  }
}
