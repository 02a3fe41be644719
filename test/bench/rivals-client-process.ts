// Clients on bare sockets: requests at a fixed rate, WebSocket echoes in a closed loop, connections that only stay.
// Takes its order as JSON in argv, writes one line of JSON, and ends; `idle` says `open` first and stays until its stdin ends.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export type ClientOrder =
  | { kind: 'paced'; port: number; perSecond: number; seconds: number; head: string }
  | { kind: 'echo'; port: number; connections: number; bytes: number; seconds: number }
  | { kind: 'idle'; port: number; connections: number; websocket: boolean; head: string };

export interface ClientAnswer {
  readonly requests: number;
  readonly failed: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const PACED_CONNECTIONS = 64;
const OPENING_AT_ONCE = 50;
const HANDSHAKE =
  'GET /ws HTTP/1.1\r\nHost: shop.example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

const order = JSON.parse(process.argv[2]!) as ClientOrder;
let failed = 0;

async function open(): Promise<Socket> {
  const socket = connect(order.port, '127.0.0.1').setNoDelay(true);
  socket.on('error', () => {
    failed += 1;
  });
  await once(socket, 'connect');
  return socket;
}

const answered = (answer: string): boolean => /^HTTP\/1\.1 (?:200|101) /.test(answer);

/** Sends a request and waits for the head of its answer, and for its body of two bytes. */
async function ask(socket: Socket, head: string): Promise<void> {
  const closed = once(socket, 'close').then(() => {
    throw new Error('closed without an answer');
  });
  closed.catch(() => {});
  socket.write(head);
  let text = '';
  while (!/\r\n\r\n(?:ok)?$/.test(text)) {
    const [chunk] = (await Promise.race([once(socket, 'data'), closed])) as [Buffer];
    text += chunk.toString('latin1');
  }
  if (!answered(text)) throw new Error(`answered ${text.slice(0, 200)}`);
}

/** A request is timed from when it was due; what the client itself is late by is not counted. */
async function paced({ perSecond, seconds, head }: ClientOrder & { kind: 'paced' }): Promise<ClientAnswer> {
  const request = Buffer.from(head);
  const tookMs: number[] = [];
  const waiting: number[] = [];
  const free: Socket[] = [];
  const sentMs = new Map<Socket, number>();
  const send = (socket: Socket, dueMs: number): void => {
    sentMs.set(socket, dueMs);
    socket.write(request);
  };
  for (let i = 0; i < PACED_CONNECTIONS; i++) {
    const socket = await open();
    await ask(socket, head);
    free.push(socket);
    socket.on('data', (chunk: Buffer) => {
      // Small answers come in one piece, but the last two bytes may come apart.
      if (chunk[chunk.length - 1] !== 0x6b) return;
      tookMs.push(performance.now() - sentMs.get(socket)!);
      const due = waiting.shift();
      if (due === undefined) free.push(socket);
      else send(socket, due);
    });
  }
  const beganMs = performance.now();
  let asked = 0;
  for (;;) {
    const now = performance.now();
    if (now - beganMs > seconds * 1000) break;
    const due = Math.floor(((now - beganMs) / 1000) * perSecond);
    for (; asked < due; asked++) {
      const socket = free.pop();
      if (socket === undefined) waiting.push(now);
      else send(socket, now);
    }
    await new Promise(tick => setTimeout(tick, 1));
  }
  tookMs.sort((a, b) => a - b);
  const at = (share: number): number => tookMs[Math.floor(tookMs.length * share)] ?? 0;
  return { requests: tookMs.length, failed, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** One message at a time on each connection. */
async function echo({ connections, bytes, seconds }: ClientOrder & { kind: 'echo' }): Promise<ClientAnswer> {
  const head = bytes < 126 ? [0x82, 0x80 | bytes] : [0x82, 0xfe, bytes >> 8, bytes & 255];
  const message = Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.alloc(bytes, 'x')]);
  const answerBytes = message.length - 4;
  let requests = 0;
  let over = false;
  for (let i = 0; i < connections; i++) {
    const socket = await open();
    await ask(socket, HANDSHAKE);
    let heard = 0;
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length;
      if (heard < answerBytes) return;
      heard -= answerBytes;
      requests += 1;
      if (!over) socket.write(message);
    });
    socket.write(message);
  }
  await new Promise(done => setTimeout(done, seconds * 1000));
  over = true;
  return { requests, failed, p50Ms: 0, p99Ms: 0 };
}

async function idle({ connections, websocket, head }: ClientOrder & { kind: 'idle' }): Promise<void> {
  for (let opened = 0; opened < connections; opened += OPENING_AT_ONCE)
    await Promise.all(
      Array.from({ length: Math.min(OPENING_AT_ONCE, connections - opened) }, async () => {
        const socket = await open();
        await ask(socket, websocket ? HANDSHAKE : head);
      }),
    );
  process.stdout.write('open\n');
  process.stdin.resume();
  await once(process.stdin, 'end');
}

if (order.kind === 'idle') await idle(order);
else {
  const answer = order.kind === 'paced' ? await paced(order) : await echo(order);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
