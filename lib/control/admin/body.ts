// Request bodies: JSON, bounded, read whole.

import type { IncomingMessage } from 'node:http';
import { LeasewayError } from '../../core/errors.ts';
import type { Refusal } from './answer.ts';

const MAX_BODY_BYTES = 64 * 1024;

export type BodyResult = { readonly value: unknown } | { readonly refusal: Refusal };

/** `value` is undefined when there is no body. Rejects only when the client leaves before its end. */
export async function readBody(request: IncomingMessage): Promise<BodyResult> {
  const bytes = await readBytes(request);
  if (bytes === null) return { refusal: tooLarge };
  if (bytes.length === 0) return { value: undefined };
  // A form of another site can post text, but not this type without asking first.
  if (!/^application\/json(;.*)?$/i.test((request.headers['content-type'] ?? '').trim()))
    return { refusal: { status: 415, code: 'BAD_REQUEST', detail: 'send Content-Type: application/json' } };
  try {
    return { value: JSON.parse(bytes.toString('utf8')) };
  } catch {
    return { refusal: { status: 400, code: 'BAD_REQUEST', detail: 'the body is not valid JSON' } };
  }
}

/** Null when there is more than may be. By events, since leaving an async iterator early would destroy the socket we answer on. */
function readBytes(request: IncomingMessage): Promise<Buffer | null> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_BODY_BYTES) resolve(null);
      else chunks.push(chunk);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => reject(new LeasewayError('CLIENT_GONE')));
  });
}

const tooLarge: Refusal = {
  status: 413,
  code: 'BODY_TOO_LARGE',
  detail: `bodies of this API have at most ${MAX_BODY_BYTES} bytes`,
  headers: { connection: 'close' },
};
