// The three ports of an agent: a page over HTTP, a line over TCP, a stream over gRPC (HTTP/2 without TLS).

import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { createServer as createHttp2, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Clock, every } from '../core/clock.ts';
import { LeasewayError } from '../core/errors.ts';
import { grpcFrame } from '../core/grpc-frames.ts';
import { listenError } from '../core/listen-error.ts';
import { BYTES, VARINT, Wire } from '../core/protobuf.ts';
import { type AgentState, checkLine, metricsPage, orcaReport } from './answers.ts';

export interface Serving {
  readonly address: string;
  close(): void;
}

export type ServePort = (address: string, state: () => AgentState, clock: Clock) => Promise<Serving>;

const ORCA_PATH = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
const MOST_CONNECTIONS = 256;
const MOST_REQUEST_BYTES = 65_536;
const LEAST_INTERVAL_MS = 100;
const UNIMPLEMENTED = '12';
/** An asker of the line has so long to take it. */
const LINE_TIMEOUT_MS = 5_000;

export const serveMetrics: ServePort = (address, state) =>
  listen(
    createHttp((request, response) => {
      request.resume();
      if (request.url !== '/metrics') return void response.writeHead(404).end('try /metrics\n');
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
      response.end(metricsPage(state()));
    }),
    address,
  );

export const serveCheck: ServePort = (address, state) =>
  listen(
    createServer(socket => {
      socket.setTimeout(LINE_TIMEOUT_MS, () => socket.destroy());
      // What it says of itself is not needed to answer.
      socket.resume();
      socket.end(checkLine(state()));
    }),
    address,
  );

export const serveOrca: ServePort = (address, state, clock) => {
  const server = createHttp2({ settings: { maxConcurrentStreams: 16 } });
  server.on('sessionError', () => {});
  server.on('session', session => session.on('error', () => {}));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {});
    const head = { ':status': 200, 'content-type': 'application/grpc' };
    if (headers[':path'] !== ORCA_PATH) {
      stream.respond({ ...head, 'grpc-status': UNIMPLEMENTED }, { endStream: true });
      return;
    }
    const parts: Buffer[] = [];
    let bytes = 0;
    stream.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > MOST_REQUEST_BYTES) stream.destroy();
      else parts.push(part);
    });
    stream.on('end', () => {
      stream.respond(head);
      const send = (): void => {
        // Who does not take what is sent gets no more until it does.
        if (!stream.destroyed && !stream.writableNeedDrain) stream.write(grpcFrame(orcaReport(state())));
      };
      send();
      const timer = every(clock, Math.max(LEAST_INTERVAL_MS, askedIntervalMs(Buffer.concat(parts))), send);
      stream.on('close', () => timer[Symbol.dispose]());
    });
  });
  return listen(server as unknown as Server, address);
};

/** Of OrcaLoadReportRequest { Duration report_interval = 1 }; a second when it does not say. */
export function askedIntervalMs(frames: Buffer): number {
  const wire = new Wire(frames, 5, frames.length);
  if (!wire.next() || wire.field !== 1 || wire.kind !== BYTES) return 1_000;
  let ms = 0;
  const duration = new Wire(frames, wire.start, wire.end);
  while (duration.next()) {
    if (duration.kind !== VARINT) continue;
    if (duration.field === 1) ms += duration.value * 1000;
    else if (duration.field === 2) ms += duration.value / 1e6;
  }
  return ms > 0 ? Math.min(ms, 3_600_000) : 1_000;
}

async function listen(server: Server, address: string): Promise<Serving> {
  const sockets = new Set<Socket>();
  server.maxConnections = MOST_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  server.listen(Number(address.slice(colon + 1)), host === '' ? undefined : host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new LeasewayError('LISTEN_FAILED', `${address}: ${listenError(error)}`, error);
  }
  const { port } = server.address() as AddressInfo;
  return {
    address: `${address.slice(0, colon)}:${port}`,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
