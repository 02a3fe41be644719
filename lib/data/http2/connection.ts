// One HTTP/2 connection: its streams, what they may hold together, what its client may do to us, and how it ends.

import http2, { constants, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { lingeringClose } from '../listener/linger.ts';
import { isRefusal } from '../listener/refusal.ts';
import { type Accepted, type Session, type SessionEnv, unsentBytes } from '../listener/session.ts';
import { Stall } from '../listener/stall.ts';
import type { ClientConnection } from '../ports.ts';
import { Overhead, type StrikeLimits, Strikes } from './abuse.ts';
import { goawayFrame } from './goaway.ts';
import { checkHead } from './head.ts';
import { Http2Incoming, type Http2Owner } from './incoming.ts';
import { refuseStream } from './refuse.ts';
import { Http2Wire } from './wire.ts';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_FLAG_END_STREAM, NGHTTP2_REFUSED_STREAM } =
  constants;

/** Answer bytes of all streams together that wait for the client. */
const SESSION_BUFFER_BYTES = 1024 * 1024;
/** PINGs and SETTINGS a minute: a gRPC client measuring its bandwidth pings a few times a second. */
const PINGS_PER_MINUTE = 2000;
const SETTINGS_PER_MINUTE = 60;
/** Malformed or refused frames of one connection before node ends it. */
const MAX_BAD_FRAMES = 100;
const WINDOW_BYTES = 256 * 1024;
/** What may be on its way to us on the whole connection; what waits for a slow backend does not count. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;
/**
 * GOAWAY, NO_ERROR, naming the largest stream id: the first of two, which still lets requests in flight arrive (RFC 9113, section 6.8).
 * As bytes, because nghttp2 has a call for it and node does not offer it: after node's goaway(), whatever id it names, nghttp2
 * ignores every new stream, so that the requests which this frame invites are refused by the second.
 */
const SHUTDOWN_NOTICE = goawayFrame(2 ** 31 - 1, NGHTTP2_NO_ERROR);
/** For requests that left before the first GOAWAY arrived, and for the last bytes of a connection that ends. */
const GRACE_MS = 1000;
const LINGER_MS = 3000;

export class Http2Connection implements Session, Http2Owner {
  readonly connection: ClientConnection;
  readonly paced = true;
  readonly #socket: Accepted['socket'];
  readonly #raw: Accepted['raw'];
  readonly #env: SessionEnv;
  readonly #wire: Http2Wire;
  readonly #session: ServerHttp2Session;
  readonly #streams = new Set<Http2Incoming>();
  readonly #strikes: Strikes;
  readonly #overhead: Overhead;
  readonly #writing: Stall;
  #requests = 0;
  #heldBytes = 0;
  #writes = 0;
  #greeted = false;
  /** The client has our SETTINGS, which must be the first frame. */
  #settled = false;
  #idleSinceMs: number;
  /** When GOAWAY began; 0 before. */
  #drainingMs = 0;
  #endedMs = 0;
  #lingering = false;
  /** The socket may really be destroyed. */
  #final = false;

  constructor(accepted: Accepted, env: SessionEnv) {
    this.connection = accepted.connection;
    this.#socket = accepted.socket;
    this.#raw = accepted.raw;
    this.#env = env;
    const now = env.clock.monotonicMs();
    this.#idleSinceMs = now;
    this.#strikes = new Strikes(now);
    this.#overhead = new Overhead(now);
    this.#writing = new Stall(now);
    this.#wire = new Http2Wire(accepted.socket, () => this.#onDestroy());
    const session = http2.performServerHandshake(
      this.#wire as unknown as Duplex,
      sessionOptions(env.limits),
    ) as ServerHttp2Session;
    this.#session = session;
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    session.on('stream', (stream, _headers, flags, raw) => this.#onStream(stream, flags, raw));
    session.on('remoteSettings', () => {
      this.#greeted = true;
      this.#strike('settings');
    });
    session.once('localSettings', () => {
      this.#settled = true;
      if (this.#drainingMs !== 0 && !session.closed) this.#notify();
    });
    session.on('ping', () => this.#strike('ping'));
    session.on('error', (error: Error) => this.#onError(error));
    session.on('frameError', () => {});
    accepted.socket.on('close', () => {
      this.#endedMs ||= this.#env.clock.monotonicMs();
    });
    // Without a way back there is nothing left to say to us; node leaves a half-open socket standing.
    accepted.socket.on('end', () => {
      if (!this.#lingering) this.destroy();
    });
    accepted.socket.once('finish', () => this.#linger());
  }

  get tunnels(): number {
    let count = 0;
    for (const stream of this.#streams) if (stream.isTunnel) count += 1;
    return count;
  }

  // ---- what its streams tell

  hold(bytes: number): boolean {
    this.#heldBytes += bytes;
    this.#overhead.sent(bytes);
    return this.#heldBytes < SESSION_BUFFER_BYTES;
  }

  release(bytes: number): void {
    const full = this.#heldBytes >= SESSION_BUFFER_BYTES;
    this.#heldBytes -= bytes;
    this.#writes += 1;
    if (full && this.#heldBytes < SESSION_BUFFER_BYTES) for (const stream of this.#streams) stream.wake();
  }

  received(bytes: number): void {
    this.#overhead.received(bytes);
  }

  sent(bytes: number): void {
    this.#overhead.sent(bytes);
  }

  ended(incoming: Http2Incoming, struck: boolean): void {
    this.#streams.delete(incoming);
    if (this.#streams.size === 0) this.#idleSinceMs = this.#env.clock.monotonicMs();
    if (struck) this.#strike('reset');
  }

  // ---- what the listener tells

  drain(nowMs = this.#env.clock.monotonicMs()): void {
    if (this.#drainingMs !== 0 || this.#session.closed || this.#session.destroyed) return;
    this.#drainingMs = nowMs;
    if (this.#settled) this.#notify();
  }

  /** Requests under way arrive before the answer to a PING does; a client that answers none has the grace. */
  #notify(): void {
    this.#env.ledger.add('h2GoawaysSent', 1);
    this.#wire.interject(SHUTDOWN_NOTICE);
    this.#session.ping(() => this.#close());
  }

  destroy(): void {
    this.#final = true;
    this.#endedMs ||= this.#env.clock.monotonicMs();
    this.#session.destroy();
    this.#socket.destroy();
    this.#raw.destroy();
  }

  sweep(nowMs: number): void {
    if (this.#endedMs !== 0) {
      if (nowMs - this.#endedMs >= LINGER_MS) this.destroy();
      return;
    }
    const { limits } = this.#env;
    if (this.#drainingMs !== 0 && nowMs - this.#drainingMs >= GRACE_MS) this.#close();
    if (this.#overhead.excessive(this.#socket.bytesRead, nowMs))
      return this.#calm('frames that carry nothing');
    if (!this.#greeted && nowMs - this.#idleSinceMs >= limits.head_timeout)
      return this.#calm('no SETTINGS came');
    const stuck = this.#heldBytes > 0 || unsentBytes(this.#raw) > 0;
    if (this.#writing.quietMs(this.#writes, stuck, nowMs) >= limits.write_idle_timeout)
      return this.#calm('the client takes nothing of its answers');
    for (const stream of this.#streams) stream.sweep(limits, nowMs);
    if (this.#streams.size === 0 && nowMs - this.#idleSinceMs >= limits.keep_alive) this.#close();
    if (this.#session.destroyed) this.#endedMs = nowMs;
  }

  // ---- what the client does

  #onStream(stream: ServerHttp2Stream, flags: number, raw: unknown): void {
    const now = this.#env.clock.monotonicMs();
    // Still in the same turn as the end: its batch of frames goes on.
    if (this.#endedMs !== 0) {
      stream.on('error', () => {});
      return stream.close(NGHTTP2_REFUSED_STREAM);
    }
    // Node tells of a stream a moment late: a client that resets at once would never be counted.
    if (stream.destroyed || stream.closed) {
      stream.on('error', () => {});
      this.#strike('reset');
      return;
    }
    const { limits, handler } = this.#env;
    const endStream = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
    const fields = raw as string[];
    for (let i = 0; i < fields.length; i += 2)
      this.#overhead.received(fields[i]!.length + fields[i + 1]!.length);
    const head = checkHead(fields, endStream, this.connection.tls === null ? 'http' : 'https', limits);
    if (isRefusal(head)) {
      this.#env.ledger.add('requestsMalformed', 1);
      handler.refused(this.connection, { code: head.code, detail: head.detail }, head.status);
      stream.on('close', () => {
        if (stream.rstCode !== NGHTTP2_NO_ERROR) this.#strike('reset');
      });
      return refuseStream(stream, head);
    }
    const incoming = new Http2Incoming(this, stream, head, endStream, now);
    this.#streams.add(incoming);
    this.#requests += 1;
    // In Firefox a GOAWAY ends the WebSockets of the connection: it is said once they are over.
    const carries = head.protocol !== '' || this.tunnels > 0;
    if (this.#requests >= limits.requests_per_connection && !carries) this.drain(now);
    handler.request(incoming);
    incoming.start();
  }

  #strike(kind: keyof StrikeLimits): void {
    const limits = {
      reset: this.#env.limits.h2_resets_per_minute,
      ping: PINGS_PER_MINUTE,
      settings: SETTINGS_PER_MINUTE,
    };
    if (this.#strikes.add(kind, limits, this.#env.clock.monotonicMs())) this.#calm(`too many: ${kind}`);
  }

  /** GOAWAY(ENHANCE_YOUR_CALM), then the connection. */
  #calm(detail: string): void {
    if (this.#endedMs !== 0) return;
    this.#end(NGHTTP2_ENHANCE_YOUR_CALM, detail);
  }

  #onError(error: Error): void {
    this.#env.log.debug('HTTP/2 connection ended', {
      client: this.connection.remoteAddress,
      reason: error.message,
    });
    if (this.#endedMs === 0) this.#endedMs = this.#env.clock.monotonicMs();
  }

  #end(code: number, detail: string): void {
    this.#endedMs = this.#env.clock.monotonicMs();
    this.#env.ledger.add('h2GoawaysSent', 1);
    this.#env.handler.refused(this.connection, { code: 'TOO_MANY_REQUESTS', detail }, 0);
    if (this.#session.destroyed) return;
    // As bytes: a session that is destroyed while a write of its own is under way never sends its GOAWAY.
    this.#wire.interject(goawayFrame(this.#session.state.lastProcStreamID ?? 0, code));
    // In the next turn, not from within one of its own callbacks. Null, not undefined, which would become NO_ERROR.
    setImmediate(() => this.#session.destroy(null as never, code));
  }

  /**
   * Node destroys the socket right behind a GOAWAY, whoever asked for it; with unread bytes of a flood that is a reset,
   * and the client never learns why. After a graceful end it does the opposite, and neither reads on nor destroys. So
   * from the end of the session on the socket is ours to close, lingering.
   */
  #onDestroy(): void {
    if (this.#final || !this.#session.destroyed) this.#socket.destroy();
    else this.#linger();
  }

  #linger(): void {
    if (this.#lingering || this.#socket.destroyed) return;
    this.#lingering = true;
    lingeringClose(this.#socket, this.#env.clock, () => this.destroy());
  }

  #close(): void {
    if (this.#session.closed || this.#session.destroyed) return;
    if (this.#drainingMs === 0) this.#env.ledger.add('h2GoawaysSent', 1);
    this.#session.close();
  }
}

function sessionOptions(limits: SessionEnv['limits']): http2.ServerSessionOptions {
  const listBytes = limits.header_bytes + limits.uri_bytes;
  return {
    // Node's defaults are meant for servers behind a proxy: 2^32 streams, 1000 bad frames.
    maxSessionInvalidFrames: MAX_BAD_FRAMES,
    maxSessionRejectedStreams: MAX_BAD_FRAMES,
    // Twice ours, so that a list somewhat too long gets its 431 and only a huge one a reset.
    maxHeaderListPairs: limits.header_count * 2 + 16,
    maxOutstandingPings: 10,
    maxSettings: 32,
    maxSessionMemory: 16,
    strictSingleValueFields: false,
    settings: {
      maxConcurrentStreams: limits.h2_streams,
      enableConnectProtocol: true,
      enablePush: false,
      initialWindowSize: WINDOW_BYTES,
      maxHeaderListSize: Math.max(65_535, listBytes * 2),
    },
  } as http2.ServerSessionOptions;
}
