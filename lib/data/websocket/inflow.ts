// Client to backend: passes bytes on with backpressure, keeps them while the client is held, and can end between two frames.

import type { Duplex } from 'node:stream';
import { FrameTracker } from './frames.ts';

const PASS = 0;
/** Looks for the end of the client's message, and keeps what is behind it. */
const ALIGN = 1;
const HOLD = 2;
/** A last frame follows the one under way. */
const LAST = 3;
/** What comes is read, so that the client can close, and dropped. */
const CUT = 4;

export interface InflowOwner {
  /** No message is under way, and what comes next is kept. */
  clientAligned(): void;
  /** As many messages as were awaited have passed. */
  clientReached(): void;
  /** Once: the client has begun to close, or what it sends is not understood. */
  clientFixed(why: string): void;
}

export class Inflow {
  readonly frames = new FrameTracker(true);
  readonly #client: Duplex;
  readonly #owner: InflowOwner;
  readonly #maxHeld: number;
  #target: Duplex | null;
  #mode = PASS;
  #bytes = 0;
  #held: Uint8Array[] | null = null;
  #heldBytes = 0;
  #lastFrame: Uint8Array | null = null;
  #fixed = false;
  #ended = false;
  #awaited = Number.POSITIVE_INFINITY;

  constructor(client: Duplex, target: Duplex, owner: InflowOwner, maxHeld: number) {
    this.#client = client;
    this.#target = target;
    this.#owner = owner;
    this.#maxHeld = maxHeld;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** `first` is what was read before. */
  start(first: Uint8Array): void {
    if (first.length > 0) this.#take(first);
    this.#client.on('data', this.#take);
    this.#client.on('end', this.#end);
    if (!this.#full) this.#client.resume();
  }

  /** The backend takes more. */
  readonly drained = (): void => {
    if (!this.#full) this.#client.resume();
  };

  /** Says when so many whole messages have passed, all in all. */
  await(messages: number): void {
    this.#awaited = messages;
    this.#count();
  }

  #count(): void {
    if (this.frames.messages < this.#awaited || !this.frames.atMessage) return;
    this.#awaited = Number.POSITIVE_INFINITY;
    this.#owner.clientReached();
  }

  align(): void {
    this.#mode = ALIGN;
    if (this.frames.atMessage) this.#owner.clientAligned();
  }

  /** As if it had not been asked to align. */
  unalign(): void {
    if (this.#mode === ALIGN) this.#mode = PASS;
  }

  /** There is no backend, or none that may hear the client; only when no message is under way. */
  hold(): void {
    this.#mode = HOLD;
    this.#target = null;
    // A client that leaves is noticed by reading.
    this.#client.resume();
  }

  /** To this backend from now on, what was held first. */
  release(target: Duplex): void {
    const held = this.#held;
    this.#mode = PASS;
    this.#target = target;
    this.#held = null;
    this.#heldBytes = 0;
    for (const chunk of held ?? []) this.#pass(chunk);
    if (this.#ended && !target.writableEnded) target.end();
    else if (!this.#full) this.#client.resume();
  }

  /** `frame` is the last the backend gets, and it gets none while the client is held: it was told already. */
  finishWith(frame: Uint8Array): void {
    this.#held = null;
    if (this.#mode === HOLD) return this.#cut();
    this.#lastFrame = frame;
    this.#mode = LAST;
    if (this.frames.atBoundary) this.#finish();
    // Amid bytes of which nobody knows what they are, a frame would be one more of them.
    else if (this.frames.lost) this.#cut();
  }

  readonly #take = (chunk: Uint8Array): void => {
    this.#bytes += chunk.length;
    switch (this.#mode) {
      case PASS:
        return this.#pass(chunk);
      case ALIGN:
        return this.#align(chunk);
      case HOLD:
        return this.#keep(chunk);
      case LAST:
        return this.#passLast(chunk);
    }
  };

  #pass(chunk: Uint8Array): void {
    const target = this.#target!;
    if (target.writableEnded) return;
    this.frames.feed(chunk);
    if (!target.write(chunk)) this.#client.pause();
    if (this.frames.messages >= this.#awaited) this.#count();
    this.#look();
  }

  #look(): void {
    const { frames } = this;
    if (this.#fixed || !(frames.closing || frames.lost)) return;
    this.#fixed = true;
    this.#owner.clientFixed(frames.lost ? 'what the client sends is not understood' : 'the client closes');
  }

  #align(chunk: Uint8Array): void {
    const taken = this.frames.feedToMessage(chunk);
    if (taken > 0 && !this.#target!.writableEnded && !this.#target!.write(chunk.subarray(0, taken)))
      this.#client.pause();
    if (!this.frames.atMessage || this.frames.closing) return this.#look();
    this.#owner.clientAligned();
    // Whoever was told has said hold, or called it off.
    const rest = chunk.subarray(taken);
    if (rest.length === 0) return;
    if (this.#mode === HOLD) this.#keep(rest);
    else this.#pass(rest);
  }

  #keep(chunk: Uint8Array): void {
    this.#held ??= [];
    this.#held.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#full) this.#client.pause();
  }

  #passLast(chunk: Uint8Array): void {
    const taken = this.frames.feedToBoundary(chunk);
    if (!this.#target!.writableEnded) this.#target!.write(chunk.subarray(0, taken));
    if (this.frames.atBoundary) this.#finish();
    else if (this.frames.lost) this.#cut();
  }

  #finish(): void {
    const target = this.#target!;
    if (!target.writableEnded && !this.frames.closing) target.write(this.#lastFrame!);
    this.#cut();
  }

  #cut(): void {
    this.#mode = CUT;
    this.#client.resume();
    if (this.#target !== null && !this.#target.writableEnded) this.#target.end();
  }

  get #full(): boolean {
    return this.#target === null ? this.#heldBytes >= this.#maxHeld : this.#target.writableNeedDrain;
  }

  readonly #end = (): void => {
    this.#ended = true;
    if (this.#target !== null && !this.#target.writableEnded) this.#target.end();
  };
}
