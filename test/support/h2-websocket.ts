// WebSockets over HTTP/2 streams (RFC 8441), framed by `ws`, which itself speaks only HTTP/1.1.

import {
  type ClientHttp2Session,
  constants,
  type Http2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
  type ServerHttp2Stream,
} from 'node:http2';
import WebSocket from 'ws';

/** What the handshake of `ws` ends with. */
interface Adopting {
  setSocket(
    stream: Http2Stream,
    head: Buffer,
    options: { allowSynchronousEvents: boolean; maxPayload: number; skipUTF8Validation: boolean },
  ): void;
}

function adopt(stream: Http2Stream, isServer: boolean, protocol: string): WebSocket {
  // Without an address it is what a server makes of a connection; its types leave that out.
  const socket = new WebSocket(null as unknown as string, undefined, {});
  Object.assign(socket, { _isServer: isServer, _protocol: protocol, _autoPong: true, _closeTimeout: 30_000 });
  const options = { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false };
  (socket as unknown as Adopting).setSocket(stream, Buffer.alloc(0), options);
  return socket;
}

/** The client's end. Rejects with the status when the answer is not 200. */
export async function h2WebSocket(
  session: ClientHttp2Session,
  path: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<WebSocket> {
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': session.encrypted === true ? 'https' : 'http',
      ':path': path,
      ':authority': 'localhost',
      'sec-websocket-version': '13',
      ...fields,
    },
    { endStream: false },
  );
  const head = await new Promise<IncomingHttpHeaders & IncomingHttpStatusHeader>((resolve, reject) => {
    stream.once('response', resolve);
    stream.once('error', reject);
  });
  if (head[':status'] !== 200) {
    stream.on('error', () => {});
    stream.close(constants.NGHTTP2_CANCEL);
    throw new Error(`answered ${head[':status']}`);
  }
  return adopt(stream, false, String(head['sec-websocket-protocol'] ?? ''));
}

/** The server's end of an extended CONNECT. */
export function acceptH2(stream: ServerHttp2Stream, protocol: string): WebSocket {
  stream.respond({ ':status': 200, ...(protocol !== '' && { 'sec-websocket-protocol': protocol }) });
  return adopt(stream, true, protocol);
}
