// A WebSocket connection over any two byte streams: HTTP/1.1 sockets, HTTP/2 streams (RFC 8441), or one of each.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { Flow } from './flow.ts';
import { closeFrame, FrameTracker, maskedCloseFrame } from './frames.ts';
import { watchIdle } from './idle-watch.ts';
import { EndNotice, type LiveTunnel, type TunnelEnd } from './live-tunnel.ts';
import { SocketPair } from './socket-pair.ts';

/** RFC 6455, section 7.4.1. */
const GOING_AWAY = 1001;

/** One end: the stream, and what was read from it before it came here. */
export interface TunnelSide {
  readonly socket: Duplex;
  readonly rest: Uint8Array;
}

export interface TunnelOptions {
  /** Ends a tunnel through which nothing passes; 0 never. */
  readonly idleMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export class Tunnel implements LiveTunnel {
  readonly #notice = new EndNotice();
  readonly #pair: SocketPair;
  readonly #in: Flow;
  readonly #out: Flow;
  readonly #idle: Disposable;
  readonly #random: Random;

  constructor(client: TunnelSide, backend: TunnelSide, options: TunnelOptions) {
    this.#random = options.random;
    this.#pair = new SocketPair(client.socket, backend.socket, options.clock, end => this.#over(end));
    this.#in = new Flow(client.socket, backend.socket, new FrameTracker(true));
    this.#out = new Flow(backend.socket, client.socket, new FrameTracker(false));
    this.#idle = watchIdle(
      options.clock,
      options.idleMs,
      () => this.bytesIn + this.bytesOut,
      () => this.#close('idle', GOING_AWAY),
    );
    this.#in.start(client.rest);
    this.#out.start(backend.rest);
  }

  get bytesIn(): number {
    return this.#in.bytes;
  }

  get bytesOut(): number {
    return this.#out.bytes;
  }

  onClose(listener: (end: TunnelEnd) => void): void {
    this.#notice.add(listener);
  }

  end(code: number): void {
    this.#close('ended', code);
  }

  destroy(): void {
    this.#pair.blame('destroyed', '');
    this.#pair.destroy();
  }

  #close(kind: 'ended' | 'idle', code: number): void {
    if (this.#pair.ending) return;
    this.#pair.blame(kind, `closed with ${code}`);
    this.#out.finishWith(closeFrame(code));
    this.#in.finishWith(maskedCloseFrame(code, this.#random));
    this.#pair.closeSoon();
  }

  #over(end: TunnelEnd): void {
    this.#idle[Symbol.dispose]();
    this.#notice.tell(end);
  }
}
