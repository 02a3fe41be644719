// The request's body on its way to one try after another: held back at the client, kept for another try, ended once.

import type { Fields } from '../../core/fields.ts';
import { forwardTrailers } from '../hygiene/trailers.ts';
import { owned } from '../lent.ts';
import type { Incoming } from '../ports.ts';
import type { Attempt } from './attempt.ts';
import { Replay } from './replay.ts';

export class Upload {
  readonly #incoming: Incoming;
  readonly #replay: Replay;
  /** Pieces that came before there was anyone to send them to. */
  #unsent: Uint8Array[] = [];
  #ended = false;
  #trailers: Fields | undefined;
  #continued = false;
  #held = false;

  /** So many bytes are kept for another try. */
  constructor(incoming: Incoming, replayBytes: number) {
    this.#incoming = incoming;
    this.#replay = new Replay(replayBytes);
  }

  /** All that was sent is still here. */
  get replayable(): boolean {
    return this.#replay.whole;
  }

  /** The body is not whole, and it is the client that is waited for. */
  get owing(): boolean {
    return !this.#ended && !this.#held;
  }

  /** To a new try: from the beginning. */
  sendTo(attempt: Attempt): void {
    let room = true;
    for (const chunk of this.#replay.chunks) room = attempt.write(chunk);
    for (const chunk of this.#unsent.splice(0)) {
      this.#replay.keep(chunk);
      room = attempt.write(chunk);
    }
    if (this.#ended) attempt.endBody(this.#trailers);
    else if (this.#incoming.head.expectsContinue && !this.#continued) {
      this.#continued = true;
      this.#incoming.continue();
    }
    if (room) this.resume();
    else this.#hold();
  }

  /** A piece came; without a try under way it waits, bounded by the pause. */
  push(chunk: Uint8Array, attempt: Attempt | null): void {
    if (attempt === null) {
      this.#unsent.push(owned(chunk));
      return this.#hold();
    }
    this.#replay.keep(chunk);
    if (!attempt.write(chunk)) this.#hold();
  }

  end(trailers: Fields | undefined, attempt: Attempt | null): void {
    this.#ended = true;
    this.#trailers = trailers === undefined ? undefined : forwardTrailers(trailers);
    attempt?.endBody(this.#trailers);
  }

  resume(): void {
    this.#held = false;
    this.#incoming.resume();
  }

  /** There will be no other try. */
  drop(): void {
    this.#replay.drop();
    this.#unsent = [];
  }

  #hold(): void {
    this.#held = true;
    this.#incoming.pause();
  }
}
