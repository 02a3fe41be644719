// The client's connection and its backend's live and die together: the end of one is the end of the other, after what is
// on its way has left. The backend's may be exchanged for another, and there may be none for a while.

import type { Duplex } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { TunnelEnd, TunnelEndKind } from './live-tunnel.ts';

/** Between our last byte and the other side's consent. */
const GRACE_MS = 1000;
/** For a slow reader to take what its lost partner had sent. */
const LINGER_MS = 30_000;

export class SocketPair {
  readonly #clock: Clock;
  readonly #client: Duplex;
  readonly #over: (end: TunnelEnd) => void;
  #backend: Duplex | null;
  #why: TunnelEnd | null = null;
  #timer: Disposable | null = null;
  #clientOpen = true;
  #told = false;

  /** `over` is called once, when both are closed. */
  constructor(client: Duplex, backend: Duplex, clock: Clock, over: (end: TunnelEnd) => void) {
    this.#clock = clock;
    this.#client = client;
    this.#backend = backend;
    this.#over = over;
    client.on('error', (error: Error) => this.blame('client_lost', error.message));
    client.on('close', this.#clientClosed);
    // A connection may have closed while it was handed over; it will not say so again.
    if (client.closed) queueMicrotask(this.#clientClosed);
  }

  get clientOpen(): boolean {
    return this.#clientOpen;
  }

  get ending(): boolean {
    return this.#why !== null;
  }

  /** Names the reason; the first one counts. */
  blame(kind: TunnelEndKind, detail: string): void {
    this.#why ??= { kind, detail };
  }

  /** The client is without a backend until there is another. */
  part(): void {
    this.#backend = null;
  }

  join(backend: Duplex): void {
    this.#backend = backend;
    if (!this.#clientOpen) this.#follow(backend);
  }

  backendClosed(backend: Duplex, error: string): void {
    if (backend !== this.#backend) return;
    this.#backend = null;
    if (error !== '') this.blame('backend_lost', error);
    this.#look(backend, this.#client, 'backend_lost');
  }

  /** Both get the grace to close by themselves, then they are closed. */
  closeSoon(): void {
    this.#destroyAfter(GRACE_MS);
  }

  destroy(): void {
    this.#client.destroy();
    this.#backend?.destroy();
  }

  readonly #clientClosed = (): void => {
    if (!this.#clientOpen) return;
    this.#clientOpen = false;
    this.#look(this.#client, this.#backend, 'client_lost');
  };

  #look(side: Duplex, other: Duplex | null, lost: TunnelEndKind): void {
    const inOrder = side.readableEnded && side.writableFinished;
    if (!inOrder) this.blame(lost, 'the connection was closed in the middle');
    this.#tellIfOver();
    if (other !== null && !this.#told && !other.closed) this.#follow(other);
  }

  #follow(other: Duplex): void {
    if (!other.writableEnded) other.end();
    if (other.writableFinished) this.closeSoon();
    else {
      other.once('finish', () => this.closeSoon());
      if (this.#timer === null) this.#destroyAfter(LINGER_MS);
    }
  }

  #tellIfOver(): void {
    if (this.#told || this.#clientOpen || this.#backend !== null) return;
    this.#told = true;
    this.#timer?.[Symbol.dispose]();
    this.#over(this.#why ?? { kind: 'closed', detail: '' });
  }

  #destroyAfter(ms: number): void {
    if (this.#told) return;
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#clock.after(ms, () => this.destroy());
  }
}
