// A process that carries WebSockets to one backend, in one of several ways, and says what that costs it. For test/bench/carry.ts.

import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import httpProxy from 'http-proxy';
import { systemClock } from '../../lib/core/clock.ts';
import { systemRandom } from '../../lib/core/random.ts';
import { CoarseTimers } from '../../lib/core/timers.ts';
import { switchingHead } from '../../lib/data/http1/upgrade.ts';
import { Relay } from '../../lib/data/websocket/relay.ts';
import { RecordingSink } from './recording-sink.ts';
import { upstreamTo } from './upstreams.ts';

const [kind, backendPort] = [process.argv[2]!, Number(process.argv[3])];
const timers = new CoarseTimers(systemClock);
const NOTHING = new Uint8Array(0);

/** Bytes alone: what the kernel and Node cost by themselves. */
function pipe(): { listen(port: number, host: string, done: () => void): void; address(): unknown } {
  return createTcp({ noDelay: true }, client => {
    const backend = connect({ port: backendPort, host: '127.0.0.1', noDelay: true });
    client.on('error', () => backend.destroy());
    backend.on('error', () => client.destroy());
    client.pipe(backend).pipe(client);
  });
}

function byHttpProxy() {
  const proxy = httpProxy.createProxyServer({ target: `http://127.0.0.1:${backendPort}` });
  proxy.on('error', () => {});
  const server = createServer();
  server.on('upgrade', (request, socket, head) => proxy.ws(request, socket as Socket, head));
  return server;
}

function byRelay(movable: boolean) {
  const upstream = upstreamTo(`http://127.0.0.1:${backendPort}`, {
    limits: { connections: 10_000, queue: 10_000 },
  });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const fields = request.rawHeaders.filter(
      (_, i, all) => !/^(connection|upgrade)$/i.test(all[i - (i % 2)]!),
    );
    const sink = new RecordingSink();
    const common = { authority: 'bench', scheme: 'http', protocol: 'websocket', bodyLength: 0 } as const;
    upstream.open({ method: 'GET', target: request.url!, fields, ...common }, sink);
    void sink.over().then(() => {
      socket.write(switchingHead(request.rawHeaders, sink.answer!.fields), 'latin1');
      const source = { dial: () => ({ [Symbol.dispose]() {} }), switched() {}, settled() {} };
      const moves = {
        source,
        mode: 'overlap',
        dialMs: 1,
        holdMs: 1,
        holdBytes: 1,
      } as const;
      new Relay(
        { socket, rest: head },
        { socket: sink.socket!, rest: sink.rest ?? NOTHING },
        {
          idleMs: 3_600_000,
          clock: systemClock,
          timers,
          random: systemRandom,
          cooperative: false,
          moves: movable ? moves : null,
        },
      );
    });
  });
  return server;
}

const server =
  kind === 'pipe' ? pipe() : kind === 'http-proxy' ? byHttpProxy() : byRelay(kind === 'relay, movable');
server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));

process.on('message', () => {
  globalThis.gc?.();
  const { user, system } = process.cpuUsage();
  process.send!({ cpuUs: user + system, rss: process.memoryUsage().rss });
});
process.on('disconnect', () => process.exit(0));
