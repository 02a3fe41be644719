// The envelope's frames: each a binary WebSocket message. Integers are big-endian; 48 bits of sequence outlast any session.
//
//   hello    1  session 16  received 6  acknowledged 6     client → server, first on every connection
//   welcome  2  fresh 1     received 6                     server → client, its answer
//   text     3  sequence 6  received 6  UTF-8 …            both ways; `received` acknowledges all up to it
//   binary   4  sequence 6  received 6  bytes …
//   ack      5  received 6

export const SESSION_BYTES = 16;
const HEAD_BYTES = 13;

export type EnvelopeFrame =
  | {
      readonly kind: 'hello';
      /** 32 hex digits. */
      readonly session: string;
      readonly received: number;
      /** Of the client's messages, how many it knows to have arrived. */
      readonly acknowledged: number;
    }
  | { readonly kind: 'welcome'; readonly fresh: boolean; readonly received: number }
  | {
      readonly kind: 'data';
      readonly sequence: number;
      readonly received: number;
      readonly data: string | ArrayBuffer;
    }
  | { readonly kind: 'ack'; readonly received: number };

export function helloFrame(session: string, received: number, acknowledged: number): ArrayBuffer {
  const bytes = new Uint8Array(1 + SESSION_BYTES + 12);
  bytes[0] = 1;
  for (let i = 0; i < SESSION_BYTES; i++) bytes[1 + i] = Number.parseInt(session.slice(2 * i, 2 * i + 2), 16);
  writeNumber(bytes, 17, received);
  writeNumber(bytes, 23, acknowledged);
  return bytes.buffer;
}

export function welcomeFrame(fresh: boolean, received: number): ArrayBuffer {
  const bytes = new Uint8Array(8);
  bytes[0] = 2;
  bytes[1] = fresh ? 1 : 0;
  writeNumber(bytes, 2, received);
  return bytes.buffer;
}

export function dataFrame(
  sequence: number,
  received: number,
  data: string | ArrayBuffer | ArrayBufferView,
): ArrayBuffer {
  const payload =
    typeof data === 'string'
      ? new TextEncoder().encode(data)
      : data instanceof ArrayBuffer
        ? new Uint8Array(data)
        : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  bytes[0] = typeof data === 'string' ? 3 : 4;
  writeNumber(bytes, 1, sequence);
  writeNumber(bytes, 7, received);
  bytes.set(payload, HEAD_BYTES);
  return bytes.buffer;
}

export function ackFrame(received: number): ArrayBuffer {
  const bytes = new Uint8Array(7);
  bytes[0] = 5;
  writeNumber(bytes, 1, received);
  return bytes.buffer;
}

/** null when it is none of ours. */
export function readFrame(bytes: Uint8Array): EnvelopeFrame | null {
  const { length } = bytes;
  switch (bytes[0]) {
    case 1: {
      if (length !== 29) return null;
      let session = '';
      for (let i = 1; i <= SESSION_BYTES; i++) session += bytes[i]!.toString(16).padStart(2, '0');
      return {
        kind: 'hello',
        session,
        received: readNumber(bytes, 17),
        acknowledged: readNumber(bytes, 23),
      };
    }
    case 2:
      return length === 8 ? { kind: 'welcome', fresh: bytes[1] === 1, received: readNumber(bytes, 2) } : null;
    case 3:
    case 4: {
      if (length < HEAD_BYTES) return null;
      // Copied: a Buffer's slice would share the memory of others.
      const payload = new Uint8Array(bytes.subarray(HEAD_BYTES));
      const data = bytes[0] === 3 ? new TextDecoder().decode(payload) : payload.buffer;
      return { kind: 'data', sequence: readNumber(bytes, 1), received: readNumber(bytes, 7), data };
    }
    case 5:
      return length === 7 ? { kind: 'ack', received: readNumber(bytes, 1) } : null;
    default:
      return null;
  }
}

function writeNumber(bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer);
  view.setUint16(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 2, value >>> 0);
}

function readNumber(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2);
}
