// One direction of a tunnel: moves bytes with backpressure, knows where frames end, and can end between two of them.

import type { Duplex } from 'node:stream';
import type { FrameTracker } from './frames.ts';

export class Flow {
  readonly #source: Duplex;
  readonly #target: Duplex;
  readonly #tracker: FrameTracker;
  #bytes = 0;
  #lastFrame: Uint8Array | null = null;
  /** What comes now is read, so that the source can close, and dropped. */
  #cut = false;

  constructor(source: Duplex, target: Duplex, tracker: FrameTracker) {
    this.#source = source;
    this.#target = target;
    this.#tracker = tracker;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `first` is what was read from the source before. */
  start(first?: Uint8Array): void {
    if (first !== undefined && first.length > 0) this.#pass(first);
    this.#target.on('drain', () => this.#source.resume());
    this.#source.on('data', (chunk: Uint8Array) => this.#pass(chunk));
    this.#source.on('end', () => {
      if (!this.#target.writableEnded) this.#target.end();
    });
    if (!this.#target.writableNeedDrain) this.#source.resume();
  }

  /** `frame` is the last the target gets: now when no frame is under way, else after that one. */
  finishWith(frame: Uint8Array): void {
    this.#lastFrame = frame;
    if (this.#tracker.atBoundary) this.#finish();
    // Amid bytes of which nobody knows what they are, a frame would be one more of them.
    else if (this.#tracker.lost) this.#end();
  }

  #pass(chunk: Uint8Array): void {
    if (this.#cut || this.#target.writableEnded) return;
    this.#bytes += chunk.length;
    if (this.#lastFrame !== null) {
      this.#passLast(chunk);
      return;
    }
    this.#tracker.feed(chunk);
    if (!this.#target.write(chunk)) this.#source.pause();
  }

  #passLast(chunk: Uint8Array): void {
    const wanted = this.#tracker.feedToBoundary(chunk);
    this.#target.write(chunk.subarray(0, wanted));
    if (this.#tracker.atBoundary) this.#finish();
    else if (this.#tracker.lost) this.#end();
  }

  #finish(): void {
    if (!this.#target.writableEnded) this.#target.write(this.#lastFrame!);
    this.#end();
  }

  #end(): void {
    this.#cut = true;
    this.#source.resume();
    if (!this.#target.writableEnded) this.#target.end();
  }
}
