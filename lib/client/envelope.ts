// Exactly once over several connections, when the backend plays its part (leaseway/server): numbers, acknowledges, sends again.

import { ackFrame, helloFrame, readFrame, SESSION_BYTES } from './envelope-frames.ts';
import type { Platform } from './platform.ts';
import { Sequence } from './sequence.ts';

/** Unacknowledged messages are bounded so that a backend that never acknowledges cannot fill the memory. */
const MAX_KEPT_BYTES = 1024 * 1024;
/** An acknowledgement of its own is sent when no message has carried it for so long, or so many have come. */
export const ACK_AFTER_MS = 100;
export const ACK_EVERY = 32;

export interface EnvelopeOwner {
  write(frame: ArrayBuffer): void;
  deliver(data: string | ArrayBuffer): void;
  /** The other end does not speak the envelope, or has lost what it knew: close for good. */
  broken(reason: string): void;
  /** A backend without memory of this session has taken it up. */
  fresh(): void;
}

/** What a socket needs of it. */
export interface Envelope {
  readonly keptBytes: number;
  /** A connection is in use. */
  begin(): void;
  /** It is not any more; what is sent is kept. */
  pause(): void;
  /** False when no more can be kept. */
  send(data: string | ArrayBuffer | ArrayBufferView): boolean;
  receive(data: unknown): void;
}

export type EnvelopeMaker = (platform: Platform, owner: EnvelopeOwner) => Envelope;

/** For the option `envelope` of a socket. */
export const envelope =
  ({ maxKeptBytes = MAX_KEPT_BYTES }: { readonly maxKeptBytes?: number } = {}): EnvelopeMaker =>
  (platform, owner) =>
    new ClientEnvelope(platform, owner, maxKeptBytes);

class ClientEnvelope implements Envelope {
  readonly #platform: Platform;
  readonly #owner: EnvelopeOwner;
  readonly #sequence: Sequence;
  readonly #session: string;
  /** silent: no connection. greeting: hello is sent. open: welcome has come. */
  #phase: 'silent' | 'greeting' | 'open' = 'silent';
  #known = false;
  #unacknowledged = 0;
  #untimer: (() => void) | null = null;

  constructor(platform: Platform, owner: EnvelopeOwner, maxKeptBytes: number) {
    this.#platform = platform;
    this.#owner = owner;
    this.#sequence = new Sequence(maxKeptBytes);
    this.#session = Array.from(platform.randomBytes(SESSION_BYTES), byte =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
  }

  get keptBytes(): number {
    return this.#sequence.keptBytes;
  }

  begin(): void {
    this.#phase = 'greeting';
    const { received, acknowledged } = this.#sequence;
    this.#owner.write(helloFrame(this.#session, received, acknowledged));
  }

  pause(): void {
    this.#phase = 'silent';
    this.#quiet();
  }

  send(data: string | ArrayBuffer | ArrayBufferView): boolean {
    const frame = this.#sequence.send(data);
    if (frame === null) return false;
    if (this.#phase === 'open') {
      this.#quiet();
      this.#owner.write(frame);
    }
    return true;
  }

  receive(data: unknown): void {
    const frame = data instanceof ArrayBuffer ? readFrame(new Uint8Array(data)) : null;
    switch (frame?.kind) {
      case 'welcome':
        if (this.#phase !== 'greeting') return this.#owner.broken('welcome without hello');
        return this.#welcomed(frame.fresh, frame.received);
      case 'ack':
        return void this.#acknowledged(frame.received);
      case 'data': {
        if (!this.#acknowledged(frame.received)) return;
        const was = this.#sequence.accept(frame.sequence);
        if (was === 'gap') return this.#owner.broken('a message is missing');
        this.#acknowledgeSoon();
        if (was === 'new') this.#owner.deliver(frame.data);
        return;
      }
      default:
        this.#owner.broken('the backend does not speak the envelope');
    }
  }

  #welcomed(fresh: boolean, received: number): void {
    if (!this.#acknowledged(received)) return;
    this.#phase = 'open';
    for (const frame of this.#sequence.unacknowledged()) this.#owner.write(frame);
    if (fresh && this.#known) this.#owner.fresh();
    this.#known = true;
  }

  #acknowledged(received: number): boolean {
    const holds = this.#sequence.acknowledge(received);
    if (!holds) this.#owner.broken('the backend acknowledges what was never sent');
    return holds;
  }

  #acknowledgeSoon(): void {
    // Between two connections nothing is written: the next hello says it.
    if (this.#phase !== 'open') return;
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_EVERY) this.#acknowledge();
    else this.#untimer ??= this.#platform.after(ACK_AFTER_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#quiet();
    this.#owner.write(ackFrame(this.#sequence.received));
  }

  #quiet(): void {
    this.#unacknowledged = 0;
    this.#untimer?.();
    this.#untimer = null;
  }
}
