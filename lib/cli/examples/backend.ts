// One example backend: a page, health, slow answers, a stream and a WebSocket echo.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, every, sleep } from '../../core/clock.ts';
import { clientModule } from './apps/client-module.ts';
import { appPage } from './apps/page.ts';
import { Apps, type Shared } from './apps/serve.ts';
import { OwnLoad } from './load.ts';
import { page } from './page.ts';
import { serveWebSocket } from './websocket.ts';

export interface ExampleBackend extends Disposable {
  readonly port: number;
}

const MAX_SLOW_MS = 60_000;
const STREAM_EVERY_MS = 1_000;

/** Listens on 127.0.0.1; rejects when the port is taken. */
export async function startBackend(
  name: string,
  port: number,
  clock: Clock,
  shared: Shared,
): Promise<ExampleBackend> {
  const load = new OwnLoad(clock);
  const apps = new Apps(name, shared);
  const server = createServer((request, response) => {
    load.report(request, response);
    response.setHeader('x-backend', name);
    void answer(name, clock, request, response);
  });
  server.on('upgrade', (request, socket, head) => {
    if (!apps.upgrade(request, socket, head)) serveWebSocket(name, request, socket, head);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.dispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}

async function answer(
  name: string,
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend');
  switch (pathname) {
    case '/':
      response.setHeader('content-type', 'text/html; charset=utf-8');
      return void response.end(page(name));
    case '/chat':
    case '/counter':
      response.setHeader('content-type', 'text/html; charset=utf-8');
      return void response.end(appPage(pathname.slice(1)));
    case '/whoami':
      return void response.end(`${name}\n`);
    case '/healthz':
      return void response.end('ok\n');
    case '/slow': {
      const asked = Number(searchParams.get('ms') ?? 1_000);
      const ms = Math.min(Math.max(0, Number.isFinite(asked) ? asked : 0), MAX_SLOW_MS);
      await sleep(clock, ms);
      return void response.end(`${name} took ${ms} ms\n`);
    }
    case '/stream':
      return stream(name, clock, response);
    case '/headers':
      response.setHeader('content-type', 'application/json');
      return void response.end(`${JSON.stringify({ backend: name, headers: request.headers }, null, 2)}\n`);
    default: {
      const module = clientModule(pathname);
      if (module !== null) {
        response.setHeader('content-type', 'text/javascript; charset=utf-8');
        return void response.end(module);
      }
      response.statusCode = 404;
      return void response.end(
        `${name} has no ${pathname}: try /, /chat, /counter, /whoami, /slow?ms=500, /stream, /headers\n`,
      );
    }
  }
}

/** Server-sent events until the client leaves. */
function stream(name: string, clock: Clock, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let number = 0;
  const send = (): void => {
    number += 1;
    response.write(`id: ${number}\ndata: ${name} says ${number}\n\n`);
  };
  send();
  const timer = every(clock, STREAM_EVERY_MS, send);
  response.on('close', () => timer[Symbol.dispose]());
}
