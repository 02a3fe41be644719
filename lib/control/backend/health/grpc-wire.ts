// The two messages of grpc.health.v1, coded by hand: two fields do not warrant a protobuf library.
//
//   message HealthCheckRequest  { string service = 1; }             tag 0x0a, length, UTF-8
//   message HealthCheckResponse { ServingStatus status = 1; }       tag 0x08, varint; absent means 0

import { grpcFrame } from '../../../core/grpc-frames.ts';
import { bytesField, VARINT, Wire } from '../../../core/protobuf.ts';

/** In the order of ServingStatus. */
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;

/** Answers are a handful of bytes. */
export const MAX_ANSWER_BYTES = 4096;

/** A whole request frame. */
export const encodeCheckRequest = (service: string): Buffer =>
  grpcFrame(bytesField(1, Buffer.from(service, 'utf8')));

/** The status's name in the first frame of `answer`; undefined when it is not a whole, valid frame. */
export function decodeCheckAnswer(answer: Buffer): string | undefined {
  if (answer.length < 5 || answer[0] !== 0) return undefined;
  const end = 5 + answer.readUInt32BE(1);
  if (answer.length < end) return undefined;
  let status = 0;
  const wire = new Wire(answer, 5, end);
  while (wire.next()) if (wire.kind === VARINT && wire.field === 1) status = wire.value;
  return wire.broken ? undefined : (STATUS_NAMES[status] ?? `status ${status}`);
}
