// Both directions of an envelope, as one end of it sees them: what was sent and may be lost, what arrived and must not arrive again.

import { dataFrame } from './envelope-frames.ts';

/** What one end has to know to go on elsewhere. */
export interface SequenceState {
  /** The other end's messages, all up to this one. */
  readonly received: number;
  /** Of our own, the last number given. */
  readonly sent: number;
  /** Frames that the other end has not acknowledged: the last of `sent`, in order. */
  readonly unacknowledged: readonly ArrayBuffer[];
}

export class Sequence {
  #received: number;
  #sent: number;
  readonly #kept: ArrayBuffer[];
  #keptBytes = 0;
  readonly #maxBytes: number;

  constructor(maxBytes: number, state: SequenceState = { received: 0, sent: 0, unacknowledged: [] }) {
    this.#maxBytes = maxBytes;
    this.#received = state.received;
    this.#sent = state.sent;
    this.#kept = [...state.unacknowledged];
    for (const { byteLength } of this.#kept) this.#keptBytes += byteLength;
  }

  get received(): number {
    return this.#received;
  }

  /** Of ours, the last that the other end is known to have. */
  get acknowledged(): number {
    return this.#sent - this.#kept.length;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  state(): SequenceState {
    return { received: this.#received, sent: this.#sent, unacknowledged: [...this.#kept] };
  }

  /** The frame to send, kept until it is acknowledged; null when no more can be kept. */
  send(data: string | ArrayBuffer | ArrayBufferView): ArrayBuffer | null {
    const frame = dataFrame(this.#sent + 1, this.#received, data);
    if (this.#keptBytes + frame.byteLength > this.#maxBytes) return null;
    this.#sent += 1;
    this.#kept.push(frame);
    this.#keptBytes += frame.byteLength;
    return frame;
  }

  /** False when the other end says it has what was never sent, or forgot what it had: then there is nothing to go on from. */
  acknowledge(received: number): boolean {
    // What was said before something newer may come after it, in a frame that is sent again.
    if (received > this.#sent) return false;
    const count = received - this.acknowledged;
    for (let i = 0; i < count; i++) this.#keptBytes -= this.#kept[i]!.byteLength;
    if (count > 0) this.#kept.splice(0, count);
    return true;
  }

  /** `new`: deliver it. `known`: it came before. `gap`: one before it is missing, so this connection cannot be trusted. */
  accept(sequence: number): 'new' | 'known' | 'gap' {
    if (sequence <= this.#received) return 'known';
    if (sequence !== this.#received + 1) return 'gap';
    this.#received = sequence;
    return 'new';
  }

  /** For a new connection: all that may have been lost. */
  unacknowledged(): readonly ArrayBuffer[] {
    return this.#kept;
  }
}
