// The contract's client for HTTP/1.1, on node:http.

import http, { type ClientRequest as NodeRequest } from 'node:http';
import https from 'node:https';
import type { Fields } from '../../lib/core/fields.ts';
import type { ClientAnswer, ClientCall, ClientRequest, TestClient } from '../contract/incoming.ts';

export function http1Client(port: number, ca?: string): TestClient {
  const agent =
    ca === undefined
      ? new http.Agent({ keepAlive: true, maxSockets: 1 })
      : new https.Agent({ keepAlive: true, maxSockets: 1, ca });
  const call = (request: ClientRequest): ClientCall => {
    const headers: string[] = ['Host', `localhost:${port}`, ...(request.fields ?? [])];
    if (request.trailers !== undefined) headers.push('Trailer', Object.keys(request.trailers).join(', '));
    const lengthless = !headers.some(name => name.toLowerCase() === 'content-length');
    if (request.method === 'POST' && lengthless) headers.push('Transfer-Encoding', 'chunked');
    const options = {
      port,
      host: '127.0.0.1',
      agent,
      method: request.method ?? 'GET',
      path: request.path ?? '/',
      headers,
    };
    const sent: NodeRequest =
      ca === undefined ? http.request(options) : https.request({ ...options, servername: 'localhost', ca });
    let gotData = (): void => {};
    const firstData = new Promise<void>(resolve => {
      gotData = resolve;
    });
    let stopped = false;
    let answered: http.IncomingMessage | null = null;
    const answer = new Promise<ClientAnswer>(resolve => {
      const informational: { status: number; fields: Fields }[] = [];
      const chunks: Buffer[] = [];
      const broken = (): void =>
        resolve({
          status: 0,
          fields: [],
          body: Buffer.concat(chunks),
          trailers: [],
          informational,
          complete: false,
        });
      sent.on('information', info =>
        informational.push({ status: info.statusCode, fields: info.rawHeaders }),
      );
      sent.on('continue', () => informational.push({ status: 100, fields: [] }));
      sent.on('error', () => {
        if (answered === null) broken();
      });
      sent.on('response', response => {
        answered = response;
        if (stopped) sent.socket?.pause();
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          gotData();
        });
        response.on('error', () => {});
        response.on('close', () =>
          resolve({
            status: response.statusCode ?? 0,
            fields: response.rawHeaders,
            body: Buffer.concat(chunks),
            trailers: response.rawTrailers,
            informational,
            complete: response.complete,
          }),
        );
      });
    });
    if (request.trailers !== undefined) sent.addTrailers(request.trailers);
    if (request.body !== undefined || (request.method ?? 'GET') !== 'POST') sent.end(request.body);
    else sent.flushHeaders();
    return {
      answer,
      firstData,
      write: chunk => void sent.write(chunk),
      end: () => void sent.end(),
      leave: () => void sent.destroy(),
      stopReading() {
        stopped = true;
        sent.once('socket', socket => socket.pause());
      },
      startReading() {
        stopped = false;
        sent.socket?.resume();
      },
    };
  };
  return { call, request: request => call(request).answer, close: () => agent.destroy() };
}
