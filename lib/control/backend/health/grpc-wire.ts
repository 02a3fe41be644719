// The two messages of grpc.health.v1, coded by hand: two fields do not warrant a protobuf library.
//
//   message HealthCheckRequest  { string service = 1; }             tag 0x0a, length, UTF-8
//   message HealthCheckResponse { ServingStatus status = 1; }       tag 0x08, varint; absent means 0
//   frame on the wire: compressed flag (1 byte), length (4 bytes, big endian), message

/** In the order of ServingStatus. */
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** Answers are a handful of bytes. */
export const MAX_ANSWER_BYTES = 4096;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** A whole request frame. */
export function encodeCheckRequest(service: string): Buffer {
  const name = Buffer.from(service, 'utf8');
  // proto3 leaves out a field that has its default.
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The status's name in the first frame of `answer`; undefined when it is not a whole, valid frame. */
export function decodeCheckAnswer(answer: Buffer): string | undefined {
  if (answer.length < 5 || answer[0] !== 0) return undefined;
  const end = 5 + answer.readUInt32BE(1);
  if (answer.length < end) return undefined;
  let status = 0;
  let at = 5;
  // Ends: every turn moves `at` on or leaves.
  while (at < end) {
    const tag = readVarint(answer, at, end);
    if (tag === undefined) return undefined;
    at = tag.next;
    const kind = tag.value & 7;
    if (kind === VARINT || kind === BYTES) {
      const number = readVarint(answer, at, end);
      if (number === undefined) return undefined;
      at = number.next + (kind === BYTES ? number.value : 0);
      if (kind === VARINT && tag.value >>> 3 === 1) status = number.value;
    } else if (kind === FIXED32) at += 4;
    else if (kind === FIXED64) at += 8;
    else return undefined;
  }
  return at === end ? (STATUS_NAMES[status] ?? `status ${status}`) : undefined;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

/** Up to 28 bits: no length or status is larger. */
function readVarint(bytes: Buffer, from: number, end: number): { value: number; next: number } | undefined {
  let value = 0;
  for (let i = 0; i < 4 && from + i < end; i++) {
    const byte = bytes[from + i]!;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, next: from + i + 1 };
  }
  return undefined;
}
