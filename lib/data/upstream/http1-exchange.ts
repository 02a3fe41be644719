// One request over HTTP/1.1 by undici: its handler on one side, our Outgoing on the other.

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Dispatcher } from 'undici';
import type { ErrorCode } from '../../core/errors.ts';
import type { Fields } from '../../core/fields.ts';
import type { AnswerHead, AnswerSink, Outgoing, Reason, UpstreamHead } from '../ports.ts';
import { siftAnswerFields } from './answer-fields.ts';
import { failureOf } from './failure.ts';
import { RequestBody } from './request-body.ts';
import { withKey, withoutAccept } from './websocket-key.ts';

/** More interim answers than this to one request are an attack or a fault. */
const MAX_INFORMATIONAL = 32;
const NOTHING = new Uint8Array(0);

/** One kept-alive connection of the pool, as far as an exchange looks at it. */
export interface Line {
  readonly socket: Socket | null;
  /** Counts a request on the present connection; returns how many it had carried before. */
  countRequest(): number;
}

export class Http1Exchange implements Outgoing, Dispatcher.DispatchHandler {
  /** Set by the pool as it hands the request to a connection. */
  line: Line | null = null;
  readonly #sink: AnswerSink;
  readonly #settled: () => void;
  readonly #body: RequestBody | null;
  readonly #ownKey: string | null;
  readonly #options: Dispatcher.DispatchOptions;
  #controller: Dispatcher.DispatchController | null = null;
  #over = false;
  #paused = false;
  #reused = false;
  #answerBegun = false;
  #headSeen = false;
  #informational = 0;

  /** `settled` is called once undici has let go of the request, which may be long after the sink's last word. */
  constructor(head: UpstreamHead, sink: AnswerSink, servername: string, settled: () => void) {
    this.#sink = sink;
    this.#settled = settled;
    const upgrade = head.protocol === 'websocket';
    const keyed = upgrade ? withKey(head.fields) : null;
    this.#ownKey = keyed?.ownKey ?? null;
    this.#body =
      upgrade || head.bodyLength === 0
        ? null
        : new RequestBody(() => {
            if (!this.#over) this.#sink.writable();
          });
    const options = {
      path: head.target,
      method: (upgrade ? 'GET' : head.method) as Dispatcher.HttpMethod,
      headers: (keyed?.fields ?? head.fields) as string[],
      body: this.#body,
      upgrade: upgrade ? 'websocket' : null,
      headersTimeout: 0,
      bodyTimeout: 0,
      // Untyped, and the only thing that keeps undici from asking for the forwarded Host by SNI.
      servername,
    };
    this.#options = options;
  }

  get over(): boolean {
    return this.#over;
  }

  /** undici must not be entered from its own parser's callbacks: the caller sees to that. */
  dispatchOn(pool: Dispatcher): void {
    pool.dispatch(this.#options, this);
  }

  // Outgoing

  write(chunk: Uint8Array): boolean {
    return this.#over || this.#body === null ? true : this.#body.feed(chunk);
  }

  /** Trailers of a request cannot be sent by undici and are dropped (RFC 9110, section 6.5.1 allows it). */
  end(_trailers?: Fields): void {
    if (!this.#over) this.#body?.finish();
  }

  pause(): void {
    this.#paused = true;
    this.#controller?.pause();
  }

  /** In a microtask, since undici's parser asserts that no other of its parsers is running. */
  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    queueMicrotask(() => {
      if (!this.#paused && !this.#over) this.#controller?.resume();
    });
  }

  abort(reason: Reason): void {
    if (this.#over) return;
    this.#over = true;
    this.#cut(reason.code);
  }

  // Dispatcher.DispatchHandler

  onRequestStart(controller: Dispatcher.DispatchController): void {
    // Thrown here, the request is dropped and the connection stays; aborted, the connection would go too.
    if (this.#over) throw new Error('aborted before it was sent');
    this.#controller = controller;
    this.#reused = (this.line?.countRequest() ?? 0) > 0;
    if (this.#paused) controller.pause();
  }

  onResponseStarted(): void {
    this.#answerBegun = true;
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#over) return;
    const { fields, problem } = siftAnswerFields(rawOf(controller.rawHeaders));
    if (problem !== '') {
      this.#refuse(problem);
      return;
    }
    if (status >= 200) {
      this.#headSeen = true;
      this.#sink.head({ status, fields });
      return;
    }
    if (status === 101) {
      this.#refuse('101 without a valid upgrade');
      return;
    }
    this.#informational += 1;
    if (this.#informational > MAX_INFORMATIONAL) {
      this.#refuse('too many interim answers');
      return;
    }
    this.#sink.informational({ status, fields });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#sink.data(chunk);
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    this.#settled();
    if (this.#over) return;
    this.#over = true;
    // undici takes a reset for the end of an answer that ends with its connection; RFC 9112, section 8 does not.
    const errored = this.line?.socket?.errored ?? null;
    if (errored !== null) {
      this.#sink.fail(this.#reason('ANSWER_CUT', errored.message), true);
      return;
    }
    const raw = rawOf(controller.rawTrailers);
    if (raw.length === 0) {
      this.#sink.end();
      return;
    }
    this.#sink.end(siftAnswerFields(raw).fields);
  }

  onRequestUpgrade(
    controller: Dispatcher.DispatchController,
    status: number,
    _fields: unknown,
    socket: Duplex,
  ): void {
    this.#settled();
    if (this.#over) {
      socket.destroy();
      return;
    }
    this.#over = true;
    const { fields } = siftAnswerFields(rawOf(controller.rawHeaders));
    const accepted = this.#ownKey === null ? fields : withoutAccept(fields, this.#ownKey);
    if (accepted === null) {
      socket.destroy();
      this.#sink.fail(this.#reason('BAD_ANSWER', 'Sec-WebSocket-Accept does not fit'), true);
      return;
    }
    const head: AnswerHead = { status, fields: accepted };
    this.#sink.upgraded(head, socket, NOTHING);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#settled();
    if (this.#over) return;
    this.#over = true;
    this.#body?.destroy();
    const { reason, sent } = failureOf(error, {
      started: this.#controller !== null,
      answerBegun: this.#answerBegun,
      headSeen: this.#headSeen,
      reused: this.#reused,
    });
    this.#sink.fail(reason, sent);
  }

  #refuse(detail: string): void {
    this.#over = true;
    this.#cut('BAD_ANSWER');
    this.#sink.fail(this.#reason('BAD_ANSWER', detail), true);
  }

  #cut(code: string): void {
    this.#controller?.abort(new Error(code));
    this.#body?.destroy();
  }

  #reason(code: ErrorCode, detail: string): Reason {
    return { code, detail };
  }
}

/** Over HTTP/1.1 undici gives a flat array of Buffers; its types allow more. */
const rawOf = (raw: unknown): readonly Uint8Array[] => (Array.isArray(raw) ? (raw as Uint8Array[]) : []);
