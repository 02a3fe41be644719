// GOAWAY as bytes, without debug data (RFC 9113, section 6.8). Pure.

const TYPE = 7;

export function goawayFrame(lastStreamId: number, code: number): Buffer {
  const frame = Buffer.alloc(17);
  frame[2] = 8;
  frame[3] = TYPE;
  frame.writeUInt32BE(lastStreamId, 9);
  frame.writeUInt32BE(code, 13);
  return frame;
}
