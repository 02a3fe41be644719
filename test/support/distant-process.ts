// Clients and backends in a process of their own, so that they can be somewhere else: does what its parent asks over IPC.
//
// They speak bytes, and fall silent where a test wants them to be silent.

import net from 'node:net';

export type Order =
  /** A backend on all addresses; the answer carries its port. */
  | { readonly id: number; readonly act: 'serve' }
  /** Connects, sends, and answers once `until` has come; the connection stays. */
  | {
      readonly id: number;
      readonly act: 'call';
      readonly host: string;
      readonly port: number;
      readonly bytes: string;
      readonly until: string;
    }
  /** Answers once the connection of that call is closed. */
  | { readonly id: number; readonly act: 'closed'; readonly call: number };

export interface Done {
  readonly id: number;
  readonly port?: number;
  readonly error?: string;
}

/** By the last part of the path: how the backend answers. All but the first leave their client in the middle of something. */
const ANSWERS: Readonly<Record<string, string>> = {
  '/whole': 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole',
  '/half': 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf',
  '/events': 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: one\n\n',
  '/tunnel':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
  '/nothing': '',
};
const ENDLESS = Buffer.alloc(256 * 1024, 'x');

const answer = (done: Done): void => void process.send?.(done);
const calls = new Map<number, net.Socket>();

function serve(id: number): void {
  const server = net.createServer(socket => {
    socket.on('error', () => {});
    socket.on('data', bytes => {
      const path = /^\S+ \S*(\/\w+) HTTP/.exec(bytes.toString('latin1'))?.[1] ?? '';
      if (path === '/endless') endless(socket);
      else socket.write(ANSWERS[path] ?? '');
    });
  });
  server.listen(0, '0.0.0.0', () => answer({ id, port: (server.address() as net.AddressInfo).port }));
}

function endless(socket: net.Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n\r\n');
  const more = (): void => {
    while (!socket.destroyed && socket.write(ENDLESS));
  };
  socket.on('drain', more);
  more();
}

function call({ id, host, port, bytes, until }: Extract<Order, { act: 'call' }>): void {
  const socket = net.connect(port, host, () => socket.write(bytes));
  let seen = '';
  calls.set(id, socket);
  socket.on('error', error => answer({ id, error: error.message }));
  if (until === '') socket.once('connect', () => answer({ id }));
  socket.on('data', chunk => {
    if (seen.length > 10_000) return;
    seen += chunk.toString('latin1');
    if (until !== '' && seen.includes(until)) answer({ id });
  });
  socket.on('close', () => answer({ id, error: `closed after ${JSON.stringify(seen)}` }));
}

process.on('message', (order: Order) => {
  if (order.act === 'serve') serve(order.id);
  else if (order.act === 'call') call(order);
  else {
    const socket = calls.get(order.call)!;
    if (socket.closed) answer({ id: order.id });
    else socket.once('close', () => answer({ id: order.id }));
  }
});
process.on('disconnect', () => process.exit());
