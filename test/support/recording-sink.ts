// An AnswerSink that remembers what it heard, and lets a test wait for it.

import type { Duplex } from 'node:stream';
import type { Fields } from '../../lib/core/fields.ts';
import type { AnswerHead, AnswerSink, Reason } from '../../lib/data/ports.ts';

export class RecordingSink implements AnswerSink {
  readonly informationals: AnswerHead[] = [];
  answer: AnswerHead | null = null;
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  writables = 0;
  trailers: Fields | undefined;
  socket: Duplex | null = null;
  rest: Uint8Array = new Uint8Array(0);
  reason: Reason | null = null;
  sent: boolean | null = null;
  /** end, fail, upgraded: one of them, once. */
  readonly lastWords: string[] = [];
  /** Anything heard after the last word, or while `deaf`. */
  readonly illegal: string[] = [];
  deaf = false;
  keepChunks = true;
  onEvent: (() => void) | null = null;
  readonly #waiting = new Set<{ condition: () => boolean; resolve: () => void }>();

  get body(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get outcome(): string {
    const word = this.lastWords[0] ?? '';
    return word === 'fail' ? `fail ${this.reason!.code} sent=${this.sent}` : word;
  }

  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise(resolve => this.#waiting.add({ condition, resolve }));
  }

  over(): Promise<void> {
    return this.until(() => this.lastWords.length > 0);
  }

  informational(head: AnswerHead): void {
    this.#hear('informational', () => this.informationals.push(head));
  }

  head(head: AnswerHead): void {
    this.#hear('head', () => {
      this.answer = head;
    });
  }

  data(chunk: Uint8Array): void {
    this.#hear('data', () => {
      this.bytes += chunk.length;
      if (this.keepChunks) this.chunks.push(Buffer.from(chunk));
    });
  }

  writable(): void {
    this.#hear('writable', () => {
      this.writables += 1;
    });
  }

  end(trailers?: Fields): void {
    this.#hear('end', () => {
      this.trailers = trailers;
      this.lastWords.push('end');
    });
  }

  upgraded(head: AnswerHead, socket: Duplex, rest: Uint8Array): void {
    this.#hear('upgraded', () => {
      this.answer = head;
      this.socket = socket;
      this.rest = rest;
      this.lastWords.push('upgraded');
    });
  }

  fail(reason: Reason, sent: boolean): void {
    this.#hear('fail', () => {
      this.reason = reason;
      this.sent = sent;
      this.lastWords.push('fail');
    });
  }

  #hear(what: string, record: () => void): void {
    if (this.deaf || this.lastWords.length > 0) this.illegal.push(what);
    record();
    this.onEvent?.();
    for (const waiter of this.#waiting) {
      if (!waiter.condition()) continue;
      this.#waiting.delete(waiter);
      waiter.resolve();
    }
  }
}
