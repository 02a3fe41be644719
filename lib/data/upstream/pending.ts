// A request whose connection is still being made: keeps what is written until it can be handed over, or fails whole.

import type { Fields } from '../../core/fields.ts';
import { owned } from '../lent.ts';
import type { AnswerSink, Outgoing, Reason, UpstreamHead } from '../ports.ts';

export class PendingOutgoing implements Outgoing {
  readonly #head: UpstreamHead;
  readonly #sink: AnswerSink;
  readonly #left: (pending: PendingOutgoing) => void;
  #bound: Outgoing | null = null;
  /** Short: every write is answered with "wait". */
  #written: Uint8Array[] = [];
  #ended = false;
  #trailers: Fields | undefined;
  #paused = false;
  #over = false;

  /** `left` hears when the request is aborted before it was bound. */
  constructor(head: UpstreamHead, sink: AnswerSink, left: (pending: PendingOutgoing) => void) {
    this.#head = head;
    this.#sink = sink;
    this.#left = left;
  }

  /** The connection is there: everything goes to what `open` returns from now on. */
  bind(open: (head: UpstreamHead, sink: AnswerSink) => Outgoing): void {
    if (this.#over) return;
    const bound = open(this.#head, this.#sink);
    this.#bound = bound;
    if (this.#paused) bound.pause();
    const written = this.#written;
    this.#written = [];
    let more = true;
    for (const chunk of written) more = bound.write(chunk);
    if (this.#ended) bound.end(this.#trailers);
    else if (written.length > 0 && more) this.#sink.writable();
  }

  /** Nothing was sent. */
  fail(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#written = [];
    this.#sink.fail(reason, false);
  }

  write(chunk: Uint8Array): boolean {
    if (this.#bound !== null) return this.#bound.write(chunk);
    if (!this.#over) this.#written.push(owned(chunk));
    return false;
  }

  end(trailers?: Fields): void {
    if (this.#bound !== null) {
      this.#bound.end(trailers);
      return;
    }
    this.#ended = true;
    this.#trailers = trailers;
  }

  pause(): void {
    this.#paused = true;
    this.#bound?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#bound?.resume();
  }

  abort(reason: Reason): void {
    if (this.#bound !== null) {
      this.#bound.abort(reason);
      return;
    }
    if (this.#over) return;
    this.#over = true;
    this.#written = [];
    this.#left(this);
  }
}
