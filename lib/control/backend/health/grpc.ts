// The gRPC check: grpc.health.v1.Health/Check over HTTP/2; healthy is SERVING.

import { type ClientHttp2Stream, connect as h2Connect, type IncomingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { CheckFailure } from './detail.ts';
import { agreedToH2, dial, type Target } from './dial.ts';
import { decodeCheckAnswer, encodeCheckRequest, MAX_ANSWER_BYTES } from './grpc-wire.ts';

/** The codes a health service answers with; others are shown by number. */
const CODES: Readonly<Record<string, string>> = {
  '4': 'DEADLINE_EXCEEDED',
  '5': 'NOT_FOUND (no such service)',
  '12': 'UNIMPLEMENTED (no health service)',
  '14': 'UNAVAILABLE',
  '16': 'UNAUTHENTICATED',
};

/** Resolves with `SERVING`; throws on everything else. */
export async function checkGrpc(service: string, target: Target, signal: AbortSignal): Promise<string> {
  const socket = await dial(target, ['h2'], signal);
  try {
    if (target.url.protocol === 'https:' && !agreedToH2(socket))
      throw new CheckFailure('does not speak HTTP/2 (no h2 by ALPN)');
    return judgeAnswer(await ask(socket, target.url, encodeCheckRequest(service)));
  } finally {
    socket.destroy();
  }
}

interface Answer {
  readonly httpStatus: number;
  readonly grpcStatus: string;
  readonly body: Buffer;
}

function judgeAnswer({ httpStatus, grpcStatus, body }: Answer): string {
  if (httpStatus !== 200) throw new CheckFailure(`HTTP ${httpStatus}`);
  if (grpcStatus !== '0') throw new CheckFailure(`gRPC ${CODES[grpcStatus] ?? `status ${grpcStatus}`}`);
  const serving = decodeCheckAnswer(body);
  if (serving === undefined) throw new CheckFailure('not a health answer');
  if (serving !== 'SERVING') throw new CheckFailure(`gRPC ${serving}`);
  return serving;
}

function ask(socket: Socket, url: URL, frame: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = h2Connect(url.origin, { createConnection: () => socket });
    session.on('error', reject);
    session.on('close', () => reject(new CheckFailure('closed without an answer')));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'leaseway-check',
    });
    stream.end(frame);
    collect(stream, resolve, reject);
  });
}

function collect(
  stream: ClientHttp2Stream,
  resolve: (answer: Answer) => void,
  reject: (error: unknown) => void,
): void {
  let httpStatus = 0;
  let grpcStatus = 'missing';
  let bytes = 0;
  const parts: Buffer[] = [];
  const statusIn = (headers: IncomingHttpHeaders): void => {
    const value = headers['grpc-status'];
    if (typeof value === 'string') grpcStatus = value;
  };
  stream.on('error', reject);
  stream.on('response', headers => {
    httpStatus = headers[':status'] ?? 0;
    // A trailers-only answer has its status here.
    statusIn(headers);
  });
  stream.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > MAX_ANSWER_BYTES) reject(new CheckFailure('not a health answer: too long'));
    else parts.push(part);
  });
  stream.on('trailers', statusIn);
  stream.on('close', () => {
    if (stream.rstCode !== 0) reject(new CheckFailure(`stream reset (${stream.rstCode})`));
    else resolve({ httpStatus, grpcStatus, body: Buffer.concat(parts) });
  });
}
