// What it costs to carry WebSockets, beside other ways to do it, and how long clients are held when they move.
//
//   node test/bench/carry.ts [--seconds 2] [--idle 1000] [--moves 400]

import { fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import WebSocket from 'ws';
import { acceptOf } from '../../lib/data/upstream/websocket-key.ts';
import { CountingBackend } from '../support/counting-backend.ts';
import { Leaseway } from '../support/leaseway.ts';
import { percentile } from '../support/percentile.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    idle: { type: 'string', default: '1000' },
    moves: { type: 'string', default: '400' },
  },
});
const [SECONDS, IDLE, MOVES] = [Number(values.seconds), Number(values.idle), Number(values.moves)];
const KINDS = ['pipe', 'http-proxy', 'relay', 'relay, movable'] as const;
const CONNECTIONS = 32;
const ROUNDS = 3;

/** A frame of `bytes` of payload. */
function frame(bytes: number, masked: boolean): Buffer {
  const mask = masked ? 0x80 : 0;
  const head = bytes < 126 ? [0x82, mask | bytes] : [0x82, mask | 126, bytes >> 8, bytes & 255];
  return Buffer.concat([Buffer.from(head), masked ? randomBytes(4) : Buffer.alloc(0), Buffer.alloc(bytes)]);
}

/** Answers each masked frame of `payload` bytes with a frame of as many; knows no other. */
async function echoServer(payload: () => number) {
  const server = createServer();
  server.on('upgrade', (request, socket: Socket) => {
    socket.setNoDelay(true);
    const accept = acceptOf(String(request.headers['sec-websocket-key']));
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const [asked, answer] = [frame(payload(), true).length, frame(payload(), false)];
    let bytes = 0;
    socket.on('error', () => {});
    socket.on('data', chunk => {
      bytes += chunk.length;
      for (; bytes >= asked; bytes -= asked) socket.write(answer);
    });
  });
  server.listen(0, '127.0.0.1', 4096);
  await once(server, 'listening');
  return server;
}

async function client(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  socket.on('error', () => {});
  socket.write(
    'GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  let text = '';
  while (!text.includes('\r\n\r\n')) text += String((await once(socket, 'data'))[0]);
  return socket;
}

interface Carrier {
  readonly port: number;
  look(): Promise<{ cpuUs: number; rss: number }>;
  end(): void;
}

async function carrier(kind: string, backendPort: number): Promise<Carrier> {
  const child = fork(
    join(import.meta.dirname, '../support/carrier-process.ts'),
    [kind, String(backendPort)],
    {
      execArgv: ['--expose-gc'],
    },
  );
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    port,
    async look() {
      child.send({});
      return (await once(child, 'message'))[0];
    },
    end: () => void child.kill(),
  };
}

/** CPU µs per echo of the carrier. */
async function cpuPerEcho(through: Carrier, bytes: number): Promise<number> {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => client(through.port)));
  const [ask, answer] = [frame(bytes, true), frame(bytes, false).length];
  let echoes = 0;
  for (const socket of sockets) {
    let got = 0;
    socket.on('data', chunk => {
      got += chunk.length;
      if (got < answer) return;
      got -= answer;
      echoes += 1;
      socket.write(ask);
    });
    socket.write(ask);
  }
  // Warm first.
  await new Promise(resolve => setTimeout(resolve, 500));
  const before = await through.look();
  const echoesBefore = echoes;
  await new Promise(resolve => setTimeout(resolve, SECONDS * 1000));
  const counted = echoes - echoesBefore;
  const after = await through.look();
  for (const socket of sockets) socket.destroy();
  return (after.cpuUs - before.cpuUs) / counted;
}

async function memoryPerIdle(through: Carrier): Promise<number> {
  const before = await through.look();
  const sockets: Socket[] = [];
  while (sockets.length < IDLE)
    sockets.push(...(await Promise.all(Array.from({ length: 50 }, () => client(through.port)))));
  await new Promise(resolve => setTimeout(resolve, 300));
  const after = await through.look();
  for (const socket of sockets) socket.destroy();
  return (after.rss - before.rss) / IDLE / 1024;
}

const median = (figures: number[]): number => figures.sort((a, b) => a - b)[figures.length >> 1]!;

async function carrying(): Promise<void> {
  let bytes = 64;
  const backend = await echoServer(() => bytes);
  const { port } = backend.address() as AddressInfo;
  const rows = new Map<string, { small: number[]; large: number[]; memory: number }>();
  for (const kind of KINDS) {
    const through = await carrier(kind, port);
    rows.set(kind, { small: [], large: [], memory: await memoryPerIdle(through) });
    through.end();
  }
  // Side by side, since the machine is not always as fast.
  for (let round = 0; round < ROUNDS; round++)
    for (const kind of KINDS) {
      const through = await carrier(kind, port);
      for (const [size, into] of [
        [64, 'small'],
        [4096, 'large'],
      ] as const) {
        bytes = size;
        rows.get(kind)![into].push(await cpuPerEcho(through, size));
      }
      through.end();
    }
  backend.closeAllConnections();
  backend.close();
  const base = rows.get('pipe')!;
  const [small, large] = [median(base.small), median(base.large)];
  console.log('carried by        CPU µs/echo 64 B   4 KiB   of a pipe 64 B   4 KiB   KiB/idle connection');
  for (const [kind, row] of rows) {
    const [s, l] = [median(row.small), median(row.large)];
    console.log(
      `${kind.padEnd(16)} ${s.toFixed(1).padStart(17)} ${l.toFixed(1).padStart(7)} ${(s / small).toFixed(2).padStart(16)} ${(l / large).toFixed(2).padStart(7)} ${row.memory.toFixed(1).padStart(21)}`,
    );
  }
}

async function moving(): Promise<void> {
  const backends = await Promise.all(['b1', 'b2', 'b3'].map(name => CountingBackend.start(name)));
  await using leaseway = await Leaseway.start({
    config: { workers: 1, routes: [{ cluster: 'chat' }] },
    clusters: {
      chat: {
        backends: backends.map(({ name, url }) => ({ id: name, url })),
        websocket: { migrate: 'transparent' },
      },
    },
  });
  const sockets = await Promise.all(
    Array.from({ length: MOVES }, async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${leaseway.port()}/${Math.random()}`);
      await once(socket, 'open');
      return socket;
    }),
  );
  const talking = setInterval(() => {
    for (const socket of sockets) if (Math.random() < 0.05) socket.send('hello');
  }, 50);
  const ids = ((await leaseway.admin('/v1/connections?limit=10000')).body.items as { id: string }[]).map(
    ({ id }) => id,
  );
  const move = async (id: string): Promise<number> =>
    (await leaseway.admin(`/v1/connections/${id}/move`, 'POST', {})).body.holdMs;
  const paced: number[] = [];
  for (const id of ids) paced.push(await move(id));
  // As many as the admin API takes in at a time.
  const atOnce: number[] = [];
  const waiting = [...ids];
  const mover = async (): Promise<void> => {
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) atOnce.push(await move(id));
  };
  await Promise.all(Array.from({ length: 16 }, mover));
  clearInterval(talking);
  for (const [name, holds] of [
    ['one after the other', paced],
    ['16 at a time', atOnce],
  ] as const) {
    const at = (share: number): string => percentile(holds, share).toFixed(1);
    console.log(`held, ${MOVES} moves ${name}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
  }
  for (const socket of sockets) socket.terminate();
  for (const backend of backends) await backend[Symbol.asyncDispose]();
}

await carrying();
await moving();
process.exit(0);
