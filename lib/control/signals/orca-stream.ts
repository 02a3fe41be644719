// Load reports on a gRPC stream of their own (ORCA out-of-band, gRPC A51): one connection per backend, opened again when it breaks.
//
//   connect ─► ask ─► report · report · report ─┐
//      ▲                                        │ ends, breaks, falls silent
//      └── wait: 1 s × 1.6ⁿ, at most a minute ◄─┘          UNIMPLEMENTED ─► never again

import { type ClientHttp2Session, type ClientHttp2Stream, connect as h2Connect } from 'node:http2';
import type { Clock } from '../../core/clock.ts';
import { GrpcFrames, grpcFrame } from '../../core/grpc-frames.ts';
import { readBinary } from '../../core/orca/binary.ts';
import type { OrcaNames } from '../../core/orca/names.ts';
import { LoadReading } from '../../core/orca/reading.ts';
import { bytesField, varintField } from '../../core/protobuf.ts';
import type { Random } from '../../core/random.ts';
import { formatDuration } from '../../core/units.ts';
import { CheckFailure, describeFailure } from '../backend/health/detail.ts';
import { agreedToH2, dial, type Target } from '../backend/health/dial.ts';

export interface StreamSettings {
  target(): Target;
  readonly intervalMs: number;
  readonly names: OrcaNames;
  readonly clock: Clock;
  readonly random: Random;
}

export interface StreamEars {
  /** The reading is reused: read it before returning. */
  report(reading: LoadReading): void;
  /** `final`: it will not be asked again. */
  broke(detail: string, final: boolean): void;
}

const PATH = '/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics';
const UNIMPLEMENTED = '12';
const CONNECT_MS = 5_000;
/** Servers may report every 30 s at least, whatever they are asked; three of those are silence. */
const LEAST_SILENCE_MS = 90_000;
const MOST_MESSAGE_BYTES = 65_536;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const GROWTH = 1.6;
const JITTER = 0.2;
/** Backends that are found together are not all called in one instant. */
const SPREAD_MS = 500;

export class OrcaStream implements Disposable {
  readonly #settings: StreamSettings;
  readonly #ears: StreamEars;
  readonly #reading = new LoadReading();
  /** Kinds that this connection has reported: proto3 leaves out zeros, so absence means zero from then on. */
  #seen = 0;
  #waitMs = FIRST_WAIT_MS;
  #session: ClientHttp2Session | null = null;
  #aborter: AbortController | null = null;
  #timer: Disposable | null = null;
  #stopped = false;

  constructor(settings: StreamSettings, ears: StreamEars) {
    this.#settings = settings;
    this.#ears = ears;
    this.#after(SPREAD_MS * settings.random.next(), () => void this.#open());
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#close();
  }

  async #open(): Promise<void> {
    const aborter = new AbortController();
    this.#aborter = aborter;
    this.#after(CONNECT_MS, () => aborter.abort());
    try {
      const target = this.#settings.target();
      const socket = await dial(target, ['h2'], aborter.signal);
      if (this.#stopped) return void socket.destroy();
      if (target.url.protocol === 'https:' && !agreedToH2(socket)) {
        socket.destroy();
        throw new CheckFailure('does not speak HTTP/2 (no h2 by ALPN)');
      }
      const session = h2Connect(target.url.origin, { createConnection: () => socket });
      this.#session = session;
      this.#listen(session);
    } catch (error) {
      const late = aborter.signal.aborted;
      this.#broke(late ? `no connection within ${formatDuration(CONNECT_MS)}` : describeFailure(error));
    }
  }

  #listen(session: ClientHttp2Session): void {
    const broke = (detail: string, final = false): void => {
      if (this.#session === session) this.#broke(detail, final);
    };
    session.on('error', error => broke(describeFailure(error)));
    session.on('close', () => broke('connection closed'));
    // The backend is leaving; the next call may find its successor.
    session.on('goaway', () => broke('GOAWAY'));
    const stream = session.request({
      ':method': 'POST',
      ':path': PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'leaseway-signals',
    });
    this.#seen = 0;
    stream.end(requestFrame(this.#settings.intervalMs));
    this.#hear(stream, broke);
    this.#watchSilence(broke);
  }

  #hear(stream: ClientHttp2Stream, broke: (detail: string, final?: boolean) => void): void {
    let status = '';
    const statusIn = (headers: object): void => {
      status = String((headers as Record<string, unknown>)['grpc-status'] ?? status);
    };
    const frames = new GrpcFrames(MOST_MESSAGE_BYTES);
    stream.on('error', error => broke(describeFailure(error)));
    stream.on('response', headers => {
      statusIn(headers);
      if (headers[':status'] !== 200) return broke(`HTTP ${headers[':status']}`);
      if (!String(headers['content-type'] ?? '').startsWith('application/grpc')) broke('not a gRPC answer');
    });
    stream.on('trailers', statusIn);
    stream.on('data', (chunk: Buffer) => {
      const problem = frames.push(chunk, message => {
        this.#waitMs = FIRST_WAIT_MS;
        this.#watchSilence(broke);
        this.#report(message);
      });
      if (problem !== '') broke(problem);
    });
    stream.on('close', () => {
      if (status === UNIMPLEMENTED)
        broke('UNIMPLEMENTED: it has no such service, and is not asked again', true);
      else broke(status === '' || status === '0' ? 'the stream ended' : `gRPC status ${status}`);
    });
  }

  #report(message: Buffer): void {
    const reading = this.#reading;
    reading.clear();
    readBinary(message, this.#settings.names, reading);
    const silent = this.#seen & ~reading.mask;
    this.#seen |= reading.mask;
    // A message that was refused in part says nothing by what it lacks.
    if (reading.refused === 0)
      for (let index = 0; silent >>> index !== 0; index++)
        if ((silent & (1 << index)) !== 0) reading.take(index, 0);
    this.#ears.report(reading);
  }

  #watchSilence(broke: (detail: string) => void): void {
    const ms = Math.max(LEAST_SILENCE_MS, 3 * this.#settings.intervalMs);
    this.#after(ms, () => broke(`no report for ${formatDuration(ms)}`));
  }

  #broke(detail: string, final = false): void {
    if (this.#stopped) return;
    this.#close();
    this.#ears.broke(detail, final);
    if (final || this.#stopped) return;
    const { random } = this.#settings;
    this.#after(this.#waitMs * (1 - JITTER + 2 * JITTER * random.next()), () => void this.#open());
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * GROWTH);
  }

  #close(): void {
    const session = this.#session;
    this.#session = null;
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    this.#aborter?.abort();
    this.#aborter = null;
    session?.destroy();
  }

  /** One timer at a time. */
  #after(ms: number, run: () => void): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#settings.clock.after(ms, run);
  }
}

/** OrcaLoadReportRequest { Duration report_interval = 1 { int64 seconds = 1; int32 nanos = 2 } }, as one gRPC message. */
function requestFrame(intervalMs: number): Buffer {
  const seconds = varintField(1, Math.floor(intervalMs / 1000));
  const nanos = varintField(2, Math.round((intervalMs % 1000) * 1e6));
  return grpcFrame(bytesField(1, [...seconds, ...nanos]));
}
