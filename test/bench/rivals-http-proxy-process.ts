// http-proxy as its documentation has it, with connections kept alive: argv is port, TLS port, certificate, WebSocket port and the backends' ports.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { Socket } from 'node:net';
import httpProxy from 'http-proxy';

const [port, tlsPort, pem, websocketPort, ...backends] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
];
const proxy = httpProxy.createProxyServer({ agent: new Agent({ keepAlive: true }), xfwd: true });
const targets = (backends as string[]).map(one => `http://127.0.0.1:${one}`);
let turn = 0;

function serve(request: IncomingMessage, response: ServerResponse): void {
  turn = (turn + 1) % targets.length;
  request.headers['x-request-id'] = randomUUID();
  request.headers.via = '1.1 http-proxy';
  proxy.web(request, response, { target: targets[turn] });
}

proxy.on('error', (_error, _request, response) => response.destroy());
const upgrade = (request: IncomingMessage, socket: unknown, head: Buffer): void =>
  proxy.ws(request, socket as Socket, head, { target: `ws://127.0.0.1:${websocketPort}` });
createServer(serve).on('upgrade', upgrade).listen(Number(port), '127.0.0.1');
const both = readFileSync(pem);
createTls({ cert: both, key: both }, serve).on('upgrade', upgrade).listen(Number(tlsPort), '127.0.0.1');
