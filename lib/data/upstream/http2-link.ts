// One HTTP/2 connection to a backend (RFC 9113): its streams, its health, and what it will not put up with.

import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Socket } from 'node:net';
import { type Clock, every } from '../../core/clock.ts';
import { LeasewayError } from '../../core/errors.ts';
import { Pulse } from './http2-pulse.ts';

/** Streams at once, whatever more the backend allows: beyond it another connection is opened. */
export const MAX_STREAMS = 100;
/** What a backend may send on one stream before the client has taken it. */
const STREAM_WINDOW_BYTES = 256 * 1024;
/** In flight on the whole connection; what waits for slow clients does not count. */
const CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024;
/** Of an answer's field section, counted as RFC 9113, section 6.5.2 does. */
const MAX_FIELD_BYTES = 64 * 1024;
const MAX_FIELD_COUNT = 256;
const SESSION_MEMORY_MB = 64;
/** Frames that only cost us time: SETTINGS and PING of the backend, per check interval. */
const MAX_NUISANCES = 200;
const CHECK_INTERVAL_MS = 5000;
const PING_TIMEOUT_MS = 5000;

export interface LinkOwner {
  /** The first SETTINGS have come: it takes streams. */
  linkReady(link: Http2Link): void;
  /** A stream ended, or the backend raised its limit. */
  linkHasRoom(link: Http2Link): void;
  /** Takes no new streams; those under way may go on. */
  linkClosing(link: Http2Link): void;
  /** Over. `failure` when it never became ready. */
  linkGone(link: Http2Link, failure: LeasewayError | null): void;
}

export interface LinkOptions {
  readonly origin: string;
  readonly keepAliveMs: number;
  /** For the SETTINGS that must come first (RFC 9113, section 3.4). */
  readonly settingsTimeoutMs: number;
}

export class Http2Link {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #owner: LinkOwner;
  readonly #clock: Clock;
  readonly #options: LinkOptions;
  readonly #pulse = new Pulse();
  readonly #check: Disposable;
  #settingsDeadline: Disposable | null;
  #idleTimer: Disposable | null = null;
  #pingDeadline: Disposable | null = null;
  #idleSinceMs = 0;
  #ready = false;
  #closing = false;
  #gone = false;
  #streams = 0;
  #carried = 0;
  #nuisances = 0;
  #lastStreamId = -1;
  #failure: LeasewayError | null = null;

  constructor(socket: Socket, options: LinkOptions, owner: LinkOwner, clock: Clock) {
    this.#socket = socket;
    this.#owner = owner;
    this.#clock = clock;
    this.#options = options;
    this.#session = connect(options.origin, {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize: MAX_FIELD_BYTES,
      },
      maxHeaderListPairs: MAX_FIELD_COUNT,
      maxSessionMemory: SESSION_MEMORY_MB,
      peerMaxConcurrentStreams: MAX_STREAMS,
    });
    this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#settingsDeadline = clock.after(options.settingsTimeoutMs, () =>
      this.#kill(new LeasewayError('CONNECT_TIMEOUT', 'the backend sent no HTTP/2 SETTINGS')),
    );
    this.#check = every(clock, CHECK_INTERVAL_MS, () => this.#checkPulse());
    this.#listen();
  }

  /** Streams it would take now. */
  get room(): number {
    if (!this.#ready || this.#closing) return 0;
    return Math.max(this.#limit - this.#streams, 0);
  }

  get ready(): boolean {
    return this.#ready;
  }

  get streams(): number {
    return this.#streams;
  }

  /** The backend takes WebSockets (RFC 8441, section 3). */
  get extendedConnect(): boolean {
    return this.#session.remoteSettings.enableConnectProtocol === true;
  }

  /** Streams so far. */
  get carried(): number {
    return this.#carried;
  }

  get connected(): boolean {
    return !this.#socket.destroyed;
  }

  /** What ended the whole connection, if that is known. */
  get failure(): LeasewayError | null {
    return this.#failure;
  }

  /** RFC 9113, section 6.8: a stream above the last one named in GOAWAY was not and will not be processed. */
  refused(streamId: number | undefined): boolean {
    return streamId === undefined || (this.#lastStreamId >= 0 && streamId > this.#lastStreamId);
  }

  /** Throws when the fields cannot be sent. Every stream must be given back by `release`. */
  request(fields: readonly string[], endStream: boolean): ClientHttp2Stream {
    const stream = this.#session.request(fields, { endStream, waitForTrailers: !endStream });
    this.#streams += 1;
    this.#carried += 1;
    this.#pulse.doubt();
    return stream;
  }

  release(): void {
    this.#streams -= 1;
    if (this.#gone) return;
    if (this.#streams === 0) this.#becomeIdle();
    this.#owner.linkHasRoom(this);
  }

  /** Streams under way go on; then it closes. */
  close(): void {
    this.#retire();
    this.#session.close();
  }

  get #limit(): number {
    return Math.min(this.#session.remoteSettings.maxConcurrentStreams ?? MAX_STREAMS, MAX_STREAMS);
  }

  #listen(): void {
    const session = this.#session;
    session.on('remoteSettings', () => {
      this.#nuisance();
      if (!this.#ready) this.#becomeReady();
      else this.#owner.linkHasRoom(this);
    });
    session.on('ping', () => this.#nuisance());
    session.on('goaway', (code: number, lastStreamId: number) => {
      this.#lastStreamId = lastStreamId;
      if (code !== constants.NGHTTP2_NO_ERROR)
        this.#failure ??= new LeasewayError('ANSWER_CUT', `the backend sent GOAWAY with error ${code}`);
      this.#retire();
    });
    session.on('error', error => {
      this.#failure ??= new LeasewayError(this.#ready ? 'ANSWER_CUT' : 'BAD_ANSWER', error.message, error);
    });
    // Whatever ends a session, from either side: no new stream from here on.
    session.on('close', () => this.#end());
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#settingsDeadline?.[Symbol.dispose]();
    this.#settingsDeadline = null;
    this.#becomeIdle();
    this.#owner.linkReady(this);
  }

  /** One timer at most, armed anew when it comes too early: requests come and go without touching it. */
  #becomeIdle(): void {
    this.#idleSinceMs = this.#clock.monotonicMs();
    this.#idleTimer ??= this.#clock.after(this.#options.keepAliveMs, () => this.#idleFor());
  }

  #idleFor(): void {
    this.#idleTimer = null;
    if (this.#streams > 0 || this.#gone) return;
    const restMs = this.#options.keepAliveMs - (this.#clock.monotonicMs() - this.#idleSinceMs);
    if (restMs <= 0) this.close();
    else this.#idleTimer = this.#clock.after(restMs, () => this.#idleFor());
  }

  #nuisance(): void {
    this.#nuisances += 1;
    if (this.#nuisances <= MAX_NUISANCES) return;
    const failure = new LeasewayError(
      'BAD_ANSWER',
      'the backend floods the connection with SETTINGS or PING',
    );
    this.#kill(failure, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #checkPulse(): void {
    this.#nuisances = 0;
    if (this.#pingDeadline !== null || this.#gone) return;
    if (!this.#pulse.needsPing(this.#socket.bytesRead, this.#streams, CHECK_INTERVAL_MS)) return;
    this.#pingDeadline = this.#clock.after(PING_TIMEOUT_MS, () =>
      this.#kill(new LeasewayError('ANSWER_CUT', 'the backend does not answer HTTP/2 PING')),
    );
    this.#session.ping(() => {
      this.#pingDeadline?.[Symbol.dispose]();
      this.#pingDeadline = null;
      this.#pulse.proved(this.#socket.bytesRead);
    });
  }

  #kill(failure: LeasewayError, code: number = constants.NGHTTP2_CANCEL): void {
    this.#failure ??= failure;
    this.#retire();
    this.#session.destroy(undefined, code);
    this.#socket.destroy();
  }

  #retire(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#owner.linkClosing(this);
  }

  #end(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#retire();
    for (const timer of [this.#check, this.#settingsDeadline, this.#idleTimer, this.#pingDeadline])
      timer?.[Symbol.dispose]();
    const unready = this.#failure ?? new LeasewayError('CONNECT_FAILED', 'closed before any HTTP/2 SETTINGS');
    this.#owner.linkGone(this, this.#ready ? null : unready);
  }
}
