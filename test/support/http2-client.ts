// The contract's client for HTTP/2, on node:http2.

import http2 from 'node:http2';
import type { Fields } from '../../lib/core/fields.ts';
import type { ClientAnswer, ClientCall, ClientRequest, TestClient } from '../contract/incoming.ts';

export async function http2Client(
  port: number,
  ca?: string,
): Promise<TestClient & { session: http2.ClientHttp2Session }> {
  const session =
    ca === undefined
      ? http2.connect(`http://localhost:${port}`, { host: '127.0.0.1' } as http2.ClientSessionOptions)
      : http2.connect(`https://localhost:${port}`, {
          ca,
          host: '127.0.0.1',
        } as http2.SecureClientSessionOptions);
  session.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => resolve());
    session.once('error', reject);
  });
  const call = (request: ClientRequest): ClientCall => {
    const headers: string[] = [
      ':method',
      request.method ?? 'GET',
      ':path',
      request.path ?? '/',
      ':scheme',
      ca === undefined ? 'http' : 'https',
    ];
    headers.push(':authority', `localhost:${port}`, ...(request.fields ?? []));
    const bodyless = (request.method ?? 'GET') !== 'POST';
    const stream = session.request(headers as never, {
      endStream: bodyless,
      waitForTrailers: request.trailers !== undefined,
    });
    stream.on('wantTrailers', () => stream.sendTrailers(request.trailers ?? {}));
    let gotData = (): void => {};
    const firstData = new Promise<void>(resolve => {
      gotData = resolve;
    });
    let stopped = false;
    const answer = new Promise<ClientAnswer>(resolve => {
      const informational: { status: number; fields: Fields }[] = [];
      const chunks: Buffer[] = [];
      let status = 0;
      let fields: Fields = [];
      let trailers: Fields = [];
      let ended = false;
      stream.on('headers', (headers, _flags, raw: unknown) =>
        informational.push({
          status: headers[':status'] as unknown as number,
          fields: (raw ?? []) as string[],
        }),
      );
      stream.on('response', (headers, _flags, raw: unknown) => {
        status = headers[':status'] ?? 0;
        fields = raw as string[];
        if (stopped) stream.pause();
      });
      stream.on('trailers', (_headers, _flags, raw: unknown) => {
        trailers = raw as string[];
      });
      stream.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        gotData();
      });
      stream.on('end', () => {
        ended = true;
      });
      stream.on('error', () => {});
      stream.on('close', () => {
        const complete = ended && status !== 0 && (stream.rstCode ?? 0) === 0;
        resolve({ status, fields, body: Buffer.concat(chunks), trailers, informational, complete });
      });
    });
    if (!bodyless && request.body !== undefined) stream.end(request.body);
    return {
      answer,
      firstData,
      write: chunk => void stream.write(chunk),
      end: () => void stream.end(),
      leave: () => stream.close(http2.constants.NGHTTP2_CANCEL),
      stopReading() {
        stopped = true;
        stream.pause();
      },
      startReading() {
        stopped = false;
        stream.resume();
      },
    };
  };
  return { session, call, request: request => call(request).answer, close: () => session.destroy() };
}
