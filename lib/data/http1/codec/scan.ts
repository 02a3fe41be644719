// The head of a message (or the trailers of one), octet by octet: where its parts lie, or what is wrong with it.
//
// Strict reading of RFC 9112, sections 2 to 5: one space, CRLF and nothing else, no folding, no blank before a colon. The
// verdict depends on the octets alone, never on how they were cut into reads: bounds are positions, not read sizes.

import { COLON, CR, LF, METHOD, SP, TAB, TARGET, TOKEN, VALUE } from './bytes.ts';

export type Kind = 'request' | 'answer' | 'trailers';
/** `more`: nothing wrong so far. */
export type Scanned = 'more' | 'done' | 'bad';
export type FaultKind = 'syntax' | 'target' | 'fields';

const S_BEFORE = 0;
const S_BEFORE_LF = 1;
const S_METHOD = 2;
const S_TARGET = 3;
const S_VERSION = 4;
const S_MINOR = 5;
const S_AFTER_VERSION = 6;
const S_STATUS = 7;
const S_AFTER_STATUS = 8;
const S_REASON = 9;
const S_LINE_LF = 10;
const S_FIELD = 11;
const S_NAME = 12;
const S_BLANK = 13;
const S_VALUE = 14;
const S_FIELD_LF = 15;
const S_END_LF = 16;

const VERSION = Buffer.from('HTTP/1.', 'latin1');
const MAX_METHOD_BYTES = 32;

export interface ScanLimits {
  readonly targetBytes: number;
  /** Of all fields with their CRLFs; of an answer the status line too. */
  readonly fieldBytes: number;
  readonly fields: number;
}

export class HeadScanner {
  readonly kind: Kind;
  /** What is wrong, after `bad`. */
  fault = '';
  faultKind: FaultKind = 'syntax';
  minor = 0;
  status = 0;
  /** All positions are relative to `base`. */
  base = 0;
  methodStart = 0;
  methodEnd = 0;
  targetEnd = 0;
  /** Where the fields begin; -1 while the line is read. */
  fieldsStart = -1;
  /** Four positions for each field: name from and to, value from and to. */
  readonly marks: number[] = [];
  fields = 0;
  /** How far it has read, absolute. */
  position = 0;
  #state = S_BEFORE;
  #seen = 0;
  #limitAt = 0;
  #limits: ScanLimits;

  constructor(kind: Kind, limits: ScanLimits) {
    this.kind = kind;
    this.#limits = limits;
  }

  /** A new head, whose first octet is at `base`. */
  begin(base: number, limits: ScanLimits): void {
    this.base = base;
    this.position = base;
    this.fields = 0;
    this.fieldsStart = -1;
    this.#seen = 0;
    this.#limits = limits;
    if (this.kind === 'request') this.#state = S_BEFORE;
    else if (this.kind === 'answer') {
      this.#state = S_VERSION;
      this.#limitAt = limits.fieldBytes;
    } else this.#beginFields(0);
  }

  /** The octets have been moved: what was at `base` is now at `to`. */
  move(to: number): void {
    this.position += to - this.base;
    this.base = to;
  }

  /** True when the next octet begins the field section: a block that is known already may be taken instead. */
  get atFields(): boolean {
    return this.#state === S_FIELD && this.fields === 0;
  }

  /** Reads on to `end`; stops behind the line when `lineOnly`. */
  scan(bytes: Uint8Array, end: number, lineOnly: boolean): Scanned {
    let at = this.position;
    while (at < end) {
      if (this.#state >= S_FIELD) {
        if (lineOnly) break;
        return this.#scanFields(bytes, at, end);
      }
      at = this.#scanLine(bytes, at, end);
      if (at < 0) return 'bad';
    }
    this.position = at;
    return 'more';
  }

  /** One state of the first line: where it goes on, or -1. */
  #scanLine(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    const byte = bytes[at]!;
    switch (this.#state) {
      case S_BEFORE:
        if (byte === CR) {
          this.#state = S_BEFORE_LF;
          return at + 1;
        }
        this.methodStart = at - this.base;
        this.#state = S_METHOD;
        return METHOD[byte] === 1 ? at : this.#bad('the method is not in capitals');
      case S_BEFORE_LF:
        // One empty line may stand before a request (RFC 9112, section 2.2).
        if (byte !== LF) return this.#bad('a CR before the method');
        this.methodStart = at + 1 - this.base;
        this.#state = S_METHOD;
        return at + 1;
      case S_METHOD: {
        const stop = Math.min(end, this.base + this.methodStart + MAX_METHOD_BYTES + 1);
        while (at < stop && METHOD[bytes[at]!] === 1) at++;
        if (at - this.base - this.methodStart > MAX_METHOD_BYTES)
          return this.#bad('the method is longer than any');
        if (at === end) return at;
        if (bytes[at] !== SP || at - this.base === this.methodStart)
          return this.#bad('the method is not in capitals and followed by one space');
        this.methodEnd = at - this.base;
        this.#state = S_TARGET;
        return at + 1;
      }
      case S_TARGET: {
        const start = this.base + this.methodEnd + 1;
        const limit = start + this.#limits.targetBytes;
        const stop = Math.min(end, limit);
        while (at < stop && TARGET[bytes[at]!] === 1) at++;
        if (at === end) return at;
        if (at === limit && TARGET[bytes[at]!] === 1)
          return this.#bad(`more than ${this.#limits.targetBytes} bytes`, 'target');
        if (bytes[at] !== SP || at === start)
          return this.#bad('the target is empty, has a byte that no target has, or no version follows');
        this.targetEnd = at - this.base;
        this.#state = S_VERSION;
        return at + 1;
      }
      case S_VERSION:
        if (byte !== VERSION[this.#seen]) return this.#bad('the version is not HTTP/1.0 or HTTP/1.1');
        this.#seen += 1;
        if (this.#seen === VERSION.length) this.#state = S_MINOR;
        return at + 1;
      case S_MINOR:
        if (byte !== 0x30 && byte !== 0x31) return this.#bad('the version is not HTTP/1.0 or HTTP/1.1');
        this.minor = byte - 0x30;
        this.#state = S_AFTER_VERSION;
        return at + 1;
      case S_AFTER_VERSION:
        if (this.kind === 'request') {
          if (byte !== CR) return this.#bad('no CRLF behind the version');
          this.#state = S_LINE_LF;
        } else {
          if (byte !== SP) return this.#bad('no space behind the version');
          this.#state = S_STATUS;
          this.#seen = 0;
          this.status = 0;
        }
        return at + 1;
      case S_STATUS:
        if (byte < 0x30 || byte > 0x39) return this.#bad('the status is not three digits');
        this.status = this.status * 10 + byte - 0x30;
        this.#seen += 1;
        if (this.#seen < 3) return at + 1;
        if (this.status < 100) return this.#bad('the status is below 100');
        this.#state = S_AFTER_STATUS;
        return at + 1;
      case S_AFTER_STATUS:
        // Many servers leave the space out with the reason (RFC 9112, section 4 wants it).
        if (byte === CR) this.#state = S_LINE_LF;
        else if (byte === SP) this.#state = S_REASON;
        else return this.#bad('the status is not three digits');
        return at + 1;
      case S_REASON: {
        const limit = this.base + this.#limitAt;
        const stop = Math.min(end, limit);
        while (at < stop && VALUE[bytes[at]!] === 1) at++;
        if (at === end) return at;
        if (at === limit) return this.#bad(`more than ${this.#limitAt} bytes of head`, 'fields');
        if (bytes[at] !== CR) return this.#bad('a control character in the reason');
        this.#state = S_LINE_LF;
        return at + 1;
      }
      default:
        if (byte !== LF) return this.#bad('a CR without LF');
        this.#beginFields(at + 1 - this.base);
        return at + 1;
    }
  }

  #beginFields(at: number): void {
    this.fieldsStart = at;
    this.#state = S_FIELD;
    if (this.kind !== 'answer') this.#limitAt = at + this.#limits.fieldBytes;
  }

  #scanFields(bytes: Uint8Array, from: number, end: number): Scanned {
    const { base, marks } = this;
    const limit = base + this.#limitAt;
    const stop = Math.min(end, limit);
    let at = from;
    let state = this.#state;
    // Each state runs into the next; the order of the ifs is the order of the octets.
    for (;;) {
      if (state === S_END_LF) {
        if (at === end) return this.#pause(state, at);
        if (bytes[at] !== LF) return this.#badByte(CR);
        this.position = at + 1;
        return 'done';
      }
      if (state === S_FIELD) {
        if (at === end) return this.#pause(state, at);
        const byte = bytes[at]!;
        if (byte === CR) {
          state = S_END_LF;
          at++;
          continue;
        }
        if (at >= limit) return this.#tooMuch();
        if (TOKEN[byte] !== 1) return this.#badField(byte);
        if (this.fields === this.#limits.fields) return this.#tooMany();
        marks[this.fields * 4] = at - base;
        state = S_NAME;
      }
      if (state === S_NAME) {
        while (at < stop && TOKEN[bytes[at]!] === 1) at++;
        if (at === end) return this.#pause(state, at);
        if (at >= limit) return this.#tooMuch();
        if (bytes[at] !== COLON) return this.#badField(bytes[at]!);
        marks[this.fields * 4 + 1] = at - base;
        at++;
        state = S_BLANK;
      }
      if (state === S_BLANK) {
        while (at < stop && (bytes[at] === SP || bytes[at] === TAB)) at++;
        if (at === end) return this.#pause(state, at);
        if (at >= limit) return this.#tooMuch();
        marks[this.fields * 4 + 2] = at - base;
        state = S_VALUE;
      }
      if (state === S_VALUE) {
        while (at < stop && VALUE[bytes[at]!] === 1) at++;
        if (at === end) return this.#pause(state, at);
        if (at >= limit) return this.#tooMuch();
        if (bytes[at] !== CR) return this.#badByte(bytes[at]!);
        const start = base + marks[this.fields * 4 + 2]!;
        let last = at;
        while (last > start && (bytes[last - 1] === SP || bytes[last - 1] === TAB)) last--;
        marks[this.fields * 4 + 3] = last - base;
        this.fields += 1;
        at++;
        state = S_FIELD_LF;
      }
      if (at === end) return this.#pause(state, at);
      if (at >= limit) return this.#tooMuch();
      if (bytes[at] !== LF) return this.#badByte(CR);
      at++;
      state = S_FIELD;
    }
  }

  #pause(state: number, at: number): 'more' {
    this.#state = state;
    this.position = at;
    return 'more';
  }

  #bad(fault: string, kind: FaultKind = 'syntax'): -1 {
    this.fault = fault;
    this.faultKind = kind;
    return -1;
  }

  #badField(byte: number): 'bad' {
    if (byte === LF) this.#bad('a bare LF');
    else if (byte === SP || byte === TAB)
      this.#bad('a blank before a colon, in a name, or at the beginning of a line (obs-fold)');
    else if (byte === COLON) this.#bad('a field without name');
    else this.#bad('a field without colon, or a byte in its name that no name has');
    return 'bad';
  }

  #badByte(byte: number): 'bad' {
    if (byte === LF) this.#bad('a bare LF');
    else if (byte === CR) this.#bad('a bare CR');
    else this.#bad('a control character in a value');
    return 'bad';
  }

  #tooMuch(): 'bad' {
    this.#bad(`more than ${this.#limits.fieldBytes} bytes of fields`, 'fields');
    return 'bad';
  }

  #tooMany(): 'bad' {
    this.#bad(`more than ${this.#limits.fields} fields`, 'fields');
    return 'bad';
  }
}
