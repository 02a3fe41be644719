// One connection of a socket that outlives its connections: counts what is sent, keeps what comes until it is in use.

import type { Platform } from './platform.ts';

export type Data = string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob;

export interface LegOwner {
  legOpened(leg: Leg): void;
  legMessage(data: unknown): void;
  legClosed(leg: Leg, code: number, reason: string, clean: boolean): void;
}

/** Longer than any proxy or backend takes; a browser would wait for minutes. */
const OPEN_MS = 10_000;
/** A browser cannot be told to stop reading; a backend that floods before it is in use loses the connection. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

/** As a bound needs it: characters of a text count as bytes. */
export const sizeOf = (data: Data): number =>
  typeof data === 'string' ? data.length : 'size' in data ? data.size : data.byteLength;

export class Leg {
  /** What the proxy knows it by; empty without a lease. */
  readonly ticket: string;
  /** Complete messages handed over for sending. */
  sent = 0;
  readonly #socket: WebSocket;
  readonly #owner: LegOwner;
  /** What came before it was in use; null from then on. */
  #waiting: unknown[] | null = [];
  #waitingBytes = 0;
  #over = false;
  readonly #untimer: () => void;

  constructor(platform: Platform, url: string, protocols: string[], ticket: string, owner: LegOwner) {
    this.ticket = ticket;
    this.#owner = owner;
    const socket = platform.connect(url, protocols);
    this.#socket = socket;
    this.#untimer = platform.after(OPEN_MS, () => this.#closed(1006, 'it did not open in time', false));
    socket.onopen = () => {
      this.#untimer();
      if (!this.#over) owner.legOpened(this);
    };
    socket.onmessage = ({ data }) => {
      if (this.#over) return;
      if (this.#waiting === null) return owner.legMessage(data);
      this.#waiting.push(data);
      this.#waitingBytes += sizeOf(data as Data);
      if (this.#waitingBytes > MAX_WAITING_BYTES) this.#closed(1009, 'too much before it was in use', false);
    };
    socket.onclose = ({ code, reason, wasClean }) => this.#closed(code, reason, wasClean);
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === 1 && !this.#over;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  set binaryType(type: 'blob' | 'arraybuffer') {
    this.#socket.binaryType = type;
  }

  send(data: Data): void {
    this.#socket.send(data);
    this.sent += 1;
  }

  /** From now on what comes goes to its owner: first what waited. */
  use(): void {
    const waiting = this.#waiting ?? [];
    // A handler may end us; and what comes meanwhile comes in a task of its own.
    this.#waiting = null;
    for (const data of waiting) if (!this.#over) this.#owner.legMessage(data);
  }

  /** Asks the other side for its Close: `legClosed` follows. */
  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Nobody listens any more. */
  drop(): void {
    this.#over = true;
    this.#untimer();
    this.#socket.close();
  }

  #closed(code: number, reason: string, clean: boolean): void {
    if (this.#over) return;
    this.drop();
    this.#owner.legClosed(this, code, reason, clean);
  }
}
