// Two connections that live and die together: the end of one is the end of the other, after what is on its way has left.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { TunnelEnd, TunnelEndKind } from './live-tunnel.ts';

/** Between our last byte and the other side's consent. */
const GRACE_MS = 1000;
/** For a slow reader to take what its lost partner had sent. */
const LINGER_MS = 30_000;

export class SocketPair {
  readonly #clock: Clock;
  readonly #sides: readonly [Duplex, Duplex];
  readonly #over: (end: TunnelEnd) => void;
  #open = 2;
  #why: TunnelEnd | null = null;
  #timer: Disposable | null = null;

  /** `over` is called once, when both are closed. */
  constructor(client: Duplex, backend: Duplex, clock: Clock, over: (end: TunnelEnd) => void) {
    this.#clock = clock;
    this.#sides = [client, backend];
    this.#over = over;
    this.#watch(client, backend, 'client_lost');
    this.#watch(backend, client, 'backend_lost');
  }

  get ending(): boolean {
    return this.#why !== null;
  }

  /** Names the reason; the first one counts. */
  blame(kind: TunnelEndKind, detail: string): void {
    this.#why ??= { kind, detail };
  }

  /** Both get the grace to close by themselves, then they are closed. */
  closeSoon(): void {
    this.#destroyAfter(GRACE_MS);
  }

  destroy(): void {
    for (const side of this.#sides) side.destroy();
  }

  #watch(side: Duplex, other: Duplex, lost: TunnelEndKind): void {
    side.on('error', (error: Error) => this.blame(lost, error.message));
    side.on('close', () => this.#closed(side, other, lost));
    // A connection may have closed while it was handed over; it will not say so again.
    if (side.closed) queueMicrotask(() => this.#closed(side, other, lost));
  }

  #closed(side: Duplex, other: Duplex, lost: TunnelEndKind): void {
    this.#open -= 1;
    if (this.#open === 0) {
      this.#timer?.[Symbol.dispose]();
      this.#over(this.#why ?? { kind: 'closed', detail: '' });
      return;
    }
    const inOrder = side.readableEnded && side.writableFinished;
    if (!inOrder) this.blame(lost, 'the connection was closed in the middle');
    if (other.closed) return;
    if (!other.writableEnded) other.end();
    if (other.writableFinished) this.closeSoon();
    else {
      other.once('finish', () => this.closeSoon());
      if (this.#timer === null) this.#destroyAfter(LINGER_MS);
    }
  }

  #destroyAfter(ms: number): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.after(ms, () => this.destroy());
  }
}
