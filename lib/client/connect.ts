// The Connect protocol's JSON over fetch: one call, or one stream of messages; generated clients alone would be 18 KB.
//
// Unary: POST, application/json both ways, errors as { code, message } with a status. Stream: application/connect+json, each message
// behind a byte of flags and four of length; the last has flag 2 and may hold an error. (connectrpc.com/docs/protocol)

import type { Platform } from './platform.ts';

/** A stream that sends more in one message is not believed. */
const MAX_MESSAGE_BYTES = 65_536;
const HEAD_BYTES = 5;
const END_STREAM = 2;

/** `code` is Connect's: `unimplemented` when nothing of ours is there, `unavailable` when nothing answers. */
export class ServiceError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export async function call<Answer>(
  platform: Platform,
  url: string,
  message: object,
  signal: AbortSignal,
): Promise<Answer> {
  const response = await post(platform, url, 'application/json', JSON.stringify(message), signal);
  return (await json(response)) as Answer;
}

/** Every message of the stream; ends when it ends in order, else throws ServiceError. */
export async function* stream<Message>(
  platform: Platform,
  url: string,
  message: object,
  signal: AbortSignal,
): AsyncGenerator<Message, void> {
  const response = await post(platform, url, 'application/connect+json', framed(message), signal);
  const reader = response.body!.getReader();
  let bytes = new Uint8Array(0);
  try {
    for (;;) {
      while (bytes.length >= HEAD_BYTES) {
        const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
        if (length > MAX_MESSAGE_BYTES) throw new ServiceError('internal', 'a message is too long');
        if (bytes.length < HEAD_BYTES + length) break;
        const read = parsed(new TextDecoder().decode(bytes.subarray(HEAD_BYTES, HEAD_BYTES + length)));
        const last = (bytes[0]! & END_STREAM) !== 0;
        bytes = bytes.subarray(HEAD_BYTES + length);
        if (last) return failIf(read.error);
        yield read as Message;
      }
      const { done, value } = await reader.read();
      if (done) throw new ServiceError('unavailable', 'the stream broke off');
      const joined = new Uint8Array(bytes.length + value.length);
      joined.set(bytes);
      joined.set(value, bytes.length);
      bytes = joined;
    }
  } finally {
    // Whoever stops reading has no use for the rest; nor for news of how that went.
    reader.cancel().catch(() => {});
  }
}

async function post(
  platform: Platform,
  url: string,
  type: string,
  body: string | Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
): Promise<Response> {
  const headers = { 'Content-Type': type, 'Connect-Protocol-Version': '1' };
  let response: Response;
  try {
    response = await platform.fetch(url, { method: 'POST', headers, body, signal });
  } catch (error) {
    throw new ServiceError('unavailable', String(error));
  }
  if (response.ok && response.headers.get('content-type')?.startsWith(type)) return response;
  // An application behind the same address answers what it likes to a path it does not know.
  const error = response.ok ? null : await json(response).catch(() => null);
  failIf(error?.code ? (error as { code: string }) : undefined);
  throw new ServiceError(
    response.status >= 500 ? 'unavailable' : 'unimplemented',
    `${url} answered ${response.status}`,
  );
}

async function json(response: Response): Promise<Answered> {
  const text = await response.text();
  if (text.length > MAX_MESSAGE_BYTES) throw new ServiceError('internal', 'an answer is too long');
  return parsed(text);
}

function parsed(text: string): Answered {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Answered;
  } catch {}
  throw new ServiceError('internal', 'an answer is no JSON object');
}

/** As much of an answer as this file looks at. */
interface Answered {
  readonly code?: string;
  readonly message?: string;
  readonly error?: { code: string; message?: string };
}

function framed(message: object): Uint8Array<ArrayBuffer> {
  const payload = new TextEncoder().encode(JSON.stringify(message));
  const bytes = new Uint8Array(HEAD_BYTES + payload.length);
  new DataView(bytes.buffer).setUint32(1, payload.length);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

function failIf(error: { code: string; message?: string } | undefined): void {
  if (error !== undefined) throw new ServiceError(error.code, error.message ?? '');
}
