// Protobuf's wire format, as far as messages of a few fields need it that do not warrant a library: fields read one by one, varints written.

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const FIXED32 = 5;

/** Goes from field to field; ends at the first that is not whole. */
export class Wire {
  field = 0;
  kind = 0;
  /** Of a varint field. */
  value = 0;
  /** Of a field of bytes. */
  start = 0;
  end = 0;
  broken = false;
  readonly #bytes: Buffer;
  readonly #stop: number;
  #at: number;

  constructor(bytes: Buffer, from: number, stop: number) {
    this.#bytes = bytes;
    this.#at = from;
    this.#stop = stop;
  }

  /** Of a fixed64 field. */
  get double(): number {
    return this.#bytes.readDoubleLE(this.#at - 8);
  }

  next(): boolean {
    if (this.#at >= this.#stop) return false;
    const tag = this.#varint();
    this.field = tag >>> 3;
    this.kind = tag & 7;
    if (this.kind === FIXED64) this.#at += 8;
    else if (this.kind === FIXED32) this.#at += 4;
    else if (this.kind === VARINT) this.value = this.#varint();
    else if (this.kind === BYTES) {
      const length = this.#varint();
      this.start = this.#at;
      this.#at += length;
      this.end = this.#at;
    } else this.broken = true;
    this.broken ||= this.#at > this.#stop || this.field === 0;
    return !this.broken;
  }

  /** Exact up to 53 bits; longer ones are only passed over. */
  #varint(): number {
    let value = 0;
    let factor = 1;
    for (let i = 0; i < 10; i++) {
      if (this.#at >= this.#stop) break;
      const byte = this.#bytes[this.#at++]!;
      value += (byte & 0x7f) * factor;
      factor *= 128;
      if (byte < 0x80) return value;
    }
    this.broken = true;
    return 0;
  }
}

/** A field of a whole number; nothing for 0, which proto3 leaves out. */
export function varintField(field: number, value: number): readonly number[] {
  return value === 0 ? [] : [field << 3, ...varint(value)];
}

/** A field of bytes, text or a message; nothing when it is empty. */
export function bytesField(field: number, bytes: Uint8Array | readonly number[]): Buffer {
  return bytes.length === 0
    ? Buffer.alloc(0)
    : Buffer.concat([Buffer.from([(field << 3) | BYTES, ...varint(bytes.length)]), Buffer.from(bytes)]);
}

function varint(value: number): readonly number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}
