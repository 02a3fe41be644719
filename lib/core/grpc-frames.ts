// gRPC's framing on a stream of HTTP/2: a flag (compressed or not), four bytes of length, the message.

/** One message, not compressed. */
export function grpcFrame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The messages in a stream of bytes. */
export class GrpcFrames {
  readonly #mostBytes: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** What is wrong with the stream; empty when nothing is. */
  push(chunk: Buffer, message: (bytes: Buffer) => void): string {
    let bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    while (bytes.length >= 5) {
      if (bytes[0] !== 0) return 'a compressed message, which nobody asked for';
      const length = bytes.readUInt32BE(1);
      if (length > this.#mostBytes) return `a message of ${length} bytes`;
      if (bytes.length < 5 + length) break;
      message(bytes.subarray(5, 5 + length));
      bytes = bytes.subarray(5 + length);
    }
    this.#held = Buffer.from(bytes);
    return '';
  }
}
