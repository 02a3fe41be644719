// The worker's end of the span pipe: batches with acknowledgement, because a MessagePort has no backpressure.

import type { Clock } from '../core/clock.ts';
import type { Report, SpanRecord } from '../orders/messages.ts';
import type { WorkerLedger } from '../scoreboard/ports.ts';

export interface SpanSenderBounds {
  /** A full batch goes at once. */
  readonly batchSize: number;
  /** An incomplete one after this. */
  readonly flushMs: number;
  /** Batches the control plane has not acknowledged; beyond them spans wait in one more batch, and beyond that they are dropped. */
  readonly maxUnacknowledged: number;
}

const DEFAULT_BOUNDS: SpanSenderBounds = { batchSize: 256, flushMs: 200, maxUnacknowledged: 8 };

/** Memory is bounded by (maxUnacknowledged + 1) × batchSize spans, at most 2,304 by default. */
export class SpanSender implements Disposable {
  readonly #clock: Clock;
  readonly #ledger: Pick<WorkerLedger, 'add'>;
  readonly #bounds: SpanSenderBounds;
  #post: ((report: Report) => void) | null = null;
  #waiting: SpanRecord[] = [];
  #timer: Disposable | null = null;
  #sequence = 0;
  #acknowledged = 0;
  #dropped = 0;

  constructor(clock: Clock, ledger: Pick<WorkerLedger, 'add'>, bounds: SpanSenderBounds = DEFAULT_BOUNDS) {
    this.#clock = clock;
    this.#ledger = ledger;
    this.#bounds = bounds;
  }

  /** A (new) control thread listens, or none (null). What an old one had not acknowledged is not sent again: it may have been exported. */
  connect(post: ((report: Report) => void) | null): void {
    this.#post = post;
    this.#acknowledged = this.#sequence;
    if (this.#waiting.length > 0) this.#schedule();
  }

  push(span: SpanRecord): void {
    if (this.#waiting.length >= this.#bounds.batchSize) {
      this.#dropped += 1;
      this.#ledger.add('spansDropped', 1);
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= this.#bounds.batchSize) this.flush();
    else this.#schedule();
  }

  /** The order `ack`. */
  acknowledge(upTo: number): void {
    if (upTo <= this.#acknowledged || upTo > this.#sequence) return;
    this.#acknowledged = upTo;
    if (this.#waiting.length >= this.#bounds.batchSize) this.flush();
    else if (this.#waiting.length > 0) this.#schedule();
  }

  /** Sends what waits, unless too much is unacknowledged. Called by itself; from outside before the worker ends. */
  flush(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    if (this.#waiting.length === 0 || this.#post === null) return;
    // Tried again when the acknowledgement comes.
    if (this.#sequence - this.#acknowledged >= this.#bounds.maxUnacknowledged) return;
    const spans = this.#waiting;
    this.#waiting = [];
    this.#sequence += 1;
    this.#post({ kind: 'spans', sequence: this.#sequence, spans, dropped: this.#dropped });
    this.#dropped = 0;
  }

  [Symbol.dispose](): void {
    this.flush();
    this.#timer?.[Symbol.dispose]();
    this.#timer = null;
    this.#post = null;
  }

  #schedule(): void {
    this.#timer ??= this.#clock.after(this.#bounds.flushMs, () => this.flush());
  }
}
