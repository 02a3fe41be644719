// Backend to client, whichever backend it is: passes bytes on with backpressure, stops before a Close that is not the
// client's business, and can end between two frames.

import type { Duplex } from 'node:stream';
import { FrameTracker } from './frames.ts';

const PASS = 0;
/** The backend was told to finish: all but its Close goes on. */
const LEAVE = 1;
/** As before, and it is cut at the end of its message. */
const HURRY = 2;
const LAST = 3;
const CUT = 4;

export interface OutflowOwner {
  /** Once for a backend: it has said Close, or what it sends is not understood. */
  backendFixed(why: string): void;
  /** All that came before its Close has gone on; the Close has not. */
  backendClosed(): void;
  /** It hurries, and no message of its own is under way. */
  backendBetween(): void;
  /** The client takes no more for now. */
  clientFull(): void;
}

export class Outflow {
  readonly #client: Duplex;
  readonly #owner: OutflowOwner;
  #frames = new FrameTracker(false);
  #messagesBefore = 0;
  #mode = PASS;
  #bytes = 0;
  #lastFrame: Uint8Array | null = null;
  #fixed = false;

  constructor(client: Duplex, owner: OutflowOwner) {
    this.#client = client;
    this.#owner = owner;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get messages(): number {
    return this.#messagesBefore + this.#frames.messages;
  }

  /** Of the backend in use. */
  get frames(): FrameTracker {
    return this.#frames;
  }

  /** Another backend's bytes come from now on; only when no message is under way. */
  begin(): void {
    this.#messagesBefore = this.messages;
    this.#frames = new FrameTracker(false);
    this.#mode = PASS;
    this.#fixed = false;
  }

  leave(): void {
    this.#mode = LEAVE;
  }

  hurry(): void {
    this.#mode = HURRY;
    if (this.#frames.atMessage) this.#owner.backendBetween();
  }

  /**
   * `frame` is the last the client gets: after the frame under way, or instead of its rest when the backend is `dead`; then
   * only the end of the connection says so.
   */
  finishWith(frame: Uint8Array, dead: boolean): void {
    // A Close that was kept back is none the client has heard of.
    if (this.#mode !== PASS && this.#frames.closing) this.begin();
    this.#lastFrame = frame;
    this.#mode = LAST;
    if (this.#frames.atBoundary) this.#finish();
    else if (dead || this.#frames.lost) this.#cut();
  }

  take(chunk: Uint8Array): void {
    switch (this.#mode) {
      case PASS:
        if (this.#client.writableEnded) return;
        this.#bytes += chunk.length;
        this.#frames.feed(chunk);
        if (!this.#client.write(chunk)) this.#owner.clientFull();
        return this.#look();
      case LEAVE:
      case HURRY:
        return this.#takeBeforeClose(chunk);
      case LAST:
        return this.#takeLast(chunk);
    }
  }

  #look(): void {
    const frames = this.#frames;
    if (this.#fixed || !(frames.closing || frames.lost)) return;
    this.#fixed = true;
    this.#owner.backendFixed(
      frames.lost ? 'what the backend sends is not understood' : 'the backend closed the connection',
    );
  }

  #takeBeforeClose(chunk: Uint8Array): void {
    const frames = this.#frames;
    // Its Close is the last thing it may say.
    if (frames.closing || this.#client.writableEnded) return;
    const taken = frames.feedToClose(chunk, this.#mode === HURRY);
    this.#bytes += taken;
    if (taken > 0 && !this.#client.write(taken === chunk.length ? chunk : chunk.subarray(0, taken)))
      this.#owner.clientFull();
    if (frames.closing) this.#owner.backendClosed();
    else if (this.#mode === HURRY && frames.atMessage) this.#owner.backendBetween();
  }

  #takeLast(chunk: Uint8Array): void {
    const taken = this.#frames.feedToBoundary(chunk);
    this.#bytes += taken;
    this.#client.write(chunk.subarray(0, taken));
    if (this.#frames.atBoundary) this.#finish();
    else if (this.#frames.lost) this.#cut();
  }

  #finish(): void {
    const client = this.#client;
    if (!client.writableEnded && !this.#frames.closing) client.write(this.#lastFrame!);
    this.#cut();
  }

  #cut(): void {
    this.#mode = CUT;
    if (!this.#client.writableEnded) this.#client.end();
  }
}
